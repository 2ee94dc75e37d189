"""Tables as they are: of any form, with rows that cannot be scored, and with the truth."""

import csv
import gzip
import io
import json
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from dubito.bundle import Bundle, load
from dubito.cli.main import main
from dubito.scoring.text_stream import Records
from dubito.uncertainty.bins import bins_of
from dubito.uncertainty.drift import drift
from tests.scored import (
    digest_of,
    features_of,
    read_answers,
    rows_like,
    write_csv,
    write_lines,
    write_parquet,
)
from tests.service import ROOT

FOLDER = ROOT / "models" / "loan-grade" / "5"
SECRET = 47_114_711.5
ROWS = 30


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(FOLDER)


def score(table: Path, out: Path, *words: str, folder: Path = FOLDER) -> int:
    where = ("--out", str(out), "--model", str(folder), "--processes", "1")
    return main(["score", str(table), *where, *words])


def rejected(out: Path) -> dict[int, dict[str, Any]]:
    lines = (out / "rejected.ndjson").read_text(encoding="utf-8").splitlines()
    return {one.pop("row"): one for one in map(json.loads, lines)}


def summary(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_what_cannot_be_scored_is_told(bundle: Bundle, tmp_path: Path, form: str) -> None:
    """Row by row, with the reason and without the value; all other rows are answered."""
    rows: list[dict[str, Any]] = [
        {"case": f"K-{at}", **row} for at, row in enumerate(rows_like(bundle, ROWS))
    ]
    rows[2]["loan_amount"] = None
    rows[4]["annual_income"] = -SECRET
    rows[6]["delinq_2y"] = SECRET
    rows[8]["case"] = None
    rows[9] |= {"case": None, "loan_amount": None}
    expected: dict[int, dict[str, str]] = {
        3: {"key": "K-2", "reason": "loan_amount"},
        5: {"key": "K-4", "reason": "annual_income"},
        7: {"key": "K-6", "reason": "delinq_2y"},
        9: {"reason": "has no key"},
        10: {"reason": "loan_amount"},
    }
    table = {"csv": write_csv, "ndjson": write_lines, "parquet": write_parquet}[form](
        tmp_path / "table", rows
    )
    assert 0 == score(table, tmp_path / "out", "--key", "case")
    found = rejected(tmp_path / "out")
    assert expected.keys() == found.keys()
    for row, told in expected.items():
        assert found[row]["reason"].startswith(told["reason"])
        assert told.get("key") == found[row].get("key")
    written = b"".join(one.read_bytes() for one in (tmp_path / "out").rglob("*.*json"))
    assert b"4711" not in written
    answered = [one["row"] for one in read_answers(tmp_path / "out")]
    assert [at for at in range(1, ROWS + 1) if at not in expected] == answered
    counts = summary(tmp_path / "out")
    assert (ROWS, ROWS - 5, 5) == (counts["rows"], counts["scored"], counts["rejected"])
    assert 5 == sum(counts["reasons"].values())


def test_lines_that_are_no_rows_are_told(bundle: Bundle, tmp_path: Path) -> None:
    """What is no JSON, no object or given twice; other members do not matter, nor empty lines."""
    (row,) = rows_like(bundle, 1)
    good = json.dumps({"note": {"a": 1}, **row})
    twice = f'{{"loan_amount": {SECRET}, {json.dumps(row)[1:]}'
    lines = [good, "[1]", "", "{", twice, json.dumps({**row, "loan_amount": "12"}), good]
    table = tmp_path / "table.ndjson"
    table.write_text("\n".join(lines), encoding="utf-8")
    assert 0 == score(table, tmp_path / "out")
    found = {at: one["reason"] for at, one in rejected(tmp_path / "out").items()}
    assert {
        2: "is not a JSON object",
        4: "is not a JSON object",
        5: "loan_amount is given more than once",
        6: "loan_amount must be a number",
    } == found
    assert [1, 7] == [one["row"] for one in read_answers(tmp_path / "out")]
    assert 1 == summary(tmp_path / "out")["empty"]


def test_a_row_of_another_width_is_told(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one without any value is left out."""
    monkeypatch.setattr("dubito.scoring.csv_table.SAMPLED", ROWS)
    table = write_csv(tmp_path / "table.csv", rows_like(bundle, 2 * ROWS))
    lines = table.read_text(encoding="utf-8").splitlines()
    lines[3] = "1,2"
    lines[ROWS + 1] += ",7"
    lines[ROWS + 2] = "," * lines[0].count(",")
    table.write_text("\n".join(lines), encoding="utf-8")
    assert 0 == score(table, tmp_path / "out", "--passes", "1")
    reason = "has another number of columns than the header"
    assert {row: {"reason": reason} for row in (3, ROWS + 1)} == rejected(tmp_path / "out")
    assert (2 * ROWS - 1, 1) == tuple(summary(tmp_path / "out")[name] for name in ("rows", "empty"))


def test_a_number_of_another_notation_is_told(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first rows have decimal commas: a point later is no number, whatever it could mean."""
    monkeypatch.setattr("dubito.scoring.csv_table.SAMPLED", ROWS)
    rows = [
        {name: str(one).replace(".", ",") for name, one in row.items() if one is not None}
        for row in rows_like(bundle, 3 * ROWS)
    ]
    rows = [row for row in rows if len(row) == len(bundle.signature.names)]
    last = len(rows)
    rows[-1]["loan_amount"] = "12.500"
    table = write_csv(tmp_path / "table.csv", rows, delimiter=";")
    assert 0 == score(table, tmp_path / "out", "--passes", "1")
    assert {last: {"reason": "loan_amount is not a number"}} == rejected(tmp_path / "out")


def test_one_table_gives_one_digest(bundle: Bundle, tmp_path: Path) -> None:
    """However it is packed, encoded and cut."""
    rows: list[dict[str, Any]] = [
        {"이름": f'대출 "{at}",\n{at}', **row} for at, row in enumerate(rows_like(bundle, ROWS))
    ]
    plain = write_csv(tmp_path / "plain.csv", rows)
    text = plain.read_bytes().decode()
    tables = [
        plain,
        tmp_path / "a.csv.gz",
        tmp_path / "a.zip",
        tmp_path / "wide",
        tmp_path / "korean",
    ]
    tables[1].write_bytes(gzip.compress(plain.read_bytes()))
    with zipfile.ZipFile(tables[2], "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("loans.csv", text)
    tables[3].write_bytes(text.encode("utf-16"))
    tables[4].write_bytes(text.encode("cp949"))
    tables.append(write_csv(tmp_path / "tabs.tsv", rows, delimiter="\t"))
    tables.append(write_lines(tmp_path / "lines", rows))
    tables.append(write_parquet(tmp_path / "parquet", rows))
    outs = [tmp_path / f"out-{at}" for at in range(len(tables))]
    for table, out in zip(tables, outs, strict=True):
        assert 0 == score(table, out, "--key", "이름", "--passes", "4")
    assert 1 == len({digest_of(out) for out in outs})


def test_the_summary_is_of_the_answers(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Classes, sets, decisions, warnings, drift and, where the table has it, the truth."""
    rows: list[dict[str, Any]] = [{**row} for row in rows_like(bundle, 200)]
    random = np.random.default_rng(1)
    for row in rows:
        row["grade"] = random.choice([*bundle.classes, "?"])
    table = write_csv(tmp_path / "table.csv", rows)
    assert 0 == score(table, tmp_path / "out", "--json")
    told, answers = json.loads(capsys.readouterr().out), read_answers(tmp_path / "out")
    assert told == summary(tmp_path / "out")
    counts = Counter(one["grade"] for one in answers)
    assert {name: counts[name] for name in bundle.classes} == told["classes"]
    sizes = [len(one["prediction_set.grades"]) for one in answers]
    assert np.mean(sizes) == pytest.approx(told["mean_set_size"])
    actions = Counter(one["decision.action"] for one in answers)
    assert (actions["automate"], actions["refer"]) == (told["automated"], told["referred"])
    reasons = Counter(why for one in answers for why in one["decision.reasons"])
    assert dict(reasons) == told["referred_for"]
    warned = Counter((each["kind"], each["feature"]) for one in answers for each in one["warnings"])
    assert dict(warned) == {
        (kind, name): count
        for kind, features in told["warnings"].items()
        for name, count in features.items()
    }
    known = [
        (row["grade"], one) for row, one in zip(rows, answers, strict=True) if row["grade"] != "?"
    ]
    right = [truth == one["grade"] for truth, one in known]
    assert (len(known), "grade") == (told["truth"]["rows"], told["truth"]["column"])
    assert np.mean(right) == pytest.approx(told["truth"]["accuracy"]["value"])
    covered = [truth in one["prediction_set.grades"] for truth, one in known]
    assert np.mean(covered) == pytest.approx(told["truth"]["coverage"]["value"])
    names = bundle.signature.names
    features = features_of(bundle, [{name: row[name] for name in names} for row in rows])
    bins = bins_of(bundle.signature, bundle.manifest.calibration)
    for at, name in enumerate(names):
        found = drift(bins[name], Counter(bins[name].indices(features[:, at]).tolist()))
        (one,) = [each for each in told["drift"] if each["name"] == name]
        assert (found.psi, found.missing) == (one["psi"], one["missing"])


@pytest.mark.parametrize("end", ["\r", "\r\r\n"])
def test_lines_that_end_otherwise_are_refused(
    bundle: Bundle, tmp_path: Path, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows would be lost without a word."""
    table = write_csv(tmp_path / "table.csv", rows_like(bundle, 5), lineterminator=end)
    assert 1 == score(table, tmp_path / "out")
    assert "ends of lines of several kinds" in capsys.readouterr().err


def test_a_quote_in_a_header_is_refused(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not quoted itself, so that rows cannot be told apart."""
    rows = [{**row, 'size 5"': 1} for row in rows_like(bundle, 5)]
    table = write_csv(tmp_path / "table.csv", rows)
    table.write_text(table.read_text().replace('"size 5"""', 'size 5"'), encoding="utf-8")
    assert 1 == score(table, tmp_path / "out")
    assert "quotes inside values that are not quoted" in capsys.readouterr().err


def test_names_and_lines_may_be_written_otherwise(bundle: Bundle, tmp_path: Path) -> None:
    """Decomposed names, an empty first line, other members given twice, a zip of lines."""
    alias = bundle.signature.features[0].aliases[0]
    rows = rows_like(bundle, 3)
    lines = [""]
    for at, row in enumerate(rows):
        amount = row.pop("loan_amount")
        told = {**row, alias: amount, "열쇠": f"K-{at}"}
        text = unicodedata.normalize("NFD", json.dumps(told, ensure_ascii=False))
        lines.append('{"note": 4711, "note": {"4711.5": 1, "4711.5": 2}, ' + text[1:])
    table = tmp_path / "table.zip"
    with zipfile.ZipFile(table, "w") as archive:
        archive.writestr("loans.ndjson", "\n".join(lines))
    assert 0 == score(table, tmp_path / "out", "--key", "열쇠")
    assert {} == rejected(tmp_path / "out")
    assert ["K-0", "K-1", "K-2"] == [one["key"] for one in read_answers(tmp_path / "out")]


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_a_key_is_a_text_or_a_whole_number(bundle: Bundle, tmp_path: Path, form: str) -> None:
    """Also where a column of whole numbers with gaps is stored as floats."""
    keys = [1.0, 2.5, None, 7.0]
    rows = [{"case": key, **row} for key, row in zip(keys, rows_like(bundle, 4), strict=True)]
    write = {"ndjson": write_lines, "parquet": write_parquet}[form]
    assert 0 == score(write(tmp_path / "table", rows), tmp_path / "out", "--key", "case")
    assert ["1", "7"] == [one["key"] for one in read_answers(tmp_path / "out")]
    wrong = "has a key that is neither a text nor a whole number"
    told = {2: {"reason": wrong}, 3: {"reason": "has no key"}}
    assert told == rejected(tmp_path / "out")


@pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.date32(), pa.list_(pa.int64())])
def test_columns_of_other_kinds_are_refused(
    bundle: Bundle, tmp_path: Path, kind: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is read of them, whatever they hold."""
    rows = [{**row, "loan_amount": None} for row in rows_like(bundle, 3)]
    table = pa.Table.from_pylist(rows)
    at = table.schema.get_field_index("loan_amount")
    table = table.set_column(at, "loan_amount", pa.nulls(3, kind))
    parquet.write_table(table, tmp_path / "table")
    assert 1 == score(tmp_path / "table", tmp_path / "out")
    assert "does not hold single numbers or texts" in capsys.readouterr().err


def test_a_table_without_any_answer(bundle: Bundle, tmp_path: Path) -> None:
    """Its summary says so."""
    rows = [{**row, "loan_amount": None} for row in rows_like(bundle, 3)]
    assert 0 == score(write_csv(tmp_path / "table.csv", rows), tmp_path / "out")
    assert [] == read_answers(tmp_path / "out")
    assert (3, 0, 3) == tuple(
        summary(tmp_path / "out")[name] for name in ("rows", "scored", "rejected")
    )


def test_records_are_cut_where_they_end() -> None:
    """Wherever pieces of the text end, and however many records are asked for."""
    random = np.random.default_rng(0)
    cells = ["a", "1", '"x\ny"', '"""q"""', "", '"\r\n"']
    for _ in range(200):
        count = int(random.integers(1, 12))
        text = "".join(
            ",".join(random.choice(cells, 3)) + str(random.choice(["\n", "\r\n"]))
            for _ in range(count)
        ).encode()
        whole = list(csv.reader(io.StringIO(text.decode(), newline="")))
        size, most = int(random.integers(1, 9)), int(random.integers(1, 5))
        records = Records(Pieces(text, size), "a table", has_quotes=True)
        found, counts = b"", list[int]()
        while (piece := records.next(most))[1]:
            found, counts = found + piece[0], [*counts, piece[1]]
        assert text == found
        assert len(whole) == sum(counts)
        assert all(each == most for each in counts[:-1])


class Pieces:
    """A stream that gives a few bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        self._stream, self._size = io.BytesIO(content), size

    def read(self, _: int, /) -> bytes:
        return self._stream.read(self._size)
