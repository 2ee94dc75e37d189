"""Identifiers of predictions and records: UUID version 7 (RFC 9562 §5.7), which sort by time."""

import re
import time
from functools import lru_cache

from dubito.system_random import DrawnAhead

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DRAWN = 10
"""Random bytes of an identifier, of whose 80 bits 74 are used."""
VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
"""Random digit to one that has the variant of the RFC (§4.1) in its first two bits."""


def new_id() -> str:
    """Generate an identifier: 48 bits of Unix milliseconds, then random bits."""
    return _head(time.time_ns() // 1_000_000) + _tails.take()


def is_id(text: str) -> bool:
    """Return whether a text has the form of an identifier.

    Checked before a query: databases raise errors on some other texts, such as those with NUL.
    """
    return ID.fullmatch(text) is not None


@lru_cache(1)
def _head(milliseconds: int) -> str:
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _tail(drawn: bytes) -> str:
    """Return the random part with the version and the variant."""
    digits = drawn.hex()
    return f"-7{digits[:3]}-{VARIANT[digits[3]]}{digits[4:7]}-{digits[7:19]}"


_tails = DrawnAhead(DRAWN, _tail)
