"""Threshold of the alarms, which stays valid when evidence is checked after every row.

Evidence is the wealth of a gambler who starts with 1 and bets, at fair odds or worse, that
something is not as promised. If everything is as promised, the probability that it ever reaches 100
is at most 1% (Ville 1939), so that it may be checked after every row. It is stored as a natural
logarithm.
"""

import math

ALPHA = 0.01
"""Largest probability that an alarm is ever raised if everything is as promised."""
THRESHOLD = 1 / ALPHA
"""Evidence that raises an alarm."""
MOST = 700.0
"""Largest logarithm that is shown as a number; soon beyond it a double would be infinite."""


def raised(largest: float) -> bool:
    """Return whether the logarithm of the largest evidence so far raises the alarm."""
    return largest >= math.log(THRESHOLD)


def finite_evidence(evidence: float) -> float:
    """Convert the logarithm of evidence to a finite number."""
    return math.exp(min(evidence, MOST))
