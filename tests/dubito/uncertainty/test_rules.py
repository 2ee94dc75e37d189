"""A bundle's rules: which reasons hold for which rows."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubito.features import FeatureStats, NumberFeature
from dubito.targets import ClassTarget
from dubito.types import DomainRule, Signature
from dubito.uncertainty.rules import rule_reasons


def feature(name: str) -> NumberFeature:
    seen = FeatureStats(0, 1, {}, (), (), 0)
    return NumberFeature(
        name, name, (), "float", "", nullable=True, imputed=0.0, minimum=0, maximum=9, seen=seen
    )


SIGNATURE = Signature((feature("paid"), feature("owed"), feature("late")), ClassTarget(("A", "B")))
NOTHING = DomainRule("nothing", {"paid": 0.0, "owed": 0.0})
LATE = DomainRule("late", {"late": 3.0})


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([0, 0, 0], ["nothing"]),
        ([0, 1, 0], []),
        ([1, 0, 3], ["late"]),
        ([0, 0, 3], ["nothing", "late"]),
        ([-0.0, 0, 0], ["nothing"]),
        ([np.nan, 0, 3], ["late"]),
        ([1e-300, 0, np.nextafter(3, 4)], []),
    ],
)
def test_a_reason_holds_where_every_value_is_met(row: list[float], expected: list[str]) -> None:
    """Each named feature has exactly the rule's value; a missing one has none."""
    assert rule_reasons(np.array([row]), SIGNATURE, [NOTHING, LATE]) == [expected]


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=8))
def test_rows_are_judged_one_by_one(rows: list[tuple[int, int, int]]) -> None:
    """Many rows get what each would get alone."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    found = rule_reasons(table, SIGNATURE, [NOTHING, LATE])
    alone = [
        rule_reasons(table[a:b], SIGNATURE, [NOTHING, LATE])[0]
        for a, b in pairwise(range(len(rows) + 1))
    ]
    assert found == alone


def test_no_rules_no_reasons() -> None:
    """A bundle without rules refers nothing by them; a rule without conditions everything."""
    rows = np.zeros((2, 3))
    assert rule_reasons(rows, SIGNATURE, []) == [[], []]
    assert rule_reasons(rows, SIGNATURE, [DomainRule("always", {})]) == [["always"], ["always"]]


def test_a_rule_about_an_unknown_feature_is_an_error() -> None:
    """Nothing is judged by a name that no feature has."""
    with pytest.raises(ValueError, match="not in tuple"):
        rule_reasons(np.zeros((1, 3)), SIGNATURE, [DomainRule("odd", {"age": 1.0})])
