"""Monte-Carlo precision: the 95% interval of a mean over passes, and when to check it."""

from collections.abc import Iterator

import numpy as np

from dubito.types import Floats

FIRST = 64
"""Passes before the first checkpoint; each further checkpoint has twice as many."""

HALF_WIDTH = 0.01
"""Default half-width to reach."""

UNSEEN = 1 / 4
"""Assumed deviation of one more pass, from which the floor of a half-width follows."""


def checkpoints(most: int) -> Iterator[int]:
    """Yield the numbers of passes at which precision is checked: 64, 128, 256, …, last `most`.

    They are few and fixed in advance, because checking after every pass would stop by chance.
    """
    passes = FIRST
    while passes < most:
        yield passes
        passes *= 2
    yield most


def half_widths(std: Floats, passes: int) -> Floats:
    """Compute the half-width `(N,)` of a 95% interval of the mean, the largest over the classes.

    It is `2 · √(s²/T + 1/(4T)²)`, at most 1, where `s` is the deviation with `ddof=1`: two standard
    errors, and a floor as if one more pass had deviated by a quarter. So `T` equal passes give
    `1/(2T)`, not certainty. In that case a shift of the mean beyond `1/(2T)`, from an outcome not
    yet observed that is at most 1/6 away, needs a probability above `3/T` a pass, and such an
    outcome stays unobserved in `T` passes with a probability below `e⁻³`, 5%: the rule of three
    (Hanley and Lippman-Hand 1983).

    Args:
        std: `(N, C)`, population standard deviations (`ddof=0`) over the passes.
        passes: number of these passes, `T`; with one pass the half-width is 1.
    """
    if passes == 1:
        return np.ones(len(std))
    largest, least = std.max(axis=1), UNSEEN / passes
    widths: Floats = 2 * np.sqrt(np.square(largest) / (passes - 1) + least * least)
    return np.minimum(widths, 1.0)


def floor(passes: int) -> float:
    """Compute the least half-width that a number of passes can reach."""
    return float(half_widths(np.zeros((1, 1)), passes)[0])
