"""Random numbers of the operating system, read many at a time: a call costs more than they do."""

import os
from collections import deque

BITS = 80
"""Largest size of a number, bits."""
AT_ONCE = 256
"""Numbers that are read at a time."""

_pool: deque[int] = deque()
# A forked process must not draw what its parent draws.
os.register_at_fork(after_in_child=_pool.clear)


def random_bits(count: int) -> int:
    """Draw a whole number of `count` uniform bits, 1 to `BITS`; threads may draw at once."""
    while True:
        try:
            return _pool.popleft() >> (BITS - count)
        except IndexError:
            size = BITS // 8
            drawn = os.urandom(AT_ONCE * size)
            _pool.extend(
                int.from_bytes(drawn[at : at + size], "big") for at in range(0, len(drawn), size)
            )
