"""Escapes and shortens untrusted text before it reaches a terminal, log or page."""

import unicodedata
from collections.abc import Sequence

CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories of characters that may control a terminal or end a line."""
TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional control characters, with which a text can be displayed as a different one."""

LONGEST_NAME = 64
"""Most characters shown of a name."""
LISTED_NAMES, LISTED_LETTERS = 10, 40
"""Most names shown of a list, and most characters of each."""


def is_printable(text: str) -> bool:
    """Return whether a text has neither control characters nor line breaks."""
    return text.isprintable() or not any(map(_is_control, text))


def printable(text: str, kept: str = "") -> str:
    r"""Escape every control character of a text, as in `\x1b`, except those in `kept`."""
    if is_printable(text):
        return text
    return "".join(
        _escape(letter) if _is_control(letter) and letter not in kept else letter for letter in text
    )


def shorten(name: str) -> str:
    """Shorten a name that a client may have chosen, and replace unprintable characters by `?`."""
    text = "".join(letter if letter.isprintable() else "?" for letter in name[:LONGEST_NAME])
    return text if len(name) <= LONGEST_NAME else f"{text}…"


def shortened(names: Sequence[str]) -> str:
    """Join the first names of a list for a message, each cut to a few letters."""
    joined = ", ".join(name[:LISTED_LETTERS] for name in names[:LISTED_NAMES])
    return f"{joined}, …" if len(names) > LISTED_NAMES else joined


def _is_control(letter: str) -> bool:
    return letter in TURNS or unicodedata.category(letter) in CONTROLS


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
