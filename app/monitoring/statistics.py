"""Computes the statistics of answers, outcomes and requests from their counts."""

import math
from collections.abc import Container, Iterator, Mapping, Sequence

from msgspec import structs

from app.count_keys import Counts, Family, key, members, numbered
from app.monitoring.answer_counter import MILLION
from app.monitoring.class_counter import CONFIDENCE_BINS, COVERAGE
from app.monitoring.log_bins import MOST, quantiles
from app.monitoring.report import (
    AnswerStatistics,
    CoverageSeen,
    ErrorsSeen,
    ExpectedStatistics,
    OutcomeStatistics,
    ReliabilityBin,
    RequestStatistics,
    RiskPoint,
    TrafficStatistics,
)
from app.record_events import MINUTE
from dubito.types import AnyCalibration, NumberCalibration, Policy
from dubito.uncertainty.validity_alarm import PromiseTrials

LATENCY_LEVELS = (0.5, 0.95, 0.99)
REFUSED = frozenset({429, 503, 504})
"""Statuses of requests that were refused for lack of time, room or records."""
FAULTS = frozenset(range(500, 600)) - REFUSED
INVALID = frozenset(range(400, 500)) - REFUSED


def answer_statistics(counts: Counts, classes: Sequence[str]) -> AnswerStatistics:
    """Compute the statistics of answers from the counts of a period."""
    automated = counts.get(key(Family.ACTION, "automate"), 0)
    referred = counts.get(key(Family.ACTION, "refer"), 0)
    most = math.log(len(classes))
    predicted = members(counts, Family.GRADE)
    return AnswerStatistics(
        rows=counts.get(key(Family.ROWS), 0),
        passes=counts.get(key(Family.PASSES), 0),
        classes={label: predicted.get(label, 0) for label in classes},
        automated=automated,
        referred=referred,
        referral_rate=ratio(referred, automated + referred),
        reasons=members(counts, Family.REASON),
        predictive_entropy=quantiles(numbered(counts, Family.ENTROPY), most),
        mutual_information=quantiles(numbered(counts, Family.INFORMATION), most),
        set_sizes=members(counts, Family.SET),
        warnings=members(counts, Family.WARNING),
    )


def traffic_statistics(counts: Counts) -> TrafficStatistics:
    """Compute the statistics of requests; durations of predictions are in seconds."""
    minutes = quantiles(numbered(counts, Family.LATENCY), MOST, LATENCY_LEVELS)
    whole = _answered(members(counts, Family.STATUS))
    return TrafficStatistics(
        **structs.asdict(whole),
        grading=_answered(members(counts, Family.GRADING)),
        latency={level: None if at is None else at * MINUTE for level, at in minutes.items()},
    )


def _answered(statuses: dict[str, int]) -> RequestStatistics:
    """Group requests by status into faults of the service, refusals and invalid requests."""

    def count(kind: Container[int]) -> int:
        return sum(number for status, number in statuses.items() if int(status) in kind)

    return RequestStatistics(
        sum(statuses.values()), statuses, count(FAULTS), count(REFUSED), count(INVALID)
    )


def expected_statistics(counts: Counts) -> ExpectedStatistics:
    """Compute the accuracy that the calibrated probabilities predict, without any outcome."""
    right = counts.get(key(Family.EXPECTED, "right"), 0) / MILLION
    wrong = counts.get(key(Family.EXPECTED, "automated_wrong"), 0) / MILLION
    return ExpectedStatistics(
        accuracy=ratio(right, counts.get(key(Family.EXPECTED, "rows"), 0)),
        automated_wrong=ratio(wrong, counts.get(key(Family.ACTION, "automate"), 0)),
    )


def outcome_statistics(counts: Counts, policy: Policy | None) -> OutcomeStatistics:
    """Compare known outcomes with what was promised.

    Args:
        counts: counts of the period in which the true classes became known.
        policy: policy of the bundle, whose default promises are reported; None if it has none.
    """
    known = counts.get(key(Family.KNOWN, "rows"), 0)
    return OutcomeStatistics(
        known=known,
        accuracy=ratio(counts.get(key(Family.KNOWN, "right"), 0), known),
        ece=_calibration_error(counts),
        coverage=coverage_seen(counts, COVERAGE),
        automated=automated_errors(counts, policy),
        band=band_errors(counts, policy),
        reliability=tuple(_reliability(counts)),
        risk_coverage=tuple(_risk_coverage(counts)),
    )


