"""The alarms: seldom raised while all is as promised, soon raised when it is not."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from dubito.bundle import Bundle, load
from dubito.bundles.repository import find_version
from dubito.features import NumberFeature
from dubito.loans.columns import LAYOUT
from dubito.training.data import Table, read_table
from dubito.training.feature_stats import number_stats
from dubito.training.split import split_rows
from dubito.types import Booleans, Calibration, Floats, Indices, Query, Summary
from dubito.uncertainty.alarm_threshold import ALPHA, MOST, THRESHOLD, finite_evidence, raised
from dubito.uncertainty.bins import BinCounts, Bins, bins_of, of_feature, of_reference
from dubito.uncertainty.conformal import raw_sets, score_threshold
from dubito.uncertainty.decision import decide
from dubito.uncertainty.drift_alarm import Watch
from dubito.uncertainty.guard import RangeGuard
from dubito.uncertainty.rules import rule_reasons
from dubito.uncertainty.validity_alarm import BettingState, ByPromise, PromiseTrials
from tests.service import ROOT

Record = Callable[..., None]
Stream = Callable[["Market", np.random.Generator], "Answered"]

ROWS = 2_000
SOON = 500
MINUTE = 10
"""Rows of a minute, where it matters how soon an alarm is raised."""
DEARER = 1.2
OTHER_MIX = (0.1, 0.1, 1, 1, 1, 1, 1)
"""How much more often each grade comes in another market: the best hardly any more."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Rows that were answered, and what became of them."""

    places: dict[str, Indices]
    """Of each stream, the bins `(N,)`."""
    missed: Booleans
    """`(N,)`, whether the raw set lacks the right grade."""
    automated: Booleans
    wrong: Booleans

    def taken(self, rows: Indices) -> "Answered":
        places = {name: bins[rows] for name, bins in self.places.items()}
        return Answered(places, self.missed[rows], self.automated[rows], self.wrong[rows])


@dataclass(frozen=True, slots=True)
class Market:
    """The held-out loans, as they are and with more interest paid."""

    bins: dict[str, Bins]
    target: float
    coverage: float
    labels: Indices
    usual: Answered
    dearer: Answered


def limit(count: int, most: float = ALPHA) -> float:
    """The largest rate that is within three binomial standard errors of `most`."""
    return most + 3 * (most * (1 - most) / count) ** 0.5


def counted(places: dict[str, Indices]) -> dict[str, BinCounts]:
    return {name: dict(enumerate(np.bincount(one).tolist())) for name, one in places.items()}


def tallied(failed: Booleans, promised: float) -> ByPromise:
    return {promised: PromiseTrials(len(failed), int(failed.sum()))}


def shares(rows: int, size: int) -> list[Indices]:
    return np.split(np.arange(rows), range(size, rows, size))


@pytest.fixture(scope="module")
def market() -> Market:
    bundle = load(find_version(ROOT / "models", "loan-grade"))
    calibration = bundle.manifest.calibration
    assert isinstance(calibration, Calibration)
    table = read_table(None, LAYOUT)
    table = table.where(split_rows(table.labels, 0).test)
    dearer = table.features.copy()
    dearer[:, bundle.manifest.signature.names.index("paid_interest")] *= DEARER
    return Market(
        bins_of(bundle.manifest.signature, calibration),
        calibration.policy.target,
        calibration.coverage,
        table.labels,
        answered(bundle, table.features, table, 1 << 42),
        answered(bundle, dearer, table, 1 << 43),
    )


