"""The level that an alarm holds, however often one looks.

Evidence is the wealth of somebody who began with 1 and bets, at fair odds or worse, that something
is not as promised. If all is as promised, it ever reaches 100 with a chance of at most 1% (Ville
1939): so it may be looked at after every row. It is kept as a logarithm.
"""

import math

ALPHA = 0.01
"""Most chance that an alarm is ever raised though all is as promised."""
THRESHOLD = 1 / ALPHA
"""Evidence that raises an alarm."""
MOST = 700.0
"""Largest logarithm whose number is shown; beyond it a double would soon be infinite."""


def raised(largest: float) -> bool:
    """Whether the logarithm of the largest evidence so far raises the alarm."""
    return largest >= math.log(THRESHOLD)


def shown(evidence: float) -> float:
    """The evidence as a number, for its logarithm."""
    return math.exp(min(evidence, MOST))
