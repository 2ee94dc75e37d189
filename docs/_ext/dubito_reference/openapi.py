"""The HTTP interface, from the OpenAPI document of a service with the shipped bundle."""

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.main import create_app
from app.settings import Settings
from dubito_reference.markdown import code, escape, table

ROOT = Path(__file__).parents[3]
SCHEMA = "#/components/schemas/"
REQUEST_ID = "X-Request-ID"
"""A header of every operation, of which the page speaks once."""
TITLES = {
    "grading": "Grading",
    "records": "Records, reviews and alarms",
    "figures": "Figures",
    "information": "Information",
}
BOUNDS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
    "minLength": "length ≥",
    "maxLength": "length ≤",
    "minItems": "items ≥",
    "maxItems": "items ≤",
}

Json = Mapping[str, Any]


@cache
def document() -> Json:
    """Return the document that `GET /openapi.json` of a service with records answers."""

    async def ask() -> Json:
        with TemporaryDirectory() as state:
            app = create_app(Settings(models=ROOT / "models", state=Path(state)))
            async with app.router.lifespan_context(app):
                return app.openapi()

    logging.getLogger("alembic").setLevel(logging.WARNING)
    return asyncio.run(ask())


def render_operations() -> str:
    """Write a section for each tag, with its operations."""
    found: dict[str, list[str]] = {}
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            parts = _operation(f"{method.upper()} {path}", operation)
            found.setdefault(operation["tags"][0], []).extend(parts)
    order = [*TITLES, *(tag for tag in found if tag not in TITLES)]
    return "\n\n".join(
        part
        for tag in order
        if tag in found
        for part in (f"## {TITLES.get(tag, tag.capitalize())}", *found[tag])
    )


def render_schemas() -> str:
    """Write a section for each schema, with its members."""
    schemas = document()["components"]["schemas"]
    return "\n\n".join(part for name in sorted(schemas) for part in _schema(name, schemas[name]))


def _operation(title: str, operation: Json) -> Iterator[str]:
    yield f"### {code(title)}"
    summary = escape(operation.get("summary", "")).rstrip(".")
    yield f"{summary}. Operation {code(operation['operationId'])}."
    if text := operation.get("description"):
        yield from (escape(part) for part in text.split("\n\n"))
    if body := operation.get("requestBody"):
        yield "Body: " + " or ".join(_bodies(body)) + "."
    parameters = [one for one in operation.get("parameters", ()) if one["name"] != REQUEST_ID]
    if parameters:
        rows = (
            [
                code(one["name"]) + (", required" if one.get("required") else ""),
                one["in"],
                _kind(one.get("schema", {})),
                escape(one.get("description") or one.get("schema", {}).get("description", "")),
            ]
            for one in parameters
        )
        yield table(["parameter", "in", "type", "meaning"], rows)
    rows = (
        [status, " or ".join(_bodies(answer)) or "–", escape(answer["description"])]
        for status, answer in sorted(operation["responses"].items())
    )
    yield table(["status", "answer", "meaning"], rows)


def _bodies(holder: Json) -> Iterator[str]:
    for media_type, content in holder.get("content", {}).items():
        kind = _kind(content.get("schema", {}))
        shown = media_type.removeprefix("application/")
        yield kind if shown in ("json", "problem+json") else code(media_type)


def _schema(name: str, schema: Json) -> Iterator[str]:
    yield f"(schema-{name.lower()})=\n## {code(name)}"
    if text := schema.get("description"):
        yield from (escape(part) for part in text.split("\n\n"))
    if "properties" not in schema:
        yield f"{_kind(schema)}."
        return
    required = schema.get("required", ())
    rows = (
        [
            code(member) + ("" if member in required else ", optional"),
            _kind(part),
            escape(part.get("description", "")),
        ]
        for member, part in schema["properties"].items()
    )
    yield table(["member", "type", "meaning"], rows)


def _kind(schema: Json) -> str:
    """Say what a value may be, in words that link to other schemas."""
    if reference := schema.get("$ref"):
        name = reference.removeprefix(SCHEMA)
        return f"[`{name}`](schemas.md#schema-{name.lower()})"
    for way in ("anyOf", "oneOf", "allOf"):
        if way in schema:
            return " or ".join(dict.fromkeys(map(_kind, schema[way])))
    if "const" in schema:
        return code(json.dumps(schema["const"], ensure_ascii=False))
    if words := schema.get("enum") or schema.get("x-extensible-enum"):
        if len(words) > 12:
            return "one of the [codes](../problems.md)"
        return " or ".join(code(json.dumps(word, ensure_ascii=False)) for word in words)
    return _plain(schema)


def _plain(schema: Json) -> str:
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        kind = " or ".join(kind)
    if kind == "array":
        kind = f"list of {_kind(schema.get('items', {}))}"
    elif kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        kind = f"object of {_kind(schema['additionalProperties'])}"
    form = f" ({schema['format']})" if "format" in schema else ""
    bounds = [f"{sign} {schema[key]:,}" for key, sign in BOUNDS.items() if key in schema]
    return _with_bounds(f"{kind}{form}" + "".join(f", {bound}" for bound in bounds))


def _with_bounds(text: str) -> str:
    """Write a type's bounds, whose signs Markdown would take for tags."""
    return text.replace("<", "\\<")