def answered(bundle: Bundle, rows: Floats, table: Table, seed: int) -> Answered:
    """What the served network says of each row, with a seed of its own, as requests have."""
    manifest, calibration = bundle.manifest, bundle.manifest.calibration
    assert isinstance(calibration, Calibration)
    passes = calibration.passes
    queries = [Query(rows[at : at + 1], passes, seed + at) for at in range(len(rows))]
    summary = Summary.joined(bundle.engine.summarise(queries))
    decisions = decide(
        calibration.policy,
        passes,
        calibration.policy.target,
        summary,
        passes,
        RangeGuard(manifest.signature).notices(rows),
        rule_reasons(rows, manifest.signature, manifest.rules),
    )
    least = score_threshold(np.array(calibration.scores["lac"]), calibration.coverage)
    sets = raw_sets("lac", summary.mean, least, calibration.penalty, calibration.free)
    columns = [*rows.T, summary.mutual_information]
    return Answered(
        {
            name: bins.indices(column)
            for (name, bins), column in zip(
                bins_of(manifest.signature, calibration).items(), columns, strict=True
            )
        },
        ~sets[np.arange(len(rows)), table.labels],
        np.array([decision.action == "automate" for decision in decisions]),
        summary.predicted != table.labels,
    )


def test_evidence_is_shown_as_a_number() -> None:
    """100 raises the alarm; what a double cannot hold is shown as a very large number."""
    assert pytest.approx(100) == THRESHOLD
    assert (raised(math.log(99)), raised(math.log(101))) == (False, True)
    assert finite_evidence(0.0) == 1.0
    assert finite_evidence(1e6) == finite_evidence(MOST) < math.inf


def drawn(random: np.random.Generator, rows: int) -> dict[str, Floats]:
    """Columns of a known law that depend on one another: skewed, tied, rare, missing, constant."""
    common, own = random.normal(size=rows), random.normal(size=(3, rows))
    late = random.random(rows) < 0.01
    return {
        "income": np.round(np.exp(11 + 0.6 * common + 0.3 * own[0]), -2),
        "ratio": np.where(random.random(rows) < 0.01, np.nan, np.exp(3 - common / 2 + own[1])),
        "lines": random.poisson(np.exp(3 + common / 3)).astype(float),
        "late": random.poisson(0.2, rows).astype(float),
        "fees": np.where(late, np.round(random.exponential(20, rows), 2), 0.0),
        "constant": np.zeros(rows),
        "doubt": np.exp(-9 + common + 3 * own[2]),
    }


def reference_of(random: np.random.Generator) -> dict[str, Bins]:
    """Bins from rows that training saw, as training makes them; fewer rows for the last."""
    columns = drawn(random, 6_933)
    of = {name: of_feature(described(column)) for name, column in columns.items()}
    return {**of, "doubt": of_reference(columns["doubt"][:1_067].tolist())}


def described(column: Floats) -> NumberFeature:
    of = number_stats(column, "float")
    return NumberFeature(
        "x", "X", (), "float", "", nullable=True, imputed=0.0, minimum=-1e9, maximum=1e9, seen=of
    )


@pytest.mark.claim("alarms hold", test=30, proof=1_000)
def test_drift_is_seldom_alarmed_at_without_any(count: int, record_property: Record) -> None:
    """Streams of 2,000 rows of the reference's own, known law: at most 1% + 3 SE alarm of drift."""
    alarms = 0
    for random in np.random.default_rng(5).spawn(count):
        bins = reference_of(random)
        columns = drawn(random, ROWS)
        places = {name: of.indices(columns[name]) for name, of in bins.items()}
        watch = Watch.begin(bins)
        for rows in shares(ROWS, 200):
            watch = watch.advance(counted({n: one[rows] for n, one in places.items()}), random)
        alarms += raised(watch.largest)
    record_property("figure", f"{alarms} of {count:,} streams alarmed")
    assert alarms / count <= limit(count)


