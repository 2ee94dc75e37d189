"""What answers and outcomes add to the figures, beside a slow count of the same."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from app.count_keys import summed
from app.monitoring.answer_counter import MILLION
from app.monitoring.class_counter import CONFIDENCE_BINS, ClassCounter
from app.monitoring.log_bins import place
from dubito.answer import Answer, DecisionAnswer, MonteCarloAnswer, PlainResult
from dubito.types import Calibration, Floats, Identity
from dubito.uncertainty.bins import MUTUAL_INFORMATION
from dubito.uncertainty.calibration import expected_calibration_error
from dubito.uncertainty.conformal import raw_sets, score_threshold
from tests.app.monitoring.toy import (
    BOUND,
    CASE_LIMIT,
    CLASSES,
    DIGEST,
    PASSES,
    TARGET,
    WATCHED,
    answers,
    by_name,
    changed,
    columns,
    joined,
    plain_tally_of,
    recorded,
    recorded_plain,
    tally_of,
)

Answers = list[MonteCarloAnswer]
STREAMS = list(WATCHED.streams)


@pytest.fixture(scope="module")
def counter() -> ClassCounter:
    return ClassCounter(WATCHED)


@pytest.fixture(scope="module")
def rows() -> Floats:
    return columns(np.random.default_rng(3), 400, 3.0)


@pytest.fixture(scope="module")
def answered(rows: Floats) -> Answers:
    return answers(np.random.default_rng(4), rows)


def named(counts: Mapping[str, int], start: str) -> dict[str, int]:
    """Counts of one kind that are not 0."""
    found = {name: count for name, count in counts.items() if name.startswith(start) and count}
    return {name.removeprefix(start): count for name, count in found.items()}


def decisions_of(answered: Answers) -> list[DecisionAnswer]:
    """Their decisions, which all of them have."""
    found = [one.result.decision for one in answered]
    return [one for one in found if one is not None]


def test_counts_are_those_of_a_slow_count(
    counter: ClassCounter, rows: Floats, answered: Answers
) -> None:
    """Grades, decisions, reasons, sets, warnings, passes, entropies and every feature's bin."""
    tally = tally_of(counter, answered, rows, is_drawn=False)
    counts, results = by_name(tally.counts), [one.result for one in answered]
    assert DIGEST == tally.digest
    assert 400 == counts["rows"] == counts["expected.rows"]
    assert sum(one.passes for one in results) == counts["passes"]
    assert Counter(one.predicted for one in results) == named(counts, "grade.")
    decisions = decisions_of(answered)
    assert Counter(one.action for one in decisions) == named(counts, "action.")
    reasons = Counter(reason for one in decisions for reason in one.reasons)
    assert reasons == named(counts, "reason.")
    warned = sum(len(one.warnings) for one in answered)
    assert {"missing": warned} == named(counts, "warning.")
    sets = [one.prediction_set for one in results if one.prediction_set is not None]
    assert Counter(str(len(one.classes)) for one in sets) == named(counts, "set.")
    assert 400 == len(sets) == len(decisions)
    for name, kind in (("predictive_entropy", "entropy."), (MUTUAL_INFORMATION, "information.")):
        bins = Counter(str(place(getattr(one.uncertainty, name))) for one in results)
        assert bins == named(counts, kind)
    for at, name in enumerate(WATCHED.signature.names):
        of = WATCHED.streams[name].indices(rows[:, at]).tolist()
        assert Counter(map(str, of)) == named(counts, f"stream.{at}.")


def test_a_value_on_an_edge_is_in_the_bin_that_begins_there(counter: ClassCounter) -> None:
    """As the bins say, of every edge of every feature, just below it, and of what is missing."""
    names = WATCHED.signature.names
    for at, name in enumerate(names):
        bins = WATCHED.streams[name]
        edges = np.array(bins.edges)
        values = [*edges, *np.nextafter(edges, -np.inf), np.nan, np.inf, -np.inf]
        given = np.ones((len(values), len(names)))
        given[:, at] = values
        plain = Answer("row-0", PlainResult("large", {"large": 1.0}), (), WATCHED.identity)
        counts = by_name(plain_tally_of(counter, [plain] * len(values), given).counts)
        expected = Counter(str(bins.index(value)) for value in values)
        assert expected == named(counts, f"stream.{at}.")


