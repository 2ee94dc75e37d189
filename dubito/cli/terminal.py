"""What a terminal can show: characters that its encoding lacks are written in others."""

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
"""What this project's own output has beyond ASCII; letters of other languages are escaped."""

HANDLER = "legible"


def adapt_streams() -> None:
    """Let stdout and stderr write whatever they are given, in any encoding.

    A stream that is closed gets the null device in its place: otherwise the next file that is
    opened, a database say, would get its number, and what libraries print would land in that file.
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


def to_json(value: Any) -> str:
    """A value as JSON that stdout can write: escaped where its encoding is not UTF-8."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    is_utf8 = codecs.lookup(encoding).name == "utf-8"
    text = json.dumps(value, ensure_ascii=not is_utf8)
    # Half of a character outside the first 65,536, as file names may have.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _legible(error: UnicodeError) -> tuple[str, int]:
    """In place of what cannot be encoded: something like it, or an escape of JSON's kind."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    piece = error.object[error.start : error.end].translate(PLAIN)
    return "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in piece), error.end
