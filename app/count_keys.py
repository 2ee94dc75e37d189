"""Keys of the counts that figures are made of. Their text is stored, so it never changes."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NewType

CountKey = NewType("CountKey", str)
"""A family, and after a dot what is counted in it, if there is more than one such count."""
Counts = Mapping[CountKey, int]


class Family(StrEnum):
    """What a count is of."""

    ROWS = "rows"
    """Answered rows."""
    PASSES = "passes"
    GRADE = "grade"
    """Rows by predicted class."""
    WARNING = "warning"
    """Warnings by kind."""
    STREAM = "stream"
    """Rows by watched stream and bin."""
    EXPECTED = "expected"
    """Rows, and what their probabilities expect of them, in millionths."""
    ENTROPY = "entropy"
    """Rows by bin of predictive entropy."""
    INFORMATION = "information"
    """Rows by bin of mutual information."""
    ACTION = "action"
    """Rows by decision."""
    SET = "set"
    """Rows by size of the prediction set."""
    REASON = "reason"
    """Reasons of referrals."""
    KNOWN = "known"
    """Rows whose true class became known, and how many of them were right."""
    CONFIDENCE = "confidence"
    """The same by bin of confidence."""
    RISK = "risk"
    """The same by bin of predictive entropy."""
    AUTOMATED = "automated"
    """Automated rows whose true class became known, by target."""
    BAND = "band"
    """The least sure of those, by limit of single cases."""
    RAW = "raw"
    """Rows whose raw set is watched, and how many of these missed the true class."""
    LATENCY = "latency"
    """Grading requests by bin of their minutes."""
    STATUS = "status"
    """Requests by HTTP status."""
    GRADING = "grading"
    """Grading requests by HTTP status."""


def key(family: Family, *labels: object) -> CountKey:
    """The key of a count."""
    return CountKey(".".join((family, *map(str, labels))))


def members(counts: Counts, family: Family) -> dict[str, int]:
    """The counts of a family, by what follows it in their keys, in that order."""
    start = family + "."
    found = sorted(item for item in counts.items() if item[0].startswith(start))
    return {name[len(start) :]: count for name, count in found}


def numbered(counts: Counts, family: Family) -> dict[int, int]:
    """The counts of a family of bins."""
    return {int(name): count for name, count in members(counts, family).items()}


def summed(parts: Iterable[Counts]) -> dict[CountKey, int]:
    """Counts of several together."""
    whole: dict[CountKey, int] = {}
    for part in parts:
        if not whole:
            whole.update(part)
            continue
        for name, count in part.items():
            whole[name] = whole.get(name, 0) + count
    return whole
