"""Makes output safe for any terminal: replaces characters that its encoding lacks."""

import codecs
import io
import json
import os
import sys
from typing import Any

PLAIN = str.maketrans(
    {
        "█": "#",
        "░": ".",
        "━": "-",
        "±": "+-",
        "×": "x",
        "−": "-",
        "–": "-",
        "…": "...",
        "·": "-",
        "→": "->",
        "²": "^2",
    }
)
"""Replacements of the non-ASCII characters in Dubito's own output; other characters are escaped."""

HANDLER = "legible"


def adapt_streams() -> None:
    """Make stdout and stderr accept any text, whatever their encoding.

    A closed stream is replaced by the null device: otherwise the next file to be opened, such as a
    database, would get its descriptor, and output of libraries would be written into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    codecs.register_error(HANDLER, _legible)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def printable_json(value: Any) -> str:
    """Format a value as JSON that stdout can write: escaped if its encoding is not UTF-8."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    is_utf8 = codecs.lookup(encoding).name == "utf-8"
    text = json.dumps(value, ensure_ascii=not is_utf8)
    # UTF-8 cannot encode a lone surrogate, which a name of a file may contain.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _legible(error: UnicodeError) -> tuple[str, int]:
    """Replace text that cannot be encoded by similar ASCII characters or JSON escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    piece = error.object[error.start : error.end].translate(PLAIN)
    return "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in piece), error.end
