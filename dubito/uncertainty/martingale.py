"""A conformal test martingale: evidence that a stream is no longer what the reference was.

Each value gets a conformal p-value among the reference and all values before it. While reference
and stream are exchangeable, these p-values are independent and uniform (Vovk et al. 2005, section
2.2 and chapter 7), so whoever bets on them does so at fair odds (Vovk 2021, "Testing randomness
online").
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
"""Share that is bet on a tail, and the power of the bet; the second for values far out but rare."""
BETS = len(SLOPES) + len(SPREADS) + 2 * len(TAILS)
NARROW = 1e-12
"""p-values keep this distance from 0 and 1, for their logarithms."""

AT_ONCE = 0.5
"""Share of the wealth that bets from the first row on."""
PATIENCE = 1_000
"""Of the rest, (1 + n / PATIENCE)^−½ does not bet yet after `n` rows."""


@dataclass(frozen=True, slots=True)
class Martingale:
    """What is known after some rows of a stream; logarithms are natural.

    The wealth is 1 at first. Half of it is spread over the bets of `log_factors` at once; of the
    rest, a little is added to them after every row. So some of it begins about when a change comes,
    and has lost nothing until then. A mixture over bets and times of change is a martingale as they
    are. In simulations a changed mix of grades raised the wealth, from the interest paid, to 1,000
    after 140 rows where it came with the first row, and after 280 where it came with row 200,000.
    With all bets placed at once it took 690 from row 2,000 on and was missed from row 10,000 on;
    the Simple Jumper of Vovk et al. 2021, "Retrain or not retrain", which pays for its jumps in
    every row, took 110 from the first row on, 690 from row 10,000 on, and missed it later.
    """

    bag: tuple[int, ...]
    """`(B,)`, what each bin holds of the reference and the stream so far."""
    rows: int
    """Of the stream."""
    stakes: tuple[float, ...]
    """`(BETS,)`, logarithms of what lies on each bet."""
    largest: float
    """Logarithm of the largest wealth so far."""

    @classmethod
    def begin(cls, bins: Bins) -> "Martingale":
        """Before the first row."""
        return cls(bins.reference, 0, (math.log(AT_ONCE / BETS),) * BETS, 0.0)

    @property
    def evidence(self) -> float:
        """Logarithm of the wealth now."""
        return float(np.logaddexp(np.logaddexp.reduce(self.stakes), _log_rest(self.rows)))

    def advance(self, places: Indices, uniforms: Floats) -> "Martingale":
        """After more rows, in this order.

        Args:
            places: `(M,)`, the bins of their values.
            uniforms: `(M,)`, drawn between 0 and 1, which settle ties.

        Raises:
            IndexError: a bin that is none.
        """
        if not len(places):
            return self
        bag, rows = np.array(self.bag), self.rows + np.arange(1, len(places) + 1)
        won = np.cumsum(log_factors(p_values(bag, places, uniforms)), axis=0)
        # What is added later counts as though it had always lain there, but for what was won before
        # it came: then all stakes are one cumulative sum, times what was won since the beginning.
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
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> "Martingale":
        """From what `to_json` gave."""
        return cls(tuple(state["bag"]), state["rows"], tuple(state["stakes"]), state["largest"])


def p_values(bag: Indices, places: Indices, uniforms: Floats) -> Floats:
    """The smoothed conformal p-values `(M,)` of values that come one after the other.

    p = (#{larger} + u · #{equal, itself too}) / #{all, itself too}, among the bag and what came
    before, by the order of bins (Vovk et al. 2005, section 2.2). Large values have small ones.

    Bins are drawn with the reference at hand, so a value is not quite exchangeable with it: where a
    bin holds c of N, the next value is in it with probability c / (N + 1), and p is spread as for
    c + 1. That bends the law of p by 1/c within a bin, and no bet looks that closely.

    Args:
        bag: `(B,)`, what each bin holds beforehand.
        places: `(M,)`, the bins of the values.
        uniforms: `(M,)`, the u.

    Raises:
        IndexError: a bin that is none.
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
    """What each bet multiplies its stake by, `(M,)` → `(M, BETS)`, in logarithms.

    Each is a density between 0 and 1, so that it is fair where p is uniform. With x = 2p − 1:

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
    """What does not bet yet after so many rows."""
    rest: Floats = math.log(1 - AT_ONCE) - np.log1p(np.asarray(rows) / PATIENCE) / 2
    return rest


def _log_added(rows: Indices) -> Floats:
    """What begins to bet after row 1, 2, …: by how much the rest becomes less with it."""
    before = _log_rest(rows - 1)
    added: Floats = before + np.log(-np.expm1(_log_rest(rows) - before))
    return added
