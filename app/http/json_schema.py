"""JSON schemas of OpenAPI: what routes say by hand, and the named parts it is gathered into.

A schema carries its model's name until the document is gathered: parts cannot be known before all
routes are, and two services in one process have different rows.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel
from typing_extensions import TypeAliasType

NAME = "x-component"
DEFINITIONS = "$defs"
REFERENCE = "#/components/schemas/{model}"
Mode = Literal["validation", "serialization"]


def schema(model: type[BaseModel], mode: Mode = "serialization") -> dict[str, Any]:
    """The schema of what a model answers, or with `validation` of what it takes."""
    own = model.model_json_schema(ref_template=REFERENCE, mode=mode)
    return {NAME: model.__name__, **own}


def any_of(models: Sequence[type[BaseModel]], mode: Mode = "serialization") -> dict[str, Any]:
    """The schema of one of some models; readers that try them in order find the first that fits."""
    return {"anyOf": [schema(model, mode) for model in models]}


def grade_of(classes: tuple[str, ...]) -> Any:
    """The type of a grade, which clients know by one name wherever it stands."""
    return TypeAliasType("Grade", Literal[classes])


def gather(document: dict[str, Any]) -> None:
    """Put every schema that has a name among the parts, and references in its place.

    Raises:
        ValueError: two that differ have one name.
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
        # What is inside refers already; features may be called like what is looked for here.
        for key, inner in value.get(DEFINITIONS, {}).items():
            keep(key, inner)
        keep(name, {key: inner for key, inner in value.items() if key not in (NAME, DEFINITIONS)})
        return {"$ref": REFERENCE.format(model=name)}

    document["paths"] = gathered(document["paths"])
