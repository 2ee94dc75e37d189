"""Texts that a file or a client chose, made fit for one line of a terminal, a log or a page."""

import unicodedata

CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that a terminal may obey, or that end a line."""
TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of writing, so that a text reads as another one."""


def is_printable(text: str) -> bool:
    """Whether a text has nothing but what is shown: no control character, no line break."""
    return text.isprintable() or not any(map(_is_control, text))


def printable(text: str, kept: str = "") -> str:
    r"""A text with every control character written out, as `\x1b`; those in `kept` stay."""
    if is_printable(text):
        return text
    return "".join(
        _escape(letter) if _is_control(letter) and letter not in kept else letter for letter in text
    )


def _is_control(letter: str) -> bool:
    return letter in TURNS or unicodedata.category(letter) in CONTROLS


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
