"""Monte-Carlo precision: the 95% interval of a mean over passes, and when to check it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dubito.targets import ClassTarget, Target
from dubito.types import Floats

FIRST = 64
"""Passes before the first checkpoint; each further checkpoint has twice as many."""

HALF_WIDTH = 0.01
"""Default half-width to reach, of probabilities."""
NUMBER_HALF_WIDTH = 0.05
"""Default half-width to reach of a number, as a share of the standard deviation of its values."""
LEAST_TOLERANCE, MOST_TOLERANCE = 0.0001, 0.5
"""Least and largest half-width that may be asked for, as a share of the scale."""

UNSEEN = 1 / 4
"""Assumed deviation of one more pass, from which the floor of a half-width follows."""


def balanced(passes: int, members: int) -> int:
    """Return the least number from `passes` on that gives all members of an ensemble as many."""
    return -(-passes // members) * members


def checkpoints(most: int, members: int = 1) -> Iterator[int]:
    """Yield the numbers of passes at which precision is checked: 64, 128, 256, …, last `most`.

    They are few and fixed in advance, because checking after every pass would stop by chance. Those
    of an ensemble are multiples of its members; `most` is one.
    """
    passes = balanced(FIRST, members)
    while passes < most:
        yield passes
        passes *= 2
    yield most


@dataclass(frozen=True, slots=True)
class MeanPrecision:
    """How precise the mean over the passes is, for one kind of target."""

    scale: float = 1.0
    """Size of what is large: 1 for probabilities, for a number the standard deviation of its
    values."""
    single: float = 1.0
    """Half-width after one pass, of whose deviation nothing is known."""
    most: float = 1.0
    """Largest half-width that there is."""
    columns: tuple[int, ...] | None = None
    """Indices of the outputs whose means count; None for all."""
    members: int = 1
    """Networks whose passes alternate."""

    @classmethod
    def of(cls, target: Target, members: int = 1) -> "MeanPrecision":
        """Return the precision of a target's means, of one network or an ensemble."""
        if isinstance(target, ClassTarget):
            return cls(members=members)
        return cls(target.std, 2 * target.std, np.inf, target.unit_columns, members)

    @property
    def usual(self) -> float:
        """Default half-width to reach; of a number in its unit, to two digits."""
        if self.most == PROBABILITIES.most:
            return HALF_WIDTH
        return _rounded(NUMBER_HALF_WIDTH * self.scale)

    @property
    def limits(self) -> tuple[float, float]:
        """Least and largest half-width that may be asked for; of a number to two digits."""
        return _rounded(LEAST_TOLERANCE * self.scale), _rounded(MOST_TOLERANCE * self.scale)

    def half_widths(self, std: Floats, passes: int) -> Floats:
        """Compute the half-width `(N,)` of a 95% interval of the mean, the largest over outputs.

        It is `2 · √(s²/T + (a/4T)²)`, where `s` is the deviation with `ddof=1` and `a` the scale:
        two standard errors, and a floor as if one more pass had deviated by a quarter of the scale.
        So `T` equal passes give `a/(2T)`, not certainty. In that case a shift of the mean beyond
        `a/(2T)`, from an outcome not yet observed that is at most `a/6` away, needs a probability
        above `3/T` a pass, and such an outcome stays unobserved in `T` passes with a probability
        below `e⁻³`, 5%: the rule of three (Hanley and Lippman-Hand 1983). Probabilities have a
        scale of 1, and no half-width above it.

        The members of an ensemble are given, so that `s²` is the mean variance within its `K`
        members, and `T` less `K` are the degrees of freedom.

        Args:
            std: `(N, C)`, population standard deviations (`ddof=0`) over the passes, of an ensemble
                within its members, see `Summary.sampling_std`.
            passes: number of these passes, `T`.
        """
        if passes <= self.members:
            return np.full(len(std), self.single)
        counted = std if self.columns is None else std[:, self.columns]
        largest, least = counted.max(axis=1), UNSEEN * self.scale / passes
        widths: Floats = 2 * np.sqrt(np.square(largest) / (passes - self.members) + least * least)
        return np.minimum(widths, self.most)

    def floor(self, passes: int) -> float:
        """Compute the least half-width that a number of passes can reach."""
        columns = 1 if self.columns is None else 1 + max(self.columns)
        return float(self.half_widths(np.zeros((1, columns)), passes)[0])


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


PROBABILITIES = MeanPrecision()
"""Precision of the means of one network's probabilities."""
