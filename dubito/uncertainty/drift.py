"""Statistics of drift: distance between a stream's values and the reference, one at a time.

These statistics only describe. Alarms come from `dubito.uncertainty.drift_alarm`, which alone is
valid when checked continuously.
"""

import math
from dataclasses import dataclass

import numpy as np

from dubito.types import Floats, Indices
from dubito.uncertainty.bins import BinCounts, Bins

LEAST_ROWS = 50
"""Least rows for which statistics are computed."""
LEAST_EXPECTED = 5
"""Least expected rows of a bin in the chi-squared test."""
ROUNDING = 1e-7
"""Difference of two logarithms of probabilities that are equal but for rounding."""
TURN = 1.18
"""Argument λ at which the series are switched; there both need at most four terms for the last
bit."""


@dataclass(frozen=True, slots=True)
class DriftStatistics:
    """Statistics of one stream; None with fewer than `LEAST_ROWS` rows."""

    rows: int
    missing: int
    psi: float | None
    statistic: float | None
    """Difference of the values that are not missing, 0 to 1: of numbers the two-sample
    Kolmogorov–Smirnov statistic, of a list of values the total variation distance of shares."""
    p_value: float | None
    """Probability of a difference at least as large without drift: of numbers by the statistic, of
    a list of values by a chi-squared test; valid for a single check."""


def drift(bins: Bins, counts: BinCounts) -> DriftStatistics:
    """Compute the statistics of a stream's counts against the reference.

    Raises:
        IndexError: a bin does not exist.
    """
    reference, seen = np.array(bins.reference), bins.dense(counts)
    rows, missing = int(seen.sum()), int(seen[bins.missing])
    psi = None if rows < LEAST_ROWS else stability(reference, seen)
    there, known = seen[: bins.missing], reference[: bins.missing]
    if rows - missing < LEAST_ROWS or not known.any():
        return DriftStatistics(rows, missing, psi, None, None)
    if not bins.is_ordered:
        return DriftStatistics(rows, missing, psi, variation(known, there), alike(known, there))
    distance = largest_gap(known, there)
    return DriftStatistics(rows, missing, psi, distance, chance(distance, known.sum(), there.sum()))


def stability(reference: Indices, counts: Indices) -> float:
    """Compute the population stability index Σ (aᵦ − rᵦ) · ln(aᵦ / rᵦ), at least 0.

    It is Jeffreys' divergence of the shares in the B bins that are not empty in both (Jeffreys
    1946; in credit scoring, Siddiqi 2006). Because no share may be 0, half a row is added to each
    bin of the reference, `rᵦ = (Rᵦ + ½) / (N + B/2)` (Krichevsky and Trofimov 1981), and as many
    rows, distributed like the reference, to the counts: `aᵦ = (cᵦ + rᵦ · B/2) / (n + B/2)`. Without
    drift its expectation is at most (B − 1) · (1/n + 1/N) (Yurdakul and Naranjo 2020). With few
    rows, this exceeds the 0.1 and 0.25 from which a shift is customarily called small and large.

    Args:
        reference: `R`, `(B,)`.
        counts: `c`, `(B,)`.
    """
    occupied = (reference > 0) | (counts > 0)
    reference, counts = reference[occupied], counts[occupied]
    half = len(reference) / 2
    known: Floats = (reference + 0.5) / (reference.sum() + half)
    found = (counts + half * known) / (counts.sum() + half)
    return float(((found - known) * np.log(found / known)).sum())


def largest_gap(reference: Indices, counts: Indices) -> float:
    """Compute the two-sample Kolmogorov–Smirnov statistic at the edges of the bins, 0 to 1.

    It is the largest |F(x) − G(x)| over the edges. Inside a bin the difference may be larger, so
    the p-value computed from it is never too small.

    Args:
        reference: `(B,)`, in the order of values, not all 0.
        counts: `(B,)` of the stream, in the same order, not all 0.
    """
    gaps = np.cumsum(reference) / reference.sum() - np.cumsum(counts) / counts.sum()
    return float(np.abs(gaps).max())


def chance(distance: float, reference: int, rows: int) -> float:
    """Compute the asymptotic p-value of `largest_gap`: Q(√(N · n / (N + n)) · D) (Smirnov 1939)."""
    return exceeding(math.sqrt(reference * rows / (reference + rows)) * distance)


