"""One table in every way that programs write it: the same numbers, or a refusal that says why."""

import csv
import itertools
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.dubito.training.tables.houses import (
    HEADER,
    KOREAN,
    WANTED,
    Dialect,
    found,
    read,
    refusal,
    zipped,
)

Row = tuple[float, int, str]

CHOICES: dict[str, list[Any]] = {
    "separator": [",", ";", "\t", "|"],
    "decimal": [".", ","],
    "encoding": ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp949", "euc-kr"],
    "ending": ["\n", "\r\n", "\r"],
    "quoting": [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC],
    "header": [HEADER, KOREAN],
    "form": ["NFC", "NFD"],
    "packing": ["plain", "gzip", "zip", "backslash", "single"],
    "empty": [0, 0, 3],
    "stated": [False, False, True],
}
UNREADABLE = {"utf-16-le": "without a byte order mark", "utf-16-be": "without a byte order mark"}
REFUSALS = ("can be read in two ways", "has a thousands separator", *UNREADABLE.values())


def table(draw: random.Random) -> list[Row]:
    """Rows with numbers of every length and texts that need quotes."""
    kinds = ["flat", "villa", "a; b", "a, b", 'the "old" one', "two\nlines", "a|b\tc"]
    digits = draw.choice([1, 2, 3, 7])
    return [
        (
            round(draw.uniform(0, 10 ** draw.randint(0, 6)), digits),
            draw.randint(0, 99),
            draw.choice(kinds),
        )
        for _ in range(draw.choice([1, 2, 3, 12]))
    ]


def dialect(draw: random.Random) -> Dialect:
    """Any mixture of choices."""
    choices: dict[str, Any] = {name: draw.choice(values) for name, values in CHOICES.items()}
    if choices["encoding"] in ("cp949", "euc-kr"):
        # They have no decomposed letters.
        choices["form"] = "NFC"
    if choices["ending"] == "\r" and choices["quoting"] == csv.QUOTE_MINIMAL:
        # Python's writer leaves a line feed without quotes where lines end in another way.
        choices["quoting"] = csv.QUOTE_ALL
    if not draw.randrange(12):
        choices["encoding"] = draw.choice(list(UNREADABLE))
    return Dialect(**choices)


@pytest.mark.claim("dialects", test=200, proof=5_000)
def test_a_table_is_read_the_same_or_refused_by_name(count: int) -> None:
    """A table in a drawn dialect gives its numbers to the last bit, or a refusal that is due."""
    draw = random.Random(16)
    refused = 0
    for _ in range(count):
        rows, written = table(draw), dialect(draw)
        if written.encoding in UNREADABLE or is_doubtful(rows, written):
            refused += 1
            assert any(reason in refusal(written.write(rows)) for reason in REFUSALS), written
            continue
        result = read(written.write(rows))
        np.testing.assert_array_equal([row[:2] for row in rows], result.numbers, str(written))
        assert [row[2] for row in rows] == result.kinds, written
    assert 0 < refused < count / 4


def is_doubtful(rows: list[Row], written: Dialect) -> bool:
    """Whether no decimal mark of a table can be told from a separator of thousands."""
    if written.decimal == "." and written.separator == ",":
        return False
    marked = [area for area, _, _ in rows if "." in repr(area)]
    return bool(marked) and all(
        1 <= area < 1000 and len(repr(area).partition(".")[2]) == 3 for area in marked
    )


def test_every_separator_encoding_and_mark_is_told() -> None:
    """One line says what was found: packing, encoding, separator, mark, empty rows, size."""
    rows = [(1.5, 2, "flat"), (2.25, 3, "villa")]
    plain = Dialect(";", ",", empty=3, encoding="utf-16", packing="backslash")
    assert found(plain.write(rows)).told == (
        "CSV, train.csv in a zip, UTF-16, columns separated by semicolons, decimal comma, "
        "3 empty rows after row 2 skipped, 2 rows × 3 columns"
    )
    marked = Dialect("\t", encoding="utf-8-sig", packing="gzip", empty=1)
    assert found(marked.write(rows)).told == (
        "CSV, gzip, UTF-8 with a byte order mark, columns separated by tabs, decimal point, "
        "1 empty row after row 2 skipped, 2 rows × 3 columns"
    )