def _calibration_error(counts: Counts) -> float | None:
    """Compute the expected calibration error over the confidence bins that have rows."""
    bins = list(_reliability(counts))
    gaps = (part.rows * abs((part.accuracy or 0.0) - (part.confidence or 0.0)) for part in bins)
    return ratio(sum(gaps), sum(part.rows for part in bins))


def missed(counts: Counts, coverage: float) -> dict[float, PromiseTrials]:
    """Return the misses of the watched sets or intervals, by the largest share promised."""
    rows, most = counts.get(key(Family.RAW, "rows"), 0), round(1 - coverage, 9)
    return {most: PromiseTrials(rows, counts.get(key(Family.RAW, "missed"), 0))} if rows else {}


def watched_coverage(calibration: AnyCalibration | None) -> float:
    """Return the coverage of the sets or intervals whose misses are counted."""
    return calibration.coverage if isinstance(calibration, NumberCalibration) else COVERAGE


def coverage_seen(counts: Counts, coverage: float) -> CoverageSeen:
    """Return the observed coverage of those sets or intervals."""
    rows, missed_rows = (counts.get(key(Family.RAW, name), 0) for name in ("rows", "missed"))
    return CoverageSeen(coverage, ratio(rows - missed_rows, rows), rows)


def wrong_automated(counts: Counts) -> dict[float, PromiseTrials]:
    """Return the wrong automated predictions, by the target promised."""
    return _wrong(counts, Family.AUTOMATED)


def kept_in_bands(counts: Counts) -> dict[float, PromiseTrials]:
    """Return the wrong ones among the least certain, by the limit promised for single cases."""
    return _wrong(counts, Family.BAND)


def _wrong(counts: Counts, family: Family) -> dict[float, PromiseTrials]:
    """Return rows and wrong rows of a family, by the largest error rate promised."""
    found = members(counts, family)
    promised = [name.removesuffix(".rows") for name in found if name.endswith(".rows")]
    return {
        float(most): PromiseTrials(found[f"{most}.rows"], found.get(f"{most}.wrong", 0))
        for most in sorted(promised)
    }


def ratio(part: float, whole: float) -> float | None:
    """Return a share; None if the whole is 0."""
    return part / whole if whole else None


def automated_errors(counts: Counts, policy: Policy | None) -> ErrorsSeen:
    """Return the observed error rate of automated rows, beside that of the default promise."""
    return _beside(wrong_automated(counts), None if policy is None else policy.target)


def band_errors(counts: Counts, policy: Policy | None) -> ErrorsSeen:
    """Return the observed error rate in the band, beside the promised one."""
    return _beside(kept_in_bands(counts), None if policy is None else policy.case_limit)


def _beside(seen: Mapping[float, PromiseTrials], promised: float | None) -> ErrorsSeen:
    """Return the observed error rate beside a promised one."""
    found = PromiseTrials() if promised is None else seen.get(promised, PromiseTrials())
    return ErrorsSeen(promised, ratio(found.failures, found.rows), found.rows)


def _reliability(counts: Counts) -> Iterator[ReliabilityBin]:
    """Yield the confidence bins that have rows."""
    for index in range(CONFIDENCE_BINS):
        rows = counts.get(key(Family.CONFIDENCE, index, "rows"), 0)
        if rows:
            confidence = counts.get(key(Family.CONFIDENCE, index, "sum"), 0) / MILLION
            right = counts.get(key(Family.CONFIDENCE, index, "right"), 0)
            yield ReliabilityBin(confidence / rows, right / rows, rows)


def _risk_coverage(counts: Counts) -> Iterator[RiskPoint]:
    """Yield the share of rows up to each bin of predictive entropy, and their error rate."""
    risk = members(counts, Family.RISK)
    bins = sorted(int(name.removesuffix(".rows")) for name in risk if name.endswith(".rows"))
    whole = sum(risk[f"{index}.rows"] for index in bins)
    rows = wrong = 0
    for index in bins:
        rows += risk[f"{index}.rows"]
        wrong += risk.get(f"{index}.wrong", 0)
        yield RiskPoint(rows / whole, wrong / rows)
