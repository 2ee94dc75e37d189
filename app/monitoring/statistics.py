"""Statistics of answers and requests, from what was counted of them."""

import math
from collections.abc import Container, Mapping, Sequence
from typing import Any

from app.count_keys import Counts, Family, key, members, numbered
from app.monitoring.counters import CONFIDENCE_BINS, COVERAGE, MILLION
from app.monitoring.log_bins import MOST, quantiles
from app.record_events import MINUTE
from dubito.types import Policy
from dubito.uncertainty.betting import Trials

MISSES = round(1 - COVERAGE, 9)
"""Most share of rows whose raw set may miss the right grade."""
LATENCY_LEVELS = (0.5, 0.95, 0.99)
REFUSED = frozenset({429, 503, 504})
"""Statuses of requests that were given up for want of time, room or records."""
FAULTS = frozenset(range(500, 600)) - REFUSED
INVALID = frozenset(range(400, 500)) - REFUSED


def figures(counts: Counts, classes: Sequence[str]) -> dict[str, Any]:
    """What was answered in a stretch of time."""
    automated, referred = (
        counts.get(key(Family.ACTION, "automate"), 0),
        counts.get(key(Family.ACTION, "refer"), 0),
    )
    most = math.log(len(classes))
    grades = members(counts, Family.GRADE)
    return {
        "rows": counts.get(key(Family.ROWS), 0),
        "passes": counts.get(key(Family.PASSES), 0),
        "grades": {label: grades.get(label, 0) for label in classes},
        "automated": automated,
        "referred": referred,
        "referral_rate": ratio(referred, automated + referred),
        "reasons": members(counts, Family.REASON),
        "predictive_entropy": quantiles(numbered(counts, Family.ENTROPY), most),
        "mutual_information": quantiles(numbered(counts, Family.INFORMATION), most),
        "set_sizes": members(counts, Family.SET),
        "warnings": members(counts, Family.WARNING),
    }


def service(counts: Counts) -> dict[str, Any]:
    """What was asked of the service, how it answered, and how long grading took, in seconds."""
    minutes = quantiles(numbered(counts, Family.LATENCY), MOST, LATENCY_LEVELS)
    return {
        **_answered(members(counts, Family.STATUS)),
        "grading": _answered(members(counts, Family.GRADING)),
        "latency": {level: None if at is None else at * MINUTE for level, at in minutes.items()},
    }


def _answered(statuses: Mapping[str, int]) -> dict[str, Any]:
    """Requests by status, and by whose fault it was that some were not answered as asked."""

    def count(kind: Container[int]) -> int:
        return sum(number for status, number in statuses.items() if int(status) in kind)

    return {
        "requests": sum(statuses.values()),
        "statuses": statuses,
        "errors": count(FAULTS),
        "refused": count(REFUSED),
        "invalid": count(INVALID),
    }


def estimate(counts: Counts) -> dict[str, Any]:
    """What the calibrated probabilities themselves expect, no outcome being needed."""
    right = counts.get(key(Family.EXPECTED, "right"), 0) / MILLION
    wrong = counts.get(key(Family.EXPECTED, "automated_wrong"), 0) / MILLION
    return {
        "accuracy": ratio(right, counts.get(key(Family.EXPECTED, "rows"), 0)),
        "automated_wrong": ratio(wrong, counts.get(key(Family.ACTION, "automate"), 0)),
    }


def outcomes(counts: Counts, policy: Policy | None) -> dict[str, Any]:
    """How answers came out whose truth became known, beside what was promised.

    Args:
        counts: of the time in which it became known.
        policy: the bundle's, whose default promises are shown; None where there is none.
    """
    known, raw = counts.get(key(Family.KNOWN, "rows"), 0), counts.get(key(Family.RAW, "rows"), 0)
    bins = [_reliability(counts, at) for at in range(CONFIDENCE_BINS)]
    shown = [one for one in bins if one["rows"]]
    rows = sum(one["rows"] for one in shown)
    gaps = (one["rows"] * abs(one["accuracy"] - one["confidence"]) for one in shown)
    return {
        "known": known,
        "accuracy": ratio(counts.get(key(Family.KNOWN, "right"), 0), known),
        "ece": ratio(sum(gaps), rows),
        "coverage": {
            "promised": COVERAGE,
            "seen": ratio(raw - counts.get(key(Family.RAW, "missed"), 0), raw),
            "rows": raw,
        },
        "automated": _beside(kept(counts), None if policy is None else policy.target),
        "band": _beside(kept_in_bands(counts), None if policy is None else policy.case_limit),
        "reliability": shown,
        "risk_coverage": _risk_coverage(counts),
    }


def missed(counts: Counts) -> dict[float, Trials]:
    """How often raw sets missed the right grade, by the share that was promised at most."""
    rows = counts.get(key(Family.RAW, "rows"), 0)
    return {MISSES: Trials(rows, counts.get(key(Family.RAW, "missed"), 0))} if rows else {}


def kept(counts: Counts) -> dict[float, Trials]:
    """How often automated grades were wrong, by the target that was promised."""
    return _wrong(counts, Family.AUTOMATED)


def kept_in_bands(counts: Counts) -> dict[float, Trials]:
    """How often the least sure of them were, by the limit that was promised for single cases."""
    return _wrong(counts, Family.BAND)


def _wrong(counts: Counts, family: Family) -> dict[float, Trials]:
    """How often grades of a kind were wrong, by what was promised at most."""
    found = members(counts, family)
    promised = [name.removesuffix(".rows") for name in found if name.endswith(".rows")]
    return {
        float(most): Trials(found[f"{most}.rows"], found.get(f"{most}.wrong", 0))
        for most in sorted(promised)
    }


def ratio(part: float, whole: float) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole else None


def _beside(seen: Mapping[float, Trials], promised: float | None) -> dict[str, Any]:
    """What was seen of a promise."""
    found = Trials() if promised is None else seen.get(promised, Trials())
    return {
        "promised": promised,
        "wrong": ratio(found.failures, found.rows),
        "rows": found.rows,
    }


def _reliability(counts: Counts, at: int) -> dict[str, Any]:
    rows = counts.get(key(Family.CONFIDENCE, at, "rows"), 0)
    return {
        "confidence": ratio(counts.get(key(Family.CONFIDENCE, at, "sum"), 0) / MILLION, rows),
        "accuracy": ratio(counts.get(key(Family.CONFIDENCE, at, "right"), 0), rows),
        "rows": rows,
    }


def _risk_coverage(counts: Counts) -> list[dict[str, float]]:
    """Share of rows up to each bin of predictive entropy, and share of those that were wrong."""
    risk = members(counts, Family.RISK)
    bins = sorted(int(name.removesuffix(".rows")) for name in risk if name.endswith(".rows"))
    whole = sum(risk[f"{at}.rows"] for at in bins)
    found, rows, wrong = [], 0, 0
    for at in bins:
        rows += risk[f"{at}.rows"]
        wrong += risk.get(f"{at}.wrong", 0)
        found.append({"coverage": rows / whole, "risk": wrong / rows})
    return found
