"""Kinds of features: which values they take, and the number that stands for each."""

import math
from dataclasses import replace
from typing import Literal
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubito.features import (
    UNKNOWN,
    BooleanFeature,
    Category,
    CategoryFeature,
    Feature,
    FeatureStats,
    FeatureValue,
    NumberFeature,
    NumberKind,
    ScalarFeature,
    ValueCounts,
)


def number(kind: NumberKind, *, nullable: bool = False) -> NumberFeature:
    seen = FeatureStats(0.0, 9.0, {"0.5": 4.0}, (0.0, 9.0), (9,), 1)
    imputed = 4.0 if nullable else None
    return NumberFeature("x", "X", (), kind, "", nullable, imputed, -10.0, 10.0, seen)


def truth(*, nullable: bool = False) -> BooleanFeature:
    imputed = 0.0 if nullable else None
    return BooleanFeature("x", "X", (), "boolean", nullable, imputed, ValueCounts((1, 2), 0, 0))


def category(*names: str, takes_unknown: bool = False, nullable: bool = False) -> CategoryFeature:
    listed = tuple(Category(name, (f"{name}!",)) for name in names)
    imputed = float(len(names) + takes_unknown) if nullable else None
    seen = ValueCounts((1,) * len(names), 0, 0)
    kind: Literal["category"] = "category"
    about = (listed, takes_unknown, nullable, imputed, seen)
    return CategoryFeature("x", "X", (), kind, *about)


HOME = category("own", "rent", takes_unknown=True)
NULLABLE: tuple[Feature, ...] = (
    number("float", nullable=True),
    number("integer", nullable=True),
    truth(nullable=True),
    category("own", "rent", nullable=True),
)


@pytest.mark.parametrize(
    ("feature", "value", "expected"),
    [
        (number("float"), 1.5, 1.5),
        (number("float"), 7, 7.0),
        (number("integer"), 7.0, 7.0),
        (truth(), False, 0.0),
        (truth(), True, 1.0),
        (HOME, "own", 0.0),
        (HOME, "rent!", 1.0),
        (HOME, "Rent", 2.0),
        (HOME, "", 2.0),
        (category(normalize("NFC", "한"), "b"), normalize("NFD", "한"), 0.0),
        (category(normalize("NFD", "é"), "b"), normalize("NFC", "é"), 0.0),
    ],
)
def test_a_number_stands_for_a_value(
    feature: Feature, value: FeatureValue, expected: float
) -> None:
    """Itself, 0 or 1, or a category's place; names are compared in one form of Unicode."""
    assert feature.number_of(value) == expected


@pytest.mark.parametrize(
    ("feature", "value"),
    [
        (number("float"), "1"),
        (number("float"), True),
        (number("float"), 10.5),
        (number("float"), None),
        (number("float"), math.nan),
        (number("integer"), 1.5),
        (truth(), 1),
        (truth(), "true"),
        (truth(), None),
        (category("own", "rent"), "Own"),
        (category("own", "rent"), ""),
        (HOME, 0),
        (HOME, True),
        (HOME, None),
    ],
)
def test_other_values_are_not_taken(feature: Feature, value: FeatureValue) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        feature.number_of(value)


@pytest.mark.parametrize("feature", NULLABLE, ids=lambda feature: feature.kind)
def test_a_gap_is_nan(feature: ScalarFeature) -> None:
    assert math.isnan(feature.number_of(None))
    assert feature.value_of(math.nan) is None


@given(
    names=st.lists(st.text(min_size=1, max_size=5).map(lambda text: normalize("NFC", text)))
    .map(lambda names: [*dict.fromkeys(name.strip() for name in names if name.strip())])
    .filter(lambda names: names and not {f"{name}!" for name in names} & set(names)),
    text=st.text(max_size=5),
)
def test_a_value_comes_back_from_its_number(names: list[str], text: str) -> None:
    """A category as its name; a text that is none as an empty one, which is none either."""
    feature = category(*names, takes_unknown=True)
    assert names == [feature.value_of(feature.number_of(name)) for name in names]
    if normalize("NFC", text) not in feature.numbers:
        place = feature.number_of(text)
        assert (place, feature.value_of(place)) == (len(names), UNKNOWN)
        assert feature.number_of(UNKNOWN) == place


@pytest.mark.parametrize(
    ("feature", "expected"), [(number("integer"), 4), (number("float"), 4.0), (truth(), True)]
)
def test_an_example_is_usual(feature: Feature, expected: FeatureValue) -> None:
    assert (feature.typical, type(feature.typical)) == (expected, type(expected))
    assert not math.isnan(feature.number_of(feature.typical))


@pytest.mark.parametrize("feature", NULLABLE, ids=lambda feature: feature.kind)
def test_an_example_lacks_what_most_rows_lack(feature: ScalarFeature) -> None:
    """As an applicant alone has no income of both; half of the rows are not most."""
    rows = feature.seen.rows - feature.seen.missing
    for missing, expected in ((rows, False), (rows + 1, True)):
        found = replace(feature, seen=replace(feature.seen, missing=missing))  # type: ignore[arg-type]
        assert (found.typical is None) == expected
    assert replace(found, nullable=False).typical is not None
