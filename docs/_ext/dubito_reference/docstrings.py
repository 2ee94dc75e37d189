"""Docstrings on their way to reStructuredText, in which some of their signs mean something else."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CODE = re.compile(r"(`[^`]*`)")
VALUES = ("attribute", "data", "property")
BEFORE, AFTER = 400, 600
"""Priorities around Napoleon's 500."""

_kept: list[str] = []


def escape(
    _app: "Sphinx", _what: str, _name: str, _value: Any, _options: Any, lines: list[str]
) -> None:
    """Show bars as bars, |F(x) − G(x)|, where no code is."""
    text = CODE.split("\n".join(lines))
    text[::2] = [part.replace("|", r"\|") for part in text[::2]]
    _kept[:] = lines[:] = "".join(text).split("\n")


def restore(
    _app: "Sphinx", what: str, _name: str, _value: Any, _options: Any, lines: list[str]
) -> None:
    """Undo what Napoleon does to values: it takes words before a colon for the name of a type."""
    if what in VALUES and not any(line.endswith("Raises:") for line in _kept):
        lines[:] = _kept


def setup(app: "Sphinx") -> None:
    """Look at docstrings before Napoleon and after it."""
    app.connect("autodoc-process-docstring", escape, priority=BEFORE)
    app.connect("autodoc-process-docstring", restore, priority=AFTER)
