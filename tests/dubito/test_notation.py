"""How tables write numbers: every notation reads what it writes, and refuses all else."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubito.notation import Decimal, Notation, Thousands

DECIMALS: tuple[Decimal, ...] = (".", ",")
THOUSANDS: tuple[Thousands, ...] = ("", ",", ".", " ", "'")
MARKS = [(point, mark) for point, mark in product(DECIMALS, THOUSANDS) if point != mark]
GERMAN = Notation(",", ".")
SPACED = Notation(".", " ")
AMOUNT = Notation(".", ",", "$", "months")
BLANKS = st.sampled_from(["", " ", "  ", "\u00a0"])


@pytest.mark.parametrize(("decimal", "thousands"), MARKS)
@given(
    cents=st.integers(-(10**14), 10**14),
    prefix=st.sampled_from(["", "$", "EUR"]),
    suffix=st.sampled_from(["", "%", "개월"]),
    blank=BLANKS,
)
def test_a_formatted_number_reads_back(
    decimal: Decimal, thousands: Thousands, cents: int, prefix: str, suffix: str, blank: str
) -> None:
    """A float written with a notation's marks, prefix and suffix is the same float again."""
    marks = str.maketrans({",": thousands, ".": decimal})
    text = format(cents / 100, ",.2f").translate(marks)
    notation = Notation(decimal, thousands, prefix, suffix)
    assert notation.number(f"{blank}{prefix}{blank}{text}{blank}{suffix}{blank}") == cents / 100


@pytest.mark.parametrize(
    ("notation", "text", "expected"),
    [
        (Notation(), " +.5 ", 0.5),
        (Notation(), "-2.5e-3", -0.0025),
        (Notation(","), "0,25", 0.25),
        (Notation(".", ","), "1,234,567.5", 1_234_567.5),
        (Notation(".", ","), "1234567", 1_234_567),
        (GERMAN, "1.234", 1_234),
        (Notation(".", "'"), "-1'234.5", -1_234.5),
        (SPACED, "1 234 567", 1_234_567),
        (SPACED, "1\u00a0234\u202f567\u2009890.5", 1_234_567_890.5),
        (AMOUNT, "$ 1,000 months", 1_000),
        (Notation(suffix=" months"), "36 months", 36),
    ],
)
def test_a_number_is_read_without_its_marks(notation: Notation, text: str, expected: float) -> None:
    """Separators, narrow and fixed blanks, prefix and suffix do not count."""
    assert notation.number(text) == expected


@pytest.mark.parametrize(
    ("notation", "text"),
    [
        *[(Notation(), text) for text in ("", "inf", "-Infinity", "nan", "1_000", "٣", "0x10")],
        *[(Notation(), text) for text in ("1,5", "1 000", "5%", "1.2.3", "--1", "e5")],
        *[(Notation(","), text) for text in ("1.5", "1,5,5", "inf", "1_0")],
        *[(Notation(".", ","), text) for text in ("1,23", "12345,678", ",123", "1,,234")],
        *[(Notation(".", ","), text) for text in ("1,234.5,6", "1_234", "nan", "1,234,")],
        *[(GERMAN, text) for text in ("1.5", "1.234.5", "1,234.5", "1234.567")],
        *[(SPACED, text) for text in ("1  234", "1\n234", "1\t234", "1 23")],
        *[(AMOUNT, text) for text in ("$36", "36 months", "36", "$ months", "-$36 months")],
        (Notation(prefix="ab", suffix="ba"), "aba"),
        (Notation(prefix="1", suffix="1"), "1"),
    ],
)
def test_what_is_not_a_number_in_the_notation_is_refused(notation: Notation, text: str) -> None:
    """Misplaced groups, a missing prefix or suffix, and Python's own words are no numbers."""
    with pytest.raises(ValueError, match=r"^$"):
        notation.number(text)


def test_zero_has_one_sign() -> None:
    """A negative zero is read as zero, so that equal rows have equal bytes."""
    assert math.copysign(1, Notation(",").number("-0,0")) == 1


@pytest.mark.parametrize(
    ("notation", "expected"),
    [
        (Notation(missing=("-1",)), True),
        (Notation(","), False),
        (Notation(thousands=","), False),
        (Notation(prefix="$"), False),
        (Notation(suffix="%"), False),
    ],
)
def test_a_plain_notation_is_that_of_programs(notation: Notation, expected: bool) -> None:
    """Texts for gaps leave a notation plain; any mark does not."""
    assert notation.is_plain is expected


def test_a_gap_is_a_text_or_an_equal_number() -> None:
    """The text -999 stands for missing, and so does the number; texts that are none match alone."""
    notation = Notation(missing=("-999", "unknown", "nan", "1e3"))
    texts = ("-999", "unknown", "-999.0", "-99", "")
    assert [text for text in texts if notation.is_missing(text)] == ["-999", "unknown", "-999.0"]
    numbers = (-999.0, 1_000.0, 999.0, 0.0, math.nan)
    assert [number for number in numbers if notation.is_sentinel(number)] == [-999.0, 1_000.0]
    assert not Notation().is_sentinel(0.0)
