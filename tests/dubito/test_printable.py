"""Texts of files and clients, as they are shown."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from dubito.printable import is_printable, printable


@given(st.text(st.characters(codec=None)))
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    """Whatever a text holds, what is shown has no control character, and harmless text stays."""
    shown = printable(text)
    assert is_printable(shown)
    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert is_printable(text) == (shown == text)


def test_letters_of_any_writing_stay() -> None:
    """Also those that Python's own `isprintable` refuses: other spaces and joiners."""
    text = "대출금액 m²\u00a0\u3000\u200d👩‍💻 é"
    assert not text.isprintable()
    assert printable(text) == text


def test_what_may_stay_is_said() -> None:
    """Line breaks of a text of several lines."""
    assert printable("a\n\x1b", "\n") == "a\n\\x1b"
    assert printable("a\n\x1b") == "a\\n\\x1b"