def test_what_probabilities_expect(counter: ClassCounter, rows: Floats, answered: Answers) -> None:
    """The sum of top probabilities, and of what is missing to 1 among the automated."""
    counts = by_name(tally_of(counter, answered, rows, is_drawn=False).counts)
    top = np.array([one.result.mean[one.result.predicted] for one in answered])
    automated = np.array([one.action == "automate" for one in decisions_of(answered)])
    assert counts["expected.right"] / MILLION == pytest.approx(top.sum(), abs=400e-6)
    wrong = (1 - top)[automated].sum()
    assert counts["expected.automated_wrong"] / MILLION == pytest.approx(wrong, abs=400e-6)


@pytest.mark.parametrize("cut", [1, 16, 399])
def test_parts_add_up_to_the_whole(
    counter: ClassCounter, rows: Floats, answered: Answers, cut: int
) -> None:
    """Whoever answers which rows: the counts are whole numbers, and their sum is the same."""
    whole = tally_of(counter, answered, rows, is_drawn=True)
    parts = [
        tally_of(counter, answered[:cut], rows[:cut], is_drawn=True),
        tally_of(counter, answered[cut:], rows[cut:], is_drawn=False),
    ]
    assert whole == joined(parts) == joined(parts[::-1])
    assert {int} == set(map(type, whole.counts.values()))


def information(counts: Mapping[str, int]) -> dict[str, int]:
    return named(counts, f"stream.{STREAMS.index(MUTUAL_INFORMATION)}.")


def test_mutual_information_is_watched_only_as_it_was_calibrated(
    counter: ClassCounter, rows: Floats, answered: Answers
) -> None:
    """Of the first row of a request, of a drawn seed, with as many passes as calibrated."""
    for first in answered[:60]:
        later = [changed(one, passes=PASSES) for one in answered[1:4]]
        several = [first, *later]
        found = by_name(tally_of(counter, several, rows[:4], is_drawn=True).counts)
        doubt = first.result.uncertainty.mutual_information
        only = {str(WATCHED.streams[MUTUAL_INFORMATION].index(doubt)): 1}
        assert (only if first.result.passes == PASSES else {}) == information(found)
        chosen = by_name(tally_of(counter, several, rows[:4], is_drawn=False).counts)
        assert {} == information(chosen)


def test_a_deterministic_answer_has_no_doubt(counter: ClassCounter) -> None:
    """It counts as a row of its grade, and its features are looked at for drift."""
    plain = Answer("row-0", PlainResult("large", {"large": 1.0}), (), WATCHED.identity)
    counts = plain_tally_of(counter, [plain], np.array([[10.0, np.nan]])).counts
    missing = WATCHED.streams["length"].missing
    weight = WATCHED.streams["weight"].index(10.0)
    features = {f"stream.0.{weight}": 1, f"stream.1.{missing}": 1}
    assert {"rows": 1, "grade.large": 1, **features} == counts
    known = counter.came_out(recorded_plain(plain), "large").counts
    assert {"known.rows": 1, "known.right": 1} == known


def test_an_uncalibrated_bundle_has_no_decisions(rows: Floats, answered: Answers) -> None:
    """Its entropies are counted, its outcomes too; nothing was promised."""
    counter = ClassCounter(replace(WATCHED, calibration=None))
    several = [changed(one, decision=None, prediction_set=None) for one in answered]
    counts = by_name(tally_of(counter, several, rows, is_drawn=True).counts)
    assert 400 == sum(named(counts, "entropy.").values()) == counts["expected.rows"]
    assert {} == named(counts, "action.") == named(counts, "set.") == information(counts)
    came = by_name(summed(counter.came_out(recorded(one), "large").counts for one in several))
    assert 400 == came["known.rows"] == sum(named(came, "risk.").values()) - came_wrong(came)
    assert {} == named(came, "raw.") == named(came, "automated.")


