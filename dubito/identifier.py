"""Identifiers of predictions and records: UUID version 7 (RFC 9562 §5.7), which sort by time."""

import os
import re
import time
from collections import deque
from functools import lru_cache

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
AT_ONCE = 256
"""Identifiers whose random part is drawn, and made into text, at a time: a system call costs more
than they do. `dubito.system_random` keeps numbers, of which each would be made into text alone."""
DRAWN = 10
"""Random bytes of an identifier, of whose 80 bits 74 are used."""
VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
"""Random digit to one that has the variant of the RFC (§4.1) in its first two bits."""

_tails: deque[str] = deque()
# A forked process must not draw what its parent draws.
os.register_at_fork(after_in_child=_tails.clear)


def new_id() -> str:
    """Generate an identifier: 48 bits of Unix milliseconds, then random bits."""
    head = _head(time.time_ns() // 1_000_000)
    while True:
        try:
            return head + _tails.popleft()
        except IndexError:
            _draw()


def is_id(text: str) -> bool:
    """Return whether a text has the form of an identifier.

    Checked before a query: databases raise errors on some other texts, such as those with NUL.
    """
    return ID.fullmatch(text) is not None


@lru_cache(1)
def _head(milliseconds: int) -> str:
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _draw() -> None:
    """Draw random parts, each with the version and the variant."""
    digits, size = os.urandom(DRAWN * AT_ONCE).hex(), 2 * DRAWN
    _tails.extend(
        f"-7{one[:3]}-{VARIANT[one[3]]}{one[4:7]}-{one[7:19]}"
        for one in (digits[at : at + size] for at in range(0, len(digits), size))
    )