def test_empty_rows_are_skipped_wherever_they_are() -> None:
    """Blank lines and rows of separators alone, before the header too, do not count as rows."""
    result = read(b"\n,,\narea,price,kind\n\n1.5,2,flat\n , ,\n\n2.5,3,villa\n,,\n")
    np.testing.assert_array_equal(result.numbers, [[1.5, 2], [2.5, 3]])
    assert refusal("area,price,kind\n1.5,2,flat\n,,\n2.5,3\n") == "has 2 columns in row 2, not 3"


def test_what_can_be_cut_in_two_ways_is_refused() -> None:
    """Both readings are named where both are tables with the wanted columns."""
    assert refusal("kind;x,kind\na;b,c\n", WANTED[2:]) == (
        "can be read in two ways, cut at commas (2 columns) or semicolons (2 columns): quote the "
        "values that hold a separator"
    )


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_columns_that_are_asked_for_decide(separator: str) -> None:
    """Where texts hold other separators, the header shows which one cuts."""
    header = separator.join(["area", "price", "kind", "a,b;c|d".replace(separator, "")])
    row = separator.join(["1.5", "2", "flat", "e,f;g|h".replace(separator, "")])
    assert read(f"{header}\n{row}\n".encode()).kinds == ["flat"]


def test_a_stated_separator_is_the_one() -> None:
    """Excel's `sep=;` as the first line is no row, and an unknown one is refused."""
    rows = [(1.5, 2, "flat")]
    for separator, mark in itertools.product(",;\t|", ".,"):
        written = Dialect(separator, mark, stated=True)
        assert read(written.write(rows)).numbers.tolist() == [[1.5, 2.0]]
    assert refusal("sep=x\narea\n") == "states a separator that is not supported"
    assert refusal("sep=;\narea,price,kind\n1,2,flat\n").startswith("has a single column, not")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("\n ,\n", "is empty"),
        ("\ufeff", "is empty"),
        ("area,price,kind\n", "has no rows"),
        ("area,price,kind\n,,\n", "has no rows"),
        ("1.5,2,flat\n2.5,3,flat\n", "has no header: its first row must name the columns"),
        ("1,5;2;flat\n2,5;3;flat\n", "has no header: its first row must name the columns"),
        ("area price kind\n1 2 flat\n", "has a single column, not area (면적)"),
        ("area;price;kind\n1,5;2;flat\n1,5;2\n", "has 2 columns in row 2, not 3"),
        ("area,price,kind\n1,2,flat,x\n", "has 4 columns in row 1, not 3"),
        ('area,price,kind\n1,2,"flat\n', "is not a CSV: line 2: unexpected end of data"),
        ('sep=,\narea,price,kind\n1,2,"flat\n', "is not a CSV: line 3: unexpected end of data"),
        ("area,kind\n1.5,flat\n", "there is no column price"),
        ("area,면적,price,kind\n1,1,1,flat\n", "area (면적) stands in more than one column"),
        ("area,price,kind\n" + "x," * 2**19 + "x", "has a row of more than 1,048,576 characters"),
        (f"area,price,kind\n1,2,{'x' * 200_000}\n", "is not a CSV: line 2: field larger than"),
    ],
)
def test_what_is_no_table_is_refused(text: str, sentence: str) -> None:
    """The true cause, with the row or line, and no value."""
    assert refusal(text).startswith(sentence)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\xff\xfea\0r", "begins as UTF-16 text, but cannot be decoded as such"),
        (b"\xef\xbb\xbfarea\xff", "begins as UTF-8 with a byte order mark text, but"),
        ("area,price,größe,x\n1,2,3,ä".encode("latin-1"), "is neither UTF-8 nor CP949 text: save"),
        (
            "area,price,größe\n".encode("latin-1"),
            "there is no column kind (종류), if houses is CP949: save it as CSV UTF-8",
        ),
        ("area".encode("utf-16-le"), "is no text, or UTF-16 without a byte order mark: save it"),
        (b"area,pr\0ice", "is no text, or UTF-16 without"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, sentence: str) -> None:
    """The encodings that would do are named."""
    assert refusal(data).startswith(sentence)


def test_a_wrong_name_does_not_matter() -> None:
    """What a file is called in a zip is not asked, apart from which one it is."""
    rows = [(1.5, 2, "flat")]
    data = replace(Dialect(), encoding="cp949", header=KOREAN).write(rows)
    for members in ({"TRAIN.CSV": data}, {"a/b\\Train.csv": data, "x.csv": b""}, {"a.txt": data}):
        assert read(zipped(members)).kinds == ["flat"]
