"""No import goes in a circle: not between modules, nor between the packages beside each other.

The direction of imports is in `pyproject.toml`, and `make check` holds it.
"""

from collections.abc import Mapping
from graphlib import TopologicalSorter

import grimp
import pytest

PACKAGES = ("app", "dubito")
Imports = Mapping[str, set[str]]
"""Name to what it imports."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES)


@pytest.fixture(scope="module")
def imports(graph: grimp.ImportGraph) -> Imports:
    """All modules."""
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def between(children: set[str], imports: Imports) -> Imports:
    """What each of the packages and modules beside each other imports of the others."""
    owner = {
        module: child
        for module in imports
        for child in children
        if f"{module}.".startswith(f"{child}.")
    }
    found: dict[str, set[str]] = {child: set() for child in children}
    for module, child in owner.items():
        found[child] |= {owner[imported] for imported in imports[module] & owner.keys()} - {child}
    return found


def check(imports: Imports) -> None:
    """Fail with the circle, if there is one."""
    TopologicalSorter(imports).prepare()


def test_modules_do_not_import_in_a_circle(imports: Imports) -> None:
    """Imports inside functions and for types count."""
    check(imports)


def test_packages_do_not_import_in_a_circle(graph: grimp.ImportGraph, imports: Imports) -> None:
    """At every level, what lies beside each other."""
    for package in graph.modules:
        check(between(graph.find_children(package), imports))
