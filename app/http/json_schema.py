"""JSON schemas for OpenAPI, and how they are gathered into the document's components.

A schema carries its model's name until the document is complete: components are unknown before all
routes are, and two services in one process have different row models.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import DataclassSchema
from starlette.routing import BaseRoute
from typing_extensions import TypeAliasType

CLOSED = ConfigDict(extra="forbid", defer_build=True)
"""Configuration of models that have no other members than those they declare."""
LONGEST_NAME, LONGEST_NOTE = 200, 4_000
"""Maximum characters of a person's name and of a note."""
WITHOUT_NUL = r"^[^\x00]+$"
"""Pattern of texts without NUL, which a database column cannot store."""
PersonName = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=WITHOUT_NUL)
]
NoteText = Annotated[str, StringConstraints(max_length=LONGEST_NOTE)]
NAME = "x-component"
DEFINITIONS = "$defs"
REFERENCE = "#/components/schemas/{model}"
SchemaMode = Literal["validation", "serialization"]
COMPONENT_NAMES = {"FeatureStats": "Seen", "NumberFeature": "Feature"}
"""Component names that clients were generated from and that are not the names of our types."""


class PublishedNames(GenerateJsonSchema):
    """Schema generator that gives types the names of `COMPONENT_NAMES`."""

    def normalize_name(self, name: str) -> str:
        """Return the component name of a type."""
        normal = super().normalize_name(name)
        return COMPONENT_NAMES.get(normal, normal)

    def dataclass_schema(self, schema: DataclassSchema) -> JsonSchemaValue:
        """Return the schema of a dataclass, with the component name as its title.

        Of an answer every member is required, as members that have defaults are sent too.
        """
        own = super().dataclass_schema(schema)
        if self.mode == "serialization":
            own["required"] = list(own["properties"])
            for described in own["properties"].values():
                described.pop("default", None)
        return {**own, "title": COMPONENT_NAMES.get(own["title"], own["title"])}


@dataclass(frozen=True, slots=True)
class DeferredSchema:
    """Schema of a model, made once the document is asked for: a start has no use of it."""

    model: type[BaseModel]
    mode: SchemaMode

    def made(self) -> dict[str, Any]:
        """Return the schema, with its component name."""
        own = self.model.model_json_schema(
            ref_template=REFERENCE, mode=self.mode, schema_generator=PublishedNames
        )
        return {NAME: self.model.__name__, **own}


def schema(model: type[BaseModel], mode: SchemaMode = "serialization") -> Any:
    """Return the schema of a model's output or, with mode `validation`, of its input."""
    return DeferredSchema(model, mode)


def any_of(models: Sequence[type[BaseModel]], mode: SchemaMode = "serialization") -> dict[str, Any]:
    """Return the schema of any of several models; a reader may try them in order."""
    return {"anyOf": [schema(model, mode) for model in models]}


def make_schemas(routes: Iterable[BaseRoute]) -> None:
    """Make the deferred schemas of routes, in their place."""

    def made(value: Any) -> Any:
        if isinstance(value, DeferredSchema):
            return value.made()
        if isinstance(value, list):
            return [made(item) for item in value]
        if isinstance(value, dict):
            return {key: made(inner) for key, inner in value.items()}
        return value

    for route in routes:
        if isinstance(route, APIRoute):
            route.responses, route.openapi_extra = made(route.responses), made(route.openapi_extra)


def grade_of(classes: tuple[str, ...], name: str = "Grade") -> Any:
    """Create the type of a grade, a component that has one name wherever it is used."""
    return TypeAliasType(name, Literal[classes])


def gather(document: dict[str, Any]) -> None:
    """Move every named schema into the components and put references in its place.

    Raises:
        ValueError: two different schemas have the same name.
    """
    parts = document.setdefault("components", {}).setdefault("schemas", {})

    def keep(name: str, content: dict[str, Any]) -> None:
        if parts.setdefault(name, content) != content:
            raise ValueError(f"two schemas are called {name}")

    def gathered(value: Any) -> Any:
        if isinstance(value, list):
            return [gathered(item) for item in value]
        if not isinstance(value, dict):
            return value
        name = value.get(NAME)
        if not isinstance(name, str):
            return {key: gathered(inner) for key, inner in value.items()}
        # Definitions already use references, so they are not searched: a feature may be named like
        # a marker.
        for key, inner in value.get(DEFINITIONS, {}).items():
            keep(key, inner)
        keep(name, {key: inner for key, inner in value.items() if key not in (NAME, DEFINITIONS)})
        return {"$ref": REFERENCE.format(model=name)}

    document["paths"] = gathered(document["paths"])
