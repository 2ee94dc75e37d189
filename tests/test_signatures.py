"""Signatures: what is public, and what passes between use case and wire, has a type."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dubito
from tests.service import ROOT

UNTYPED = re.compile(r"\bAny\b")
WAY = (
    *("app/usecases", "app/serving", "app/processes"),
    *("app/record_events.py", "app/record_ports.py", "app/http/response.py"),
    *("dubito/answer.py", "dubito/prediction.py"),
)
"""Modules through which an answer goes from the use case to the response and the record."""

OF_THE_TERMINAL = {"dubito/answer.py: to_builtins"}
"""What `dubito predict --json` prints, whose texts are escaped first."""


def functions(name: str) -> Iterator[tuple[str, Any]]:
    """A public name if it can be called, or its public methods, those of our base classes too."""
    found = getattr(dubito, name)
    if inspect.isfunction(found):
        yield name, found
    own = [kind for kind in getattr(found, "__mro__", ()) if kind.__module__.startswith("dubito.")]
    members = {name: value for kind in reversed(own) for name, value in vars(kind).items()}
    for member, method in members.items():
        method = getattr(method, "__func__", getattr(method, "fget", method))
        if inspect.isfunction(method) and (member == "__init__" or not member.startswith("_")):
            yield f"{name}.{member}", method


@pytest.mark.parametrize("name", sorted(dubito.__all__))
def test_nothing_public_is_any(name: str) -> None:
    """No parameter and no result of a public function or method."""
    for label, function in functions(name):
        for part, annotation in inspect.get_annotations(function).items():
            # The shape of every array is typed so by NumPy.
            told = str(annotation).replace("tuple[typing.Any, ...]", "")
            assert not UNTYPED.search(told), (label, part)


def dictionaries(file: Path) -> Iterator[str]:
    """Functions of a module that take or return a dictionary with string keys and any values."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            annotations = [one.annotation for one in every] + [node.returns]
            if any("[str, Any]" in ast.unparse(one) for one in annotations if one is not None):
                yield f"{file.relative_to(ROOT)}: {node.name}"


def test_no_dictionary_goes_from_use_case_to_wire() -> None:
    """Answers are types on their whole way; the check finds the signature of one that is not."""
    files = [file for place in WAY for file in _modules(ROOT / place)]
    assert len(files) > 30
    assert OF_THE_TERMINAL == {found for file in files for found in dictionaries(file)}
    assert list(dictionaries(ROOT / "app" / "http" / "information.py"))


def _modules(place: Path) -> list[Path]:
    return [place] if place.suffix == ".py" else sorted(place.glob("*.py"))
