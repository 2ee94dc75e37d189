"""Identifiers of predictions and records: UUID version 7 (RFC 9562 §5.7), which sort by time."""

import re
import time

from dubito.system_random import random_bits

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_id() -> str:
    """Generate an identifier: 48 bits of Unix milliseconds, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = random_bits(74)
    high, low = random >> 62, random & ((1 << 62) - 1)
    digits = f"{(milliseconds << 80) | (7 << 76) | (high << 64) | (2 << 62) | low:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_id(text: str) -> bool:
    """Return whether a text has the form of an identifier.

    Checked before a query: databases raise errors on some other texts, such as those with NUL.
    """
    return ID.fullmatch(text) is not None
