"""The pages of the reference that are made of the code: nothing is left out."""

import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import dubito
from app.settings import Settings
from dubito.cli.main import command_modules, parsers
from tests.pages import DOCS


@pytest.fixture(scope="module")
def reference() -> Iterator[Any]:
    """The extension of the site, which needs no Sphinx until it is set up."""
    sys.path.insert(0, str(DOCS / "_ext"))
    try:
        import dubito_reference  # type: ignore[import-not-found] # beside the pages

        yield dubito_reference
    finally:
        sys.path.remove(str(DOCS / "_ext"))


def test_settings(reference: Any) -> None:
    """Every setting stands in the table, with its default and its meaning."""
    lines = reference.settings.render().splitlines()
    assert {"host", "port", "state", "records", "max_passes"} <= set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        (line,) = [line for line in lines if f"`DUBITO_{name.upper()}`" in line]
        assert str(field.description) in line
        shown = line.split("|")[2].strip().strip("`")
        default = "–" if field.default is None else str(field.default).lower()
        assert default.replace(",", "") in (shown.replace(",", ""), f"{shown.replace(',', '')}.0")


def test_commands(reference: Any) -> None:
    """Every command and every flag has a line."""
    text = reference.commands.render()
    _, found, _ = parsers(command_modules())
    assert {"serve", "replay", "records", "predict", "convert"} <= set(found)
    for name, parser in found.items():
        section = text.partition(f"## `dubito {name}`\n")[2].partition("\n## ")[0]
        assert section, name
        for flag in set(re.findall(r"--[a-z-]+", parser.format_help())) - {"--help"}:
            assert flag in section, (name, flag)


def test_http(reference: Any) -> None:
    """Every operation has a section, and every schema that one links to is there."""
    document = reference.openapi.document()
    operations, schemas = reference.openapi.render_operations(), reference.openapi.render_schemas()
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"### `{method.upper()} {path}`" in operations
    linked = set(re.findall(r"schemas\.md#(schema-\w+)", operations + schemas))
    assert linked <= set(re.findall(r"^\((schema-\w+)\)=$", schemas, re.MULTILINE))
    assert len(document["components"]["schemas"]) == schemas.count("\n## ")


def test_public_names(reference: Any) -> None:
    """Each name of `dubito.__all__` is on the page of the public API."""
    shown = reference.library.render_public() + reference.library.render_layers()
    for name in dubito.__all__:
        directive = rf":: dubito\.(layers\.)?{name}$"
        assert name == "__version__" or re.search(directive, shown, re.MULTILINE), name


def test_marks(reference: Any) -> None:
    """Every part that can be made stands on a page, and every mark of a page is one of them."""
    marks = [
        mark
        for file in DOCS.rglob("*.md")
        for mark in reference.MARK.findall(file.read_text(encoding="utf-8"))
    ]
    assert sorted(marks) == sorted(reference.PARTS)
