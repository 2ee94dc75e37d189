"""Splits the JSON of many rows into parts, so that the event loop can run between them."""

import re
from collections.abc import Iterator

SPACE = b" \t\r\n"
ROWS_OF_A_PART = 64
HEAD = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"instances"[ \t\r\n]*:[ \t\r\n]*\[')
TAIL = re.compile(rb"[ \t\r\n]*\][ \t\r\n]*\}[ \t\r\n]*\Z")
LONGEST_TAIL = 64
NOTHING = b""


def parts(body: bytes) -> Iterator[bytes]:
    """Yield the rows of a body as JSON lists of at most 64 rows; nothing if it is not a long list.

    Every closing brace is assumed to end a row. If that is wrong (a brace in a string, an object in
    a row), some part is not valid JSON; if every part is valid, the body lists exactly their rows.
    """
    last = max(0, len(body) - LONGEST_TAIL)
    head, tail = HEAD.match(body), TAIL.search(body, last)
    if head is None or tail is None:
        return
    start, end = head.end(), tail.start()
    if body.count(b"}", start, end) <= ROWS_OF_A_PART:
        return
    is_first = True
    while start < end:
        stop = _after_rows(body, start, end)
        piece = body[start:stop].lstrip(SPACE)
        if is_first:
            yield b"[%b]" % piece
        else:
            yield b"[%b]" % piece[1:] if piece.startswith(b",") else NOTHING
        start, is_first = stop, False


def _after_rows(body: bytes, start: int, end: int) -> int:
    """Return the end of a part: after `ROWS_OF_A_PART` closing braces, or the end of the list."""
    for _ in range(ROWS_OF_A_PART):
        found = body.find(b"}", start, end)
        if found < 0:
            return end
        start = found + 1
    return start
