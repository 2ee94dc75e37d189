"""How many passes are enough: until a 95% interval of every class' mean is narrow enough."""

from collections.abc import Iterator

import numpy as np

from dubito.types import Floats

FIRST = 64
"""Passes before the first look; each further look comes after twice as many."""

TOLERANCE = 0.01
"""The half-width that is asked for unless a request names one."""

UNSEEN = 1 / 4
"""How far off one pass more may have been, for the floor of a half-width."""


def checkpoints(most: int) -> Iterator[int]:
    """The numbers of passes that are looked at: 64, 128, 256, … and last `most`, if that is none.

    They are few and fixed beforehand, since looking after every pass would stop by luck.
    """
    passes = FIRST
    while passes < most:
        yield passes
        passes *= 2
    yield most


def half_widths(std: Floats, passes: int) -> Floats:
    """Half the width `(N,)` of a 95% interval of the mean, the largest over the classes, at most 1.

    `2 · √(s²/T + 1/(4T)²)`, where `s` is the deviation with `ddof=1`: two standard errors, and a
    floor as though one pass more had answered otherwise by a quarter. So `T` equal passes read as
    `1/(2T)`, not as certainty. With them a shift beyond `1/(2T)`, from an answer not yet seen that
    is at most 1/6 away, needs a probability above `3/T` a pass, and such an answer stays unseen in
    `T` passes with a chance below `e⁻³`, 5%: the rule of three (Hanley and Lippman-Hand 1983).

    Args:
        std: `(N, C)`, population standard deviations (`ddof=0`) over the passes.
        passes: how many passes `T` those are; of one pass nothing is known.
    """
    if passes == 1:
        return np.ones(len(std))
    largest = std.max(axis=1)
    widths: Floats = 2 * np.sqrt(np.square(largest) / (passes - 1) + np.square(UNSEEN / passes))
    return np.minimum(widths, 1.0)


def floor(passes: int) -> float:
    """The least half-width that so many passes can reach."""
    return float(half_widths(np.zeros((1, 1)), passes)[0])
