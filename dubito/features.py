"""Features of a bundle: the values that each kind takes, and the numbers that stand for them.

A row is `F` numbers. A number stands for itself, 0 and 1 for false and true. A category is its
place in the feature's list, from 0, and the place after the last is the slot of a text that is not
in the list, where the feature has one. NaN is a missing value. A tensor, such as a series or an
image, is the only feature of a bundle, and a row is its numbers in the order of C.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

INSTANCES = "instances"
"""Name of a request's list of rows, which is no name for a tensor."""

NumberKind = Literal["integer", "float"]
FeatureKind = Literal["integer", "float", "boolean", "category", "tensor"]

FeatureValue = float | bool | str | list[object] | None
"""A value as JSON has it: a tensor is nested lists, None is missing, and an empty text one that is
not in the list."""

UNKNOWN = ""
"""Text that stands for any that a feature's list does not have; no category is empty."""


@dataclass(frozen=True, slots=True)
class NumberRules:
    """Rules for all features of one kind of number."""

    json_type: Literal["integer", "number"]
    """Type in JSON schemas."""
    is_whole: bool
    """Whether values must be whole numbers."""
    least_margin: float
    """Least margin, in the feature's unit, by which a value may exceed the range of training."""
    quantile_method: Literal["inverted_cdf", "linear"]
    """NumPy's method for quantiles: values that occur, or interpolated ones."""


NUMBER_RULES: Mapping[NumberKind, NumberRules] = {
    "integer": NumberRules(
        json_type="integer", is_whole=True, least_margin=1.0, quantile_method="inverted_cdf"
    ),
    "float": NumberRules(
        json_type="number", is_whole=False, least_margin=0.0, quantile_method="linear"
    ),
}


@dataclass(frozen=True, slots=True)
class FeatureStats:
    """Statistics of a number in the training data, over the rows that have a value."""

    minimum: float
    maximum: float
    quantiles: dict[str, float]
    """Quantiles, from the level as text ("0.05") to the value."""
    histogram_edges: tuple[float, ...]
    histogram_counts: tuple[int, ...]
    missing: int
    """Number of rows without a value."""

    @property
    def rows(self) -> int:
        """Number of rows, those without a value included."""
        return sum(self.histogram_counts) + self.missing


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """Numbers of rows of the training data by value, for a feature with a list of values."""

    counts: tuple[int, ...]
    """`(K,)` rows of each value, in the order of the list."""
    unknown: int
    """Rows whose value is not in the list."""
    missing: int
    """Rows without a value."""

    @property
    def rows(self) -> int:
        """Number of rows, those without a value included."""
        return sum(self.counts) + self.unknown + self.missing


@dataclass(frozen=True, slots=True)
class Category:
    """A value of a category feature, with the texts that it is accepted under."""

    name: str
    aliases: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return self.name, *self.aliases


@dataclass(frozen=True)
class NumberFeature:
    """An input that is a number: its names, unit, kind and allowed range."""

    name: str
    title: str
    aliases: tuple[str, ...]
    kind: NumberKind
    unit: str
    nullable: bool
    imputed: float | None
    """Value that the network imputes for a missing one; None if the feature is not nullable."""
    minimum: float
    maximum: float
    seen: FeatureStats
    missing_refers: bool = True
    """Whether a missing value refers the row; no, where training saw plenty of rows without one."""

    @property
    def rules(self) -> NumberRules:
        """Rules of the feature's kind."""
        return NUMBER_RULES[self.kind]

    @property
    def is_whole(self) -> bool:
        """Whether the numbers of a row are whole."""
        return self.rules.is_whole

    @property
    def typical(self) -> FeatureValue:
        """The median of the training data, for examples; None if most rows lack a value."""
        if _is_mostly_missing(self):
            return None
        median = self.seen.quantiles["0.5"]
        return int(median) if self.is_whole else median

    def number_of(self, value: FeatureValue) -> float:
        """Return the number that stands for a value.

        Raises:
            ValueError: the feature does not take the value.
        """
        if value is None:
            return _missing(nullable=self.nullable)
        if isinstance(value, bool | str | list) or not self.minimum <= value <= self.maximum:
            raise ValueError
        if self.is_whole and not float(value).is_integer():
            raise ValueError
        return float(value)

    def value_of(self, number: float) -> FeatureValue:
        """Return the value that a number of a row stands for."""
        return None if math.isnan(number) else number


class ListedFeature:
    """Base of features with a list of `K` values, which stand as 0 to K − 1 in a row."""

    seen: ValueCounts
    nullable: bool
    minimum = 0.0
    is_whole = True

    @property
    def maximum(self) -> float:
        """The largest number that stands for a value."""
        return float(len(self.seen.counts) - 1)

    @property
    def most_common(self) -> int:
        """Place of the value that most rows of the training data have, the first of several."""
        counts = self.seen.counts
        return counts.index(max(counts))


