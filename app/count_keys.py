"""Keys of the counts that statistics are computed from; their text is stored and never changes."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NewType

CountKey = NewType("CountKey", str)
"""Family of the count, followed by a dot and its labels if the family has several counts."""
Counts = Mapping[CountKey, int]


class Family(StrEnum):
    """Families of counts."""

    ROWS = "rows"
    """Answered rows."""
    PASSES = "passes"
    GRADE = "grade"
    """Rows by predicted class."""
    WARNING = "warning"
    """Warnings by kind."""
    STREAM = "stream"
    """Rows by stream watched for drift and bin."""
    EXPECTED = "expected"
    """Rows, and the expected numbers of right and of wrong automated rows by their own
    probabilities, in millionths; of a number the sum of its total variances, relative to that of
    its values in training, in millionths."""
    VALUE = "value"
    """Rows by bin of the predicted number, those of the training values' histogram."""
    SPREAD = "spread"
    """Rows by bin of a number's standard deviation over the passes, relative to that of its values
    in training."""
    WIDTH = "width"
    """Rows by bin of the width of a number's interval, relative as the deviation."""
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
    """Rows whose true class became known, and how many of them were right; of a number the sums of
    squared and absolute errors, relative to the deviation of its values in training, and of log
    densities, in millionths, and the number of rows with such a density."""
    CONFIDENCE = "confidence"
    """Rows whose true class became known, by bin of confidence; how many were right, and the sum of
    their confidences in millionths."""
    RISK = "risk"
    """Rows whose true class became known, by bin of predictive entropy, and how many were wrong."""
    AUTOMATED = "automated"
    """Automated rows whose true class became known, and how many were wrong, by target."""
    BAND = "band"
    """Automated rows among the least certain, and how many were wrong, by limit of single cases."""
    RAW = "raw"
    """Rows whose raw prediction set is watched, and how many of these sets missed the true
    class."""
    DISAGREEMENT = "disagreement"
    """Rows on which a shadow disagrees with the answer, by what it disagrees in."""
    DIFFERENCE = "difference"
    """Rows by bin of the largest difference to the shadow's answer."""
    SKIPPED = "skipped"
    """Rows that were not compared with the shadow's answer."""
    LATENCY = "latency"
    """Prediction requests by bin of their duration in minutes."""
    STATUS = "status"
    """Requests by HTTP status."""
    GRADING = "grading"
    """Prediction requests by HTTP status."""


def key(family: Family, *labels: object) -> CountKey:
    """Build the key of a count."""
    return CountKey(".".join((family, *map(str, labels))))


def members(counts: Counts, family: Family) -> dict[str, int]:
    """Return the counts of a family by the rest of their keys, in the order of these."""
    start = family + "."
    found = sorted(item for item in counts.items() if item[0].startswith(start))
    return {name[len(start) :]: count for name, count in found}


def numbered(counts: Counts, family: Family) -> dict[int, int]:
    """Return the counts of a family of bins, by bin number."""
    return {int(name): count for name, count in members(counts, family).items()}


def summed(parts: Iterable[Counts]) -> dict[CountKey, int]:
    """Add up several sets of counts."""
    whole: dict[CountKey, int] = {}
    for part in parts:
        if not whole:
            whole.update(part)
            continue
        for name, count in part.items():
            whole[name] = whole.get(name, 0) + count
    return whole
