"""Drift: how far what came lies from what the reference saw, one stream at a time.

These figures describe; an alarm is what `dubito.uncertainty.watch` raises, as it alone may be looked
at all the time.
"""

import math
from dataclasses import dataclass

import numpy as np

from dubito.types import Floats, Indices
from dubito.uncertainty.bins import Bins, Counts

LEAST_ROWS = 50
"""With fewer nothing is said."""
TURN = 1.18
"""Where both series of Kolmogorov's distribution need four terms for the last bit, or fewer."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What is known of one stream; figures are None where too few rows speak."""

    rows: int
    missing: int
    psi: float | None
    statistic: float | None
    """Kolmogorov and Smirnov's, of the values that are there."""
    p_value: float | None
    """Chance of so large a statistic, or a larger one, if nothing has changed; for one look."""


def drift(bins: Bins, counts: Counts) -> Drift:
    """How far the counts of a stream lie from the reference.

    Raises:
        IndexError: a bin that is none.
    """
    reference, seen = np.array(bins.reference), bins.dense(counts)
    rows, missing = int(seen.sum()), int(seen[bins.missing])
    psi = None if rows < LEAST_ROWS else stability(reference, seen)
    there, known = seen[: bins.missing], reference[: bins.missing]
    if rows - missing < LEAST_ROWS or not known.any():
        return Drift(rows, missing, psi, None, None)
    distance = largest_gap(known, there)
    return Drift(rows, missing, psi, distance, chance(distance, known.sum(), there.sum()))


def stability(reference: Indices, counts: Indices) -> float:
    """The population stability index Σ (aᵦ − rᵦ) · ln(aᵦ / rᵦ), at least 0.

    It is Jeffreys' divergence of the shares in the B bins that are not empty in both (Jeffreys
    1946; in credit scoring, Siddiqi 2006). As no share may be 0, half a row is added to each bin of
    the reference, `rᵦ = (Rᵦ + ½) / (N + B/2)` (Krichevsky and Trofimov 1981), and as many rows,
    spread as the reference is, to what came: `aᵦ = (cᵦ + rᵦ · B/2) / (n + B/2)`. Without drift one
    expects (B − 1) · (1/n + 1/N) at most (Yurdakul and Naranjo 2020): where rows are few, this is
    more than the 0.1 and 0.25 from which a shift is customarily called small and large.

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
    """Kolmogorov and Smirnov's statistic of two samples, looked at between the bins alone.

    The largest |F(x) − G(x)| is looked for where bins meet; it may be larger inside of one, so that
    the p-value is never too small for it.

    Args:
        reference: `(B,)`, in the order of values, not all 0.
        counts: likewise.
    """
    gaps = np.cumsum(reference) / reference.sum() - np.cumsum(counts) / counts.sum()
    return float(np.abs(gaps).max())


def chance(distance: float, reference: int, rows: int) -> float:
    """The p-value of `largest_gap` for many rows: Q(√(N · n / (N + n)) · D) (Smirnov 1939)."""
    return exceeding(math.sqrt(reference * rows / (reference + rows)) * distance)


def exceeding(limit: float) -> float:
    """Kolmogorov's Q(λ) = 2 Σₖ (−1)ᵏ⁻¹ exp(−2k²λ²), k = 1, 2, … (Kolmogorov 1933).

    Below 1.18, where that series is slow, by its other form (Marsaglia et al. 2003, section 1):
    1 − √(2π)/λ · Σₖ exp(−(2k − 1)²π² / (8λ²)).
    """
    if limit < 0.04:  # The sum's first term is below the smallest double.
        return 1.0
    if limit < TURN:
        odd = (math.exp(-((2 * k - 1) ** 2) * math.pi**2 / (8 * limit**2)) for k in range(1, 5))
        return 1 - math.sqrt(2 * math.pi) / limit * math.fsum(odd)
    signed = ((-1) ** (k - 1) * math.exp(-2 * k**2 * limit**2) for k in range(1, 6))
    return 2 * math.fsum(signed)