@dataclass(frozen=True)
class BooleanFeature(ListedFeature):
    """An input that is true or false."""

    name: str
    title: str
    aliases: tuple[str, ...]
    kind: Literal["boolean"]
    nullable: bool
    imputed: float | None
    """Number that the network imputes for a missing value; None if the feature is not nullable."""
    seen: ValueCounts
    missing_refers: bool = True
    """Whether a missing value refers the row; no, where training saw plenty of rows without one."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the two values, as JSON writes them."""
        return "false", "true"

    @property
    def typical(self) -> FeatureValue:
        """The most common value of the training data, for examples, also if that is None."""
        return None if _is_mostly_missing(self) else bool(self.most_common)

    def number_of(self, value: FeatureValue) -> float:
        """Return the number that stands for a value.

        Raises:
            ValueError: the feature does not take the value.
        """
        if value is None:
            return _missing(nullable=self.nullable)
        if value is True or value is False:
            return float(value)
        raise ValueError

    def value_of(self, number: float) -> FeatureValue:
        """Return the value that a number of a row stands for."""
        return None if math.isnan(number) else bool(number)


@dataclass(frozen=True)
class CategoryFeature(ListedFeature):
    """An input that is one of a list of texts."""

    name: str
    title: str
    aliases: tuple[str, ...]
    kind: Literal["category"]
    categories: tuple[Category, ...]
    takes_unknown: bool
    """Whether a text that is no category gets a slot of its own, which the network knows as K, with
    a warning; otherwise it is refused."""
    nullable: bool
    imputed: float | None
    """Number that the network gets for a missing value: that of a category, of the slot of unknown
    ones, or the next one, a slot of its own; None if the feature is not nullable."""
    seen: ValueCounts
    missing_refers: bool = True
    """Whether a missing value refers the row; no, where training saw plenty of rows without one."""

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """`(K,)` names of the categories."""
        return tuple(category.name for category in self.categories)

    @property
    def maximum(self) -> float:
        """The largest number that stands for a text."""
        return float(len(self.categories) - (not self.takes_unknown))

    @property
    def typical(self) -> FeatureValue:
        """The most common category of the training data, for examples; None as for numbers."""
        return None if _is_mostly_missing(self) else self.labels[self.most_common]

    @cached_property
    def numbers(self) -> dict[str, float]:
        """The number of each text that names a category, in Unicode's form NFC."""
        return dict(self._numbers())

    def number_of(self, value: FeatureValue) -> float:
        """Return the number that stands for a value.

        Raises:
            ValueError: the feature does not take the value.
        """
        if value is None:
            return _missing(nullable=self.nullable)
        text = normalize("NFC", value) if isinstance(value, str) else None
        if text in self.numbers:
            return self.numbers[text]
        if text is None or not self.takes_unknown:
            raise ValueError
        return float(len(self.categories))

    def value_of(self, number: float) -> FeatureValue:
        """Return the value that a number of a row stands for; an unknown text is not kept."""
        if math.isnan(number):
            return None
        place = int(number)
        return self.labels[place] if place < len(self.labels) else UNKNOWN

    def _numbers(self) -> Iterator[tuple[str, float]]:
        for place, category in enumerate(self.categories):
            yield from ((normalize("NFC", name), float(place)) for name in category.names)


@dataclass(frozen=True)
class TensorFeature:
    """A series, an image or another array of fixed shape, the only input of a bundle."""

    name: str
    title: str
    aliases: tuple[str, ...]
    kind: Literal["tensor"]
    unit: str
    shape: tuple[int, ...]
    """Lengths of the axes, from the outermost list to the innermost."""
    minimum: float
    maximum: float
    """Bounds of each number."""
    seen: FeatureStats
    """Statistics of the tensors' norms, by which they are watched, see `norms`."""
    nullable = False
    imputed = None
    missing_refers = True
    is_whole = False

    @property
    def width(self) -> int:
        """Count of numbers."""
        return math.prod(self.shape)

    @property
    def typical(self) -> FeatureValue:
        """A tensor of equal numbers with the median norm of the training data, for examples."""
        even = float(f"{self.seen.quantiles['0.5'] / math.sqrt(self.width):.6g}")
        found: list[Any] = np.full(self.shape, min(max(even, self.minimum), self.maximum)).tolist()
        return found

    def number_of(self, value: FeatureValue) -> float:  # noqa: ARG002 - as of other features
        """Raise ValueError: no single number stands for a tensor."""
        raise ValueError

    def value_of(self, numbers: NDArray[np.float64]) -> list[Any]:
        """Return the nested lists that the numbers of a row stand for."""
        found: list[Any] = numbers.reshape(self.shape).tolist()
        return found


def norms(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the norm `(N,)` of tensors `(N, W)`: the root of the sum of squares."""
    found: NDArray[np.float64] = np.sqrt(np.square(rows).sum(axis=1))
    return found


ScalarFeature = NumberFeature | BooleanFeature | CategoryFeature
Feature = ScalarFeature | TensorFeature


def _is_mostly_missing(feature: ScalarFeature) -> bool:
    """Whether a feature may be missing, and is so in most rows of the training data."""
    return feature.nullable and 2 * feature.seen.missing > feature.seen.rows


def _missing(*, nullable: bool) -> float:
    if not nullable:
        raise ValueError
    return math.nan
