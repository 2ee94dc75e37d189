"""Parts of a long list of rows, so that reading it need not be done in one go."""

import re

SPACE = b" \t\r\n"
ROWS_OF_A_PART = 64
HEAD = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"instances"[ \t\r\n]*:[ \t\r\n]*\[')
PIECE = re.compile(rb"(?:[^}]*\}){1,%d}" % ROWS_OF_A_PART)


def parts(body: bytes) -> list[bytes]:
    """Lists in JSON of some of the rows each, or none where a body is not a long list.

    Rows are taken to end with each closing brace. Where that is wrong (a brace in a string, an
    object in a row) some part is no JSON; where every part is, the body lists their rows.
    """
    head = HEAD.match(body)
    listed = _within(body[head.end() :]) if head is not None else None
    if listed is None or listed.count(b"}") <= ROWS_OF_A_PART:
        return []
    pieces = PIECE.findall(listed)
    if sum(map(len, pieces)) != len(listed):
        return []
    first, *others = (piece.lstrip(SPACE) for piece in pieces)
    if not all(piece.startswith(b",") for piece in others):
        return []
    return [b"[%b]" % piece for piece in (first, *(piece[1:] for piece in others))]


def _within(text: bytes) -> bytes | None:
    """What stands before the brackets that close a list and the object around it."""
    for closing in (b"}", b"]"):
        text = text.rstrip(SPACE)
        if not text.endswith(closing):
            return None
        text = text[:-1]
    return text.rstrip(SPACE)
