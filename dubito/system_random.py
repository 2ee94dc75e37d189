"""Random numbers of the operating system, read many at a time: a call costs more than they do."""

import os
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

BITS = 80
"""Largest size of a number, bits."""
AT_ONCE = 256
"""Numbers, or what is made of them, that are read at a time."""

Made = TypeVar("Made")


class DrawnAhead(Generic[Made]):
    """What is made of random bytes, many at a time, and each taken once; threads may take at once.

    A forked process does not take what its parent has drawn.
    """

    def __init__(self, size: int, make: Callable[[bytes], Made]) -> None:
        """Take the number of bytes that one needs, and what makes one of them."""
        self._size = size
        self._make = make
        self._drawn: deque[Made] = deque()
        os.register_at_fork(after_in_child=self._drawn.clear)

    def take(self) -> Made:
        """Return one."""
        while True:
            try:
                return self._drawn.popleft()
            except IndexError:
                self._draw()

    def _draw(self) -> None:
        size = self._size
        drawn = os.urandom(AT_ONCE * size)
        self._drawn.extend(self._make(drawn[at : at + size]) for at in range(0, len(drawn), size))


_numbers = DrawnAhead(BITS // 8, lambda drawn: int.from_bytes(drawn, "big"))


def random_bits(count: int) -> int:
    """Draw a whole number of `count` uniform bits, 1 to `BITS`; threads may draw at once."""
    return _numbers.take() >> (BITS - count)