def came_wrong(counts: Mapping[str, int]) -> int:
    return sum(count for name, count in counts.items() if name.endswith(".wrong"))


def truths(answered: Answers) -> list[str]:
    random = np.random.default_rng(5)
    return [str(random.choice(CLASSES, p=list(one.result.mean.values()))) for one in answered]


def test_outcomes_are_those_of_a_slow_count(counter: ClassCounter, answered: Answers) -> None:
    """Right grades, missed raw sets, wrong automated grades by target; only where promised."""
    grades = truths(answered)
    counts = by_name(
        summed(
            counter.came_out(recorded(one), grade).counts
            for one, grade in zip(answered, grades, strict=True)
        )
    )
    right = np.array(
        [one.result.predicted == is_so for one, is_so in zip(answered, grades, strict=True)]
    )
    assert (400, right.sum()) == (counts["known.rows"], counts["known.right"])

    decisions = decisions_of(answered)
    promised = np.array([one.guaranteed for one in decisions])
    automated = np.array([one.action == "automate" for one in decisions])
    for target in (0.01, TARGET):
        of = np.array([one.target == target for one in decisions])
        chosen = promised & automated & of
        assert chosen.sum() == counts[f"automated.{target}.rows"]
        assert (chosen & ~right).sum() == counts[f"automated.{target}.wrong"]

    second = np.array([sorted(one.result.mean.values())[-2] for one in answered])
    band = promised & automated & (second >= BOUND)
    assert 0 < band.sum() == counts[f"band.{CASE_LIMIT}.rows"]
    assert 0 < (band & ~right).sum() == counts[f"band.{CASE_LIMIT}.wrong"]

    calibration = WATCHED.calibration
    assert isinstance(calibration, Calibration)
    mean = np.array([list(one.result.mean.values()) for one in answered])
    most = score_threshold(np.array(calibration.scores["lac"]), 0.99)
    inside = raw_sets("lac", mean, most, calibration.penalty, calibration.free)
    missed = ~inside[np.arange(400), [CLASSES.index(grade) for grade in grades]]
    assert promised.sum() == counts["raw.rows"]
    assert (missed & promised).sum() == counts["raw.missed"]
    assert 0 < counts["raw.missed"]


def test_an_outcome_of_another_bundle_is_counted_as_its_own(
    counter: ClassCounter, answered: Answers
) -> None:
    """What its sets left out nobody here knows."""
    chosen = zip(answered, decisions_of(answered), strict=True)
    body = recorded(next(one for one, decision in chosen if decision.guaranteed))
    other = structs.replace(body, model=Identity("shells", 4, "sha256:other"))
    tally = counter.came_out(other, "large")
    counts = by_name(tally.counts)
    assert "sha256:other" == tally.digest
    assert 1 == counts["known.rows"]
    assert {} == named(counts, "raw.")


@pytest.mark.parametrize("at", range(CONFIDENCE_BINS + 1))
@pytest.mark.parametrize("nudge", [-1, 0, 1])
def test_confidence_is_binned_as_the_calibration_error_is(
    counter: ClassCounter, answered: Answers, at: int, nudge: int
) -> None:
    """At the end of each of the 15 bins, and one double beside it."""
    edge = at / CONFIDENCE_BINS
    confidence = min(1.0, max(0.0, float(np.nextafter(edge, edge + nudge) if nudge else edge)))
    mean = {"small": confidence, "large": 0.0}
    answer = changed(answered[0], predicted="small", mean=mean)
    counts = by_name(counter.came_out(recorded(answer), "small").counts)
    (place_of,) = {name.split(".")[0] for name in named(counts, "confidence.")}
    edges = np.arange(1, CONFIDENCE_BINS) / CONFIDENCE_BINS
    assert int(np.searchsorted(edges, confidence, side="left")) == int(place_of)
    alone = expected_calibration_error(np.array([[confidence, 0.0]]), np.array([0]))
    assert alone == pytest.approx(1 - counts[f"confidence.{place_of}.sum"] / MILLION, abs=1e-6)
