"""The input guard: notices about values that are missing or that training has not seen."""

import numpy as np

from dubito.features import Feature, NumberFeature, TensorFeature
from dubito.types import Booleans, Floats, Notice, NoticeKind, Signature

Numeric = NumberFeature | TensorFeature
"""Features that are watched as numbers."""
FACTOR = 2.0
"""Margin of an amount of money: it may be this many times smaller or larger than those seen."""
SHARE = 0.5
"""Margin of any other number on either side, as a share of the range that training saw."""


class RangeGuard:
    """Compares rows with the values of every feature in training."""

    def __init__(self, signature: Signature, *, tells_margin: bool = False) -> None:
        """Take the features, and whether to report values within the margin as well."""
        self._signature, self._features = signature, signature.features
        allowed = [_seen(one) if tells_margin else limits(one) for one in signature.features]
        self._minima, self._maxima = np.transpose(allowed)
        self._unseen = {
            column: unseen
            for column, feature in enumerate(signature.features)
            if len(unseen := _unseen(feature))
        }

    def notices(self, rows: Floats) -> list[list[Notice]]:
        """Return a list of notices for each of the rows `(N, F)`, with the range training saw.

        Of a tensor the norm is a number like others.

        A value may be missing, a category unknown (not in the list, or in no row of training), a
        number out of range (beyond `limits`) or, if those are reported, in the margin: outside the
        range that training saw, and not beyond `limits`.
        """
        watched = self._signature.watched(rows)
        odd = self._odd(watched)
        found: list[list[Notice]] = [[] for _ in rows]
        if odd.any():
            for row, column in np.argwhere(odd):
                found[row].append(_notice(self._features[column], float(watched[row, column])))
        return found

    def _odd(self, rows: Floats) -> Booleans:
        # Negated, because every comparison with NaN (missing) is False.
        odd: Booleans = ~((rows >= self._minima) & (rows <= self._maxima))
        for column, unseen in self._unseen.items():
            odd[:, column] |= np.isin(rows[:, column], unseen)
        return odd


def limits(feature: Feature) -> tuple[float, float]:
    """Return the smallest and largest number of a row that needs no notice.

    For a number, it is the range seen and a margin. If training saw nothing negative, the smallest
    is at least 0. The margin is needed because new rows from the same source sometimes exceed a
    sample's extremes: with the range of 68% of 10,000 loans, 0.11% of the others exceed it in some
    feature, with these margins 0.013% (mean of 100 splits within a training part); of annual
    incomes wrong by a factor of 1,000, 99.7% are still detected. A list of values has no margin.
    """
    if not isinstance(feature, Numeric):
        return _seen(feature)
    seen, money = feature.seen, feature.unit == "currency"
    if money and seen.minimum >= 0:
        return seen.minimum / FACTOR, seen.maximum * FACTOR
    least = feature.rules.least_margin if isinstance(feature, NumberFeature) else 0.0
    margin = max(SHARE * (seen.maximum - seen.minimum), least)
    lowest = seen.minimum - margin
    return max(lowest, 0.0) if seen.minimum >= 0 else lowest, seen.maximum + margin


def _seen(feature: Feature) -> tuple[float, float]:
    if isinstance(feature, Numeric):
        return feature.seen.minimum, feature.seen.maximum
    return 0.0, len(feature.seen.counts) - 1.0


def _unseen(feature: Feature) -> Floats:
    """Return the numbers of the listed values that no row of training has."""
    if isinstance(feature, Numeric):
        return np.empty(0)
    return np.flatnonzero(np.array(feature.seen.counts) == 0).astype(np.float64)


def _notice(feature: Feature, value: float) -> Notice:
    kind = _kind(feature, value)
    refers = feature.missing_refers if kind == "missing" else kind != "in_margin"
    if not isinstance(feature, Numeric):
        return Notice(kind, feature.name, None, None, None, refers)
    seen, missing = feature.seen, np.isnan(value)
    shown = None if missing else value
    return Notice(kind, feature.name, shown, seen.minimum, seen.maximum, refers)


def _kind(feature: Feature, value: float) -> NoticeKind:
    if np.isnan(value):
        return "missing"
    if not isinstance(feature, Numeric):
        return "unknown_category"
    least, most = limits(feature)
    return "in_margin" if least <= value <= most else "out_of_range"
