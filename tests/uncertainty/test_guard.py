"""The guard: what is said about rows that are not like what training saw."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.uncertainty.guard import notices
from app.values import Feature, Notice, Seen, Signature


def feature(name: str, minimum: float, maximum: float) -> Feature:
    seen = Seen(minimum, maximum, {}, (), (), 0)
    return Feature(
        name,
        name,
        (),
        "float",
        "",
        nullable=True,
        imputed=0.0,
        minimum=-1e9,
        maximum=1e9,
        seen=seen,
    )


SIGNATURE = Signature((feature("age", 18, 99), feature("debt", -5, 5)), ("A", "B"))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([50, 0], []),
        ([18, 5], []),
        ([99, -5], []),
        ([np.nextafter(18, 0), 0], [Notice("out_of_range", "age", np.nextafter(18, 0), 18, 99)]),
        (
            [np.nextafter(99, 100), 0],
            [Notice("out_of_range", "age", np.nextafter(99, 100), 18, 99)],
        ),
        ([50, np.nan], [Notice("missing", "debt", None, -5, 5)]),
        (
            [100, -6],
            [
                Notice("out_of_range", "age", 100, 18, 99),
                Notice("out_of_range", "debt", -6, -5, 5),
            ],
        ),
        (
            [np.nan, 6],
            [Notice("missing", "age", None, 18, 99), Notice("out_of_range", "debt", 6, -5, 5)],
        ),
    ],
)
def test_a_row_is_told_what_is_odd_about_it(row: list[float], expected: list[Notice]) -> None:
    """Values beyond what was seen and missing values, in the order of the features."""
    assert notices(np.array([row]), SIGNATURE) == [expected]


def test_each_row_has_its_own_notices() -> None:
    """Rows are told apart, and a good row has none."""
    found = notices(np.array([[1, 0], [50, 0], [50, 9.0]]), SIGNATURE)
    assert [[notice.feature for notice in row] for row in found] == [["age"], [], ["debt"]]


def test_values_are_plain_numbers() -> None:
    """What is said can be written as JSON: no NumPy numbers."""
    ((notice,),) = notices(np.array([[1, 0.0]]), SIGNATURE)
    assert type(notice.value) is float


@given(st.lists(st.tuples(st.floats(-200, 200), st.floats(-9, 9)), max_size=6))
def test_nothing_is_said_of_what_is_within_range(rows: list[tuple[float, float]]) -> None:
    """A notice exists exactly for each value outside of its range."""
    found = notices(np.array(rows).reshape(-1, 2), SIGNATURE)
    expected = [
        [name for name, odd in (("age", not 18 <= age <= 99), ("debt", not -5 <= debt <= 5)) if odd]
        for age, debt in rows
    ]
    assert [[notice.feature for notice in row] for row in found] == expected
