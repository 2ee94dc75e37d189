"""A section of the page: how to read a picture, the picture, and its figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from dubito.training.report.plot import Picture


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one heading."""

    title: str
    text: str
    picture: Picture | None = None
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    """Cells; the first of each row names it."""
