"""Decisions: when a grade may be used without a person, and the reasons when not."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubito.types import Calibration, Decision, Floats, Notice, Policy, Promise, Summary
from dubito.uncertainty.conformal import prediction_sets
from dubito.uncertainty.decision import decide, fixed_reasons, promise_of, runner_up
from dubito.uncertainty.scores import label_scores

POLICY = Policy(
    confidence=0.95,
    target=0.03,
    epistemic=0.2,
    promises=(
        Promise(0.005, None, 0.0, 0.0),
        Promise(0.03, 0.125, 0.8, 0.01),
        Promise(0.1, 0.4, 1.0, 0.05),
    ),
)
ODD = Notice("out_of_range", "age", 900.0, 18.0, 99.0, refers=True)
ABSENT = Notice("missing", "debt", None, 0.0, 5.0, refers=True)
SURE = [0.9, 0.08, 0.02]


def summary(mean: Floats, mutual_information: Floats) -> Summary:
    """Statistics of which only these two matter here."""
    other = np.zeros(len(mean))
    return Summary(mean, np.zeros_like(mean), other, other, mutual_information, other)


def decided(
    row: list[float],
    doubt: float = 0.0,
    target: float = 0.03,
    passes: int = 50,
    notices: tuple[Notice, ...] = (),
    rules: tuple[str, ...] = (),
) -> Decision:
    """The decision about one row, calibrated with 50 passes."""
    found = summary(np.array([row]), np.array([doubt]))
    return decide(POLICY, 50, target, found, passes, [notices], [rules])[0]


def test_an_unlikely_grade_is_referred_where_the_policy_says_so() -> None:
    """Three grades may all be below a threshold for the second; the floor is for the first."""
    strict = dataclasses.replace(POLICY, case_limit=0.1, likelihood=0.5)
    for row, expected in (([0.4, 0.35, 0.25], ("unlikely",)), ([0.5, 0.3, 0.2], ())):
        found = summary(np.array([row]), np.zeros(1))
        assert expected == decide(strict, 50, 0.1, found, 50, [()], [()])[0].reasons
        assert () == decide(POLICY, 50, 0.1, found, 50, [()], [()])[0].reasons


@pytest.mark.parametrize(
    ("row", "doubt", "expected"),
    [
        (SURE, 0.0, ()),
        (SURE, 0.2, ()),
        (SURE, 0.201, ("epistemic",)),
        ([0.875, 0.125, 0.0], 0.0, ()),
        ([0.874, 0.126, 0.0], 0.0, ("ambiguous",)),
        ([0.126, 0.0, 0.874], 0.0, ("ambiguous",)),
        ([0.5, 0.5, 0.0], 0.3, ("epistemic", "ambiguous")),
        ([float("nan")] * 3, float("nan"), ("epistemic", "ambiguous")),
    ],
)
def test_doubt_refers(row: list[float], doubt: float, expected: tuple[str, ...]) -> None:
    """At the thresholds a row is automated, beyond them not; what is no number is doubt."""
    found = decided(row, doubt)
    assert found == Decision("refer" if expected else "automate", expected, guaranteed=True)


@pytest.mark.parametrize(
    ("notices", "rules", "expected"),
    [
        ((ODD,), (), ("out_of_range",)),
        ((ABSENT,), (), ("missing",)),
        ((ABSENT, ODD, ODD), (), ("out_of_range", "missing")),
        ((), ("no_evidence",), ("no_evidence",)),
        ((ABSENT,), ("no_evidence", "late", "late"), ("missing", "no_evidence", "late")),
    ],
)
def test_fixed_rules_refer_however_sure_the_network_is(
    notices: tuple[Notice, ...], rules: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """Notices and the bundle's rules refer, each reason named once."""
    found = decided(SURE, notices=notices, rules=rules)
    assert found == Decision("refer", expected, guaranteed=True)
    assert fixed_reasons([notices], [rules]) == [expected]