def variation(reference: Indices, counts: Indices) -> float:
    """Compute the total variation distance ½ Σ |aᵦ − rᵦ| of the shares in the B bins, 0 to 1.

    Args:
        reference: `(B,)`, not all 0.
        counts: `(B,)` of the stream, not all 0.
    """
    shares, found = reference / reference.sum(), counts / counts.sum()
    return float(np.abs(shares - found).sum() / 2)


def alike(reference: Indices, counts: Indices) -> float:
    """Compute the p-value of the hypothesis that both counts have one law.

    Bins with fewer than `LEAST_EXPECTED` expected rows in the smaller of the two are taken together
    (Cochran 1954), and join the next smallest bin if they are still too few. Then Pearson's
    chi-squared test; Fisher's exact test if only two bins are left, one of them with too few.

    Args:
        reference: `(B,)`, not all 0.
        counts: `(B,)` of the stream, not all 0.
    """
    both = np.stack([reference, counts])
    both = both[:, both.any(axis=0)]
    if both.shape[1] == 1:
        return 1.0
    both = both[:, np.argsort(both.sum(axis=0), kind="stable")]
    expected = both.sum(axis=0) * (both.sum(axis=1).min() / both.sum())
    few = int(np.searchsorted(np.cumsum(expected), LEAST_EXPECTED)) + 1
    few = max(few, int((expected < LEAST_EXPECTED).sum()))
    few = min(few, both.shape[1] - 1)
    table = np.column_stack([both[:, :few].sum(axis=1), both[:, few:]])
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    if expected.min() < LEAST_EXPECTED:
        return exact_tail(table)
    return chi_squared_tail(float(((table - expected) ** 2 / expected).sum()), table.shape[1] - 1)


def exact_tail(table: Indices) -> float:
    """Compute the two-sided p-value of Fisher's exact test of a table `(2, 2)` (Fisher 1935).

    It sums the probabilities, given the sums of rows and columns, of all tables that are no more
    probable than this one.
    """
    (first, second), (columns, _) = table.sum(axis=1).tolist(), table.sum(axis=0).tolist()
    found = int(table[0, 0])
    least, most = max(0, columns - second), min(columns, first)
    logs = np.array(
        [
            _log_choose(first, count) + _log_choose(second, columns - count)
            for count in range(least, most + 1)
        ]
    )
    logs -= _log_choose(first + second, columns)
    alike = logs <= logs[found - least] + ROUNDING
    return min(1.0, math.fsum(np.exp(logs[alike]).tolist()))


def _log_choose(total: int, chosen: int) -> float:
    """Return the logarithm of a binomial coefficient."""
    rest = math.lgamma(chosen + 1) + math.lgamma(total - chosen + 1)
    return math.lgamma(total + 1) - rest


def chi_squared_tail(statistic: float, degrees: int) -> float:
    """Compute the probability that a chi-squared variable is at least `statistic`; 1 for 0 degrees.

    Closed forms for whole degrees of freedom (Abramowitz and Stegun 1964, 26.4.4 and 26.4.5).
    """
    if not degrees or statistic <= 0:
        return 1.0
    half, is_odd = statistic / 2, degrees % 2
    first = math.erfc(math.sqrt(half)) if is_odd else math.exp(-half)
    powers = (term + 1 - is_odd / 2 for term in range((degrees - 1) // 2))
    logs = (power * math.log(half) - half - math.lgamma(power + 1) for power in powers)
    return min(1.0, first + math.fsum(map(math.exp, logs)))


def exceeding(limit: float) -> float:
    """Compute Kolmogorov's Q(λ) = 2 Σₖ (−1)ᵏ⁻¹ exp(−2k²λ²), k = 1, 2, … (Kolmogorov 1933).

    Below 1.18, where that series converges slowly, the other form is used (Marsaglia et al. 2003,
    section 1):
    1 − √(2π)/λ · Σₖ exp(−(2k − 1)²π² / (8λ²)).
    """
    if limit < 0.04:  # The sum's first term is below the smallest double.
        return 1.0
    if limit < TURN:
        odd = (math.exp(-((2 * k - 1) ** 2) * math.pi**2 / (8 * limit**2)) for k in range(1, 5))
        return 1 - math.sqrt(2 * math.pi) / limit * math.fsum(odd)
    signed = ((-1) ** (k - 1) * math.exp(-2 * k**2 * limit**2) for k in range(1, 6))
    return 2 * math.fsum(signed)
