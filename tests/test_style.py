"""Names and sentences: a public name means one thing, and what documents it is a whole phrase."""

import ast
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.networks import ROOT

PACKAGES = ("app", "dubito")
SCHEMAS = re.compile(r"app\.http\.(answers|information|\w+_models)")
"""Modules of OpenAPI schemas: each is named as the type that it describes, and clients know it."""
TWO_RIGHT = {
    "main": "what Python starts: a command line, and each child process",
    "add_arguments": "every command has it, see `dubito.cli.main.Command`",
    "run": "every command has it, see `dubito.cli.main.Command`",
}
"""Names that several modules give on purpose, and why."""
SMALL = {
    "app.http.exposition": "a router, of which every other group of paths has a module too",
    "dubito.training.curves": "a benchmark's trainings are logged by it as well",
}
"""Modules of few lines that one other imports, or none, and why they stand alone."""
LEAST_LINES = 40
LEAST_DOCS = 500
"""Fewer attribute docs than this would mean that they are not found."""
FRAGMENT = re.compile(
    r"(Of|For|In|By|That|After|Before|With|Without|From|To|As|And|Or|Which|What|Who|Whose|How|Where|"
    r"When|Whatever|Likewise|Its|Their|It|They|On|At|Not|Also|Is|Are|Was|Were|Has|Have)\b"
)
"""How a text begins that is a part of somebody else's sentence."""


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of both packages by name."""
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {_name(path): ast.parse(path.read_text()) for path in sorted(paths)}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imports() -> Iterator[tuple[str, str, str]]:
    """Importing module, imported module, and the name that it imports of it."""
    known = modules()
    for module, tree in known.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    yield module, inner if inner in known else node.module, alias.name


def public_names() -> Iterator[tuple[str, str]]:
    """Module and name of each public class and function, and of constants that others import."""
    shared = {(module, name) for _, module, name in imports()}
    for module, tree in modules().items():
        if ".migrations." in module or SCHEMAS.fullmatch(module):
            continue
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield module, node.name
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [target.id for target in targets if isinstance(target, ast.Name)]
                yield from ((module, name) for name in names if (module, name) in shared)


def attribute_docs() -> Iterator[tuple[str, int, str]]:
    """Module, line and text of each string that follows an assignment."""
    for module, tree in modules().items():
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            statements = body if isinstance(body, list) else []
            for before, after in itertools.pairwise(statements):
                if isinstance(before, ast.Assign | ast.AnnAssign) and _is_text(after):
                    yield module, after.lineno, after.value.value


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def test_a_public_name_means_one_thing() -> None:
    """Classes, functions and shared constants; private names are their module's own."""
    found = defaultdict(set)
    for module, name in public_names():
        if not name.startswith("_"):
            found[name].add(module)
    doubled = {name: places for name, places in found.items() if len(places) > 1}
    assert {} == {name: places for name, places in doubled.items() if name not in TWO_RIGHT}
    assert TWO_RIGHT.keys() <= doubled.keys()


def test_attribute_docs_are_whole_phrases() -> None:
    """They can be read by whoever sees nothing but the name."""
    found = list(attribute_docs())
    assert len(found) > LEAST_DOCS
    fragments = [
        (module, line, text)
        for module, line, text in found
        if FRAGMENT.match(text) or len(text.split()) < 2 or not text.rstrip().endswith((".", "`"))
    ]
    assert [] == fragments


def test_a_module_of_a_few_lines_has_several_importers() -> None:
    """Otherwise it could join the one that imports it."""
    importers = defaultdict(set)
    for importer, module, _ in imports():
        importers[module].add(importer)
    small = {
        module
        for module in modules()
        if not _is_exempt(module) and _lines(module) < LEAST_LINES and len(importers[module]) < 2
    }
    assert SMALL.keys() == small


def _lines(module: str) -> int:
    path = ROOT.joinpath(*module.split("."))
    return len(path.with_suffix(".py").read_text().splitlines())


def _is_exempt(module: str) -> bool:
    is_package = ROOT.joinpath(*module.split(".")).is_dir()
    return is_package or re.search(r"\.migrations\.|\.commands\.|\.cli\.", module) is not None