def test_a_promise_that_cannot_be_kept_refers_everything() -> None:
    """Without a threshold no row is certain enough."""
    assert decided([1.0, 0.0, 0.0], target=0.005).reasons == ("ambiguous",)


def test_a_laxer_promise_automates_more() -> None:
    """The target decides which threshold holds."""
    assert decided([0.7, 0.3, 0.0], target=0.03).action == "refer"
    assert decided([0.7, 0.3, 0.0], target=0.1).action == "automate"


@pytest.mark.parametrize(("passes", "enough"), [(1, False), (49, False), (50, True), (500, True)])
def test_fewer_passes_than_calibrated_promise_nothing(passes: int, enough: bool) -> None:
    """With too few passes every row is referred and nothing is guaranteed."""
    found = decided(SURE, passes=passes)
    assert found.reasons == (() if enough else ("few_passes",))
    assert found.action == ("automate" if enough else "refer")
    assert found.guaranteed == enough


def test_an_unknown_target_is_an_error() -> None:
    """What was not tested is not promised."""
    with pytest.raises(KeyError):
        decided(SURE, target=0.04)
    assert promise_of(POLICY, 0.1) == POLICY.promises[2]


@given(
    rows=st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 0.4), st.booleans(), st.booleans()), max_size=8
    ),
    target=st.sampled_from([0.005, 0.03, 0.1]),
    passes=st.sampled_from([49, 50]),
)
def test_a_row_is_automated_iff_nothing_speaks_against_it(
    rows: list[tuple[float, float, bool, bool]], target: float, passes: int
) -> None:
    """Rows are decided one by one, each by all conditions together."""
    top = np.array([row[0] for row in rows])
    mean = np.stack([top, 1 - top], axis=1)
    found = decide(
        POLICY,
        50,
        target,
        summary(mean, np.array([row[1] for row in rows])),
        passes,
        [[ODD] if row[2] else [] for row in rows],
        [["no_evidence"] if row[3] else [] for row in rows],
    )
    limit = promise_of(POLICY, target).threshold
    for (share, doubt, odd, ruled), decision in zip(rows, found, strict=True):
        clear = limit is not None and min(share, 1 - share) <= limit
        automated = clear and doubt <= 0.2 and not odd and not ruled and passes >= 50
        assert decision.action == ("automate" if automated else "refer")
        assert automated == (not decision.reasons)
        assert decision.guaranteed == (passes >= 50)


def test_the_runner_up_is_the_second_largest() -> None:
    """Wherever the two largest stand, and also if they are equal."""
    rows = np.random.default_rng(0).dirichlet(np.full(7, 0.5), 100)
    rows[0] = [0.4, 0.1, 0.4, 0.1, 0, 0, 0]
    assert runner_up(rows).tolist() == np.sort(rows, axis=1)[:, -2].tolist()


@pytest.mark.claim("another coverage changes no decision", test=50, proof=500)
def test_another_coverage_changes_no_decision(count: int) -> None:
    """Whatever coverage and method a set is asked for, before or as default: decisions stay."""
    random = np.random.default_rng(1)
    mean = random.dirichlet(np.full(3, 0.3), 300)
    labels = random.integers(0, 3, 300)
    scores = {
        method: tuple(label_scores(method, mean, labels, 0.0, 0).tolist())
        for method in ("lac", "aps", "raps", "adjacent")
    }
    calibration = Calibration(50, 0.9, tuple(labels.tolist()), scores, 0.0, 0, 0.5, POLICY)
    found = summary(mean, random.random(300) * 0.4)
    none: list[tuple[()]] = [()] * 300
    expected = decide(calibration.policy, 50, 0.03, found, 50, none, none)
    sizes = set()
    for coverage, method in zip(random.uniform(0.5, 0.999, count), [*scores] * count, strict=False):
        other = dataclasses.replace(calibration, coverage=float(coverage))
        sizes.add(
            int(prediction_sets(other, mean, method, coverage, class_conditional=False).sets.sum())
        )
        assert decide(other.policy, other.passes, 0.03, found, 50, none, none) == expected
    assert len(sizes) > 1