@pytest.mark.claim("alarms hold", test=30, proof=1_000)
def test_validity_is_seldom_alarmed_at_while_it_holds(count: int, record_property: Record) -> None:
    """Streams of 2,000 outcomes that just keep all promises: at most 1% + 3 SE alarm."""
    alarms = 0
    for random in np.random.default_rng(6).spawn(count):
        chance, strict = random.random(ROWS), random.random(ROWS) < 0.3
        outcomes = BettingState.begin(of_cases=True)
        for rows in shares(ROWS, 5):
            missed, wrong = chance[rows] < 0.01, chance[rows] < np.where(strict[rows], 0.01, 0.03)
            errors = {
                target: PromiseTrials(int(of.sum()), int(wrong[of].sum()))
                for target, of in ((0.01, strict[rows]), (0.03, ~strict[rows]))
            }
            # The least sure tenth, of which as many are wrong as are promised at most.
            band = strict[rows] & (random.random(len(rows)) < 0.1)
            cases = tallied(random.random(int(band.sum())) < 0.1, 0.1)
            outcomes = outcomes.advance(tallied(missed, 0.01), errors, cases)
        alarms += raised(outcomes.largest)
    record_property("figure", f"{alarms} of {count:,} streams alarmed")
    assert alarms / count <= limit(count)


@pytest.mark.claim("alarms on real loans", test=20, proof=1_000)
def test_alarms_on_the_held_out_loans(count: int, market: Market, record_property: Record) -> None:
    """Bootstraps of 2,000 held-out loans: the rate of either alarm is told, and 5% at most."""
    drift = validity = 0
    for random in np.random.default_rng(7).spawn(count):
        stream = market.usual.taken(random.integers(0, len(market.labels), ROWS))
        watch, outcomes, _ = watched(market, stream, random, 200)
        drift += raised(watch.largest)
        validity += raised(outcomes.largest)
    record_property("figure", f"drift {drift / count:.1%}, validity {validity / count:.1%}")
    assert max(drift, validity) / count <= limit(count, 0.05)


def dearer_interest(market: Market, random: np.random.Generator) -> Answered:
    """Every loan has paid a fifth more interest than it would have."""
    return market.dearer.taken(random.permutation(len(market.labels))[:SOON])


def another_mix(market: Market, random: np.random.Generator) -> Answered:
    """Loans of another market, where grades A and B are a tenth as frequent."""
    weights = np.array(OTHER_MIX)[market.labels]
    rows = random.choice(len(market.labels), SOON, p=weights / weights.sum())
    return market.usual.taken(rows)


@pytest.mark.claim("alarms fire", test=10, proof=100)
@pytest.mark.parametrize("shifted", [dearer_interest, another_mix])
def test_a_shift_is_soon_alarmed_at(
    shifted: Stream, count: int, market: Market, record_property: Record
) -> None:
    """Of shifted streams of held-out loans at least 95% raise an alarm within 500 rows."""
    first, names = [], set()
    drift = validity = 0
    for random in np.random.default_rng(8).spawn(count):
        watch, outcomes, rows = watched(market, shifted(market, random), random, MINUTE)
        first.append(rows)
        drift += raised(watch.largest)
        validity += raised(outcomes.largest)
        names |= {watch.foremost} if raised(watch.largest) else set()
    found = np.array(first)
    record_property(
        "figure",
        f"{np.isfinite(found).sum()} of {count} within {SOON} rows, median {np.median(found):.0f};"
        f" drift {drift} ({', '.join(sorted(names))}), validity {validity}",
    )
    assert np.isfinite(found).mean() >= 0.95


def watched(
    market: Market, stream: Answered, random: np.random.Generator, minute: int
) -> tuple[Watch, BettingState, float]:
    """Both alarms after the stream, minute by minute, and the rows after which one was raised."""
    watch, outcomes, first = Watch.begin(market.bins), BettingState.begin(), math.inf
    allowed = round(1 - market.coverage, 6)
    for rows in shares(len(stream.wrong), minute):
        part = stream.taken(rows)
        watch = watch.advance(counted(part.places), random)
        outcomes = outcomes.advance(
            tallied(part.missed, allowed), tallied(part.wrong[part.automated], market.target), {}
        )
        if raised(max(watch.largest, outcomes.largest)):
            first = min(first, int(rows[-1]) + 1)
    return watch, outcomes, first
