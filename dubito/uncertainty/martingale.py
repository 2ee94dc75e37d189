"""Conformal test martingale: evidence that a stream has drifted away from its reference.

Each value gets a conformal p-value among the reference and all values before it. While reference
and stream are exchangeable, these p-values are independent and uniform (Vovk et al. 2005, section
2.2 and chapter 7), so that bets on them are fair (Vovk 2021, "Testing randomness online").
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dubito.types import Floats, Indices
from dubito.uncertainty.bins import Bins

SLOPES = (1.0, 0.5, 0.25, -0.25, -0.5, -1.0)
SPREADS = (1.0, 0.5, -0.5)
TAILS = ((1.0, 0.5), (0.05, 0.1))
"""Bets on a tail: the share that is bet and the power; the second is for rare extreme values."""
BETS = len(SLOPES) + len(SPREADS) + 2 * len(TAILS)
NARROW = 1e-12
"""Least distance of p-values from 0 and 1, so that logarithms are finite."""

AT_ONCE = 0.5
"""Share of the wealth that bets from the first row on."""
PATIENCE = 1_000
"""Number of rows that sets the pace of later bets: after `n` rows, (1 + n / PATIENCE)^−½ of the
wealth outside `AT_ONCE` does not bet yet."""


@dataclass(frozen=True, slots=True)
class Martingale:
    """State of the test after some rows of a stream; logarithms are natural.

    The wealth is 1 at first. Half of it is spread over the bets of `log_factors` at once; after
    every row, a small part of the rest is added to them. So part of the wealth starts to bet about
    when a change occurs, and has lost nothing until then. A mixture over bets and times of change
    is a martingale because each of them is. In simulations a changed mix of grades raised the
    wealth, on the stream of the interest paid, to 1,000 after 140 rows if the change came with the
    first row, and after 280 if it came with row 200,000. With all bets placed at once it took 690
    rows for a change from row 2,000 on and missed one from row 10,000 on. The Simple Jumper of Vovk
    et al. 2021, "Retrain or not retrain", which pays for its jumps in every row, took 110 from the
    first row on, 690 from row 10,000 on, and missed later ones.
    """

    bag: tuple[int, ...]
    """`(B,)` counts by bin of the reference and the stream so far."""
    rows: int
    """Number of rows of the stream so far."""
    stakes: tuple[float, ...]
    """`(BETS,)` logarithms of the wealth on each bet."""
    largest: float
    """Logarithm of the largest wealth so far."""

    @classmethod
    def begin(cls, bins: Bins) -> "Martingale":
        """Return the state before the first row."""
        return cls(bins.reference, 0, (math.log(AT_ONCE / BETS),) * BETS, 0.0)

    @property
    def evidence(self) -> float:
        """Logarithm of the current wealth."""
        return float(np.logaddexp(np.logaddexp.reduce(self.stakes), _log_rest(self.rows)))

    def advance(self, places: Indices, uniforms: Floats) -> "Martingale":
        """Return the state after more rows, in this order.

        Args:
            places: `(M,)`, the bins of their values.
            uniforms: `(M,)`, drawn uniformly from 0 to 1, which break ties.

        Raises:
            IndexError: a bin does not exist.
        """
        if not len(places):
            return self
        bag, rows = np.array(self.bag), self.rows + np.arange(1, len(places) + 1)
        won = np.cumsum(log_factors(p_values(bag, places, uniforms)), axis=0)
        # Without a loop over rows: an amount added after some row is divided by the gains until
        # then, so that all stakes are one cumulative sum, times the gains since the beginning.
        added = _log_added(rows)[:, None] - math.log(BETS) - won
        stakes = np.logaddexp.accumulate(np.vstack([self.stakes, added]), axis=0)[1:] + won
        wealth = np.logaddexp(np.logaddexp.reduce(stakes, axis=1), _log_rest(rows))
        return Martingale(
            tuple((bag + np.bincount(places, minlength=len(bag))).tolist()),
            int(rows[-1]),
            tuple(stakes[-1].tolist()),
            max(self.largest, float(wealth.max())),
        )

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> "Martingale":
        """Restore from the values of `to_json`."""
        return cls(tuple(state["bag"]), state["rows"], tuple(state["stakes"]), state["largest"])


def p_values(bag: Indices, places: Indices, uniforms: Floats) -> Floats:
    """Compute smoothed conformal p-values `(M,)` of values in sequence.

    p = (#{larger} + u · #{equal, itself included}) / #{all, itself included}, among the bag and the
    values before, in the order of bins (Vovk et al. 2005, section 2.2). Large values have small p.

    The bins are built from the reference, so a new value is not exactly exchangeable with it: if a
    bin has c of N reference values, the next value is in it with probability c / (N + 1), but p is
    distributed as for c + 1. This changes the law of p by 1/c within a bin, which no bet resolves.

    Args:
        bag: `(B,)`, counts by bin before the first value.
        places: `(M,)`, the bins of the values.
        uniforms: `(M,)`, the u of each value, from 0 to 1.

    Raises:
        IndexError: a bin does not exist.
    """
    rows = np.arange(len(places))
    itself = np.zeros((len(places), len(bag)), dtype=np.intp)
    itself[rows, places] = 1
    held = bag + np.cumsum(itself, axis=0)
    at_least = np.cumsum(held[:, ::-1], axis=1)[:, ::-1]
    equal = held[rows, places]
    p: Floats = (at_least[rows, places] - equal + uniforms * equal) / at_least[:, 0]
    return p


def log_factors(p: Floats) -> Floats:
    """Compute the log of the factor by which each bet multiplies its stake, `(M,)` → `(M, BETS)`.

    Each factor is a density on 0 to 1, so that the bet is fair if p is uniform. With x = 2p − 1:

    - 1 + εx, for values that became larger or smaller (the bets of the Simple Jumper);
    - 1 + ε(3x² − 1)/2, for a wider or narrower spread: the next Legendre polynomial (Hallberg
      Szabadváry 2026, arXiv:2606.20859);
    - 1 − s + s · a · pᵃ⁻¹ and the same of 1 − p, for a heavier tail on one side (with s = 1 the
      power martingales of Vovk, Nouretdinov and Gammerman 2003).
    """
    near = np.clip(p, NARROW, 1 - NARROW)[:, None]
    x, (shares, powers) = 2 * near - 1, np.transpose(TAILS)
    gains = [
        np.array(SLOPES) * x,
        np.array(SPREADS) * (3 * x**2 - 1) / 2,
        *(shares * (powers * side ** (powers - 1) - 1) for side in (near, 1 - near)),
    ]
    factors: Floats = np.log1p(np.hstack(gains))
    return factors


def _log_rest(rows: Indices | int) -> Floats:
    """Compute the logarithm of the wealth that does not bet yet after a number of rows."""
    rest: Floats = math.log(1 - AT_ONCE) - np.log1p(np.asarray(rows) / PATIENCE) / 2
    return rest


def _log_added(rows: Indices) -> Floats:
    """Compute the logarithm of the wealth that starts to bet at each row: the rest's decrease."""
    before = _log_rest(rows - 1)
    added: Floats = before + np.log(-np.expm1(_log_rest(rows) - before))
    return added
