"""Section of the report's page: heading, explanation, plot and table."""

from collections.abc import Sequence
from dataclasses import dataclass

from dubito.training.report.plot import Picture


@dataclass(frozen=True, slots=True)
class Section:
    """Content under one heading of the page."""

    title: str
    text: str
    picture: Picture | None = None
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    """Rows of the table, as cells; the first cell names the row."""
