"""`dubito evaluate`: figures of labelled rows, printed and drawn."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dubito.cli.main import main
from dubito.loans.columns import LAYOUT
from dubito.training.data import Table, read_table
from dubito.training.split import split_rows
from tests.service import ROOT

ROWS = 60


@pytest.fixture(scope="module")
def loans() -> Table:
    return read_table(None, LAYOUT)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, loans: Table) -> Path:
    """A few labelled loans that nothing was fitted to."""
    table = loans.where(split_rows(loans.labels, 0).test[:ROWS])
    path = tmp_path_factory.mktemp("rows") / "mine.csv"
    with path.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow([*(column.aliases[0] for column in LAYOUT.features), "grade"])
        for row, label in zip(table.features.tolist(), table.labels, strict=True):
            cells = ["" if np.isnan(value) else repr(value) for value in row]
            writer.writerow([*cells, LAYOUT.classes[label]])
    return path


def evaluated(
    capsys: pytest.CaptureFixture[str], bundle: str, *words: str
) -> tuple[int, dict[str, Any], str]:
    code = main(["evaluate", bundle, "--models", str(ROOT / "models"), *words, "--json"])
    told = capsys.readouterr()
    return code, json.loads(told.out) if not code else {}, told.err


def test_rows_of_a_file(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON on stdout alone, and a page; the figures are those of the file's rows."""
    page = tmp_path / "deep" / "page.html"
    code, told, _ = evaluated(
        capsys, "loan-grade/4", "--data", str(file), "--out", str(page), "--passes", "100"
    )
    assert 0 == code
    figures = told["figures"]
    assert (ROWS, 100, list("ABCDEFG")) == (figures["rows"], figures["passes"], figures["classes"])
    unsure = "some of which it may have been fitted or calibrated on"
    assert f"all {ROWS} rows of mine.csv, {unsure}" == told["rows"]
    assert 0.9 < figures["mc"]["accuracy"] <= 1
    assert figures["sets"]
    assert {shift["name"] for shift in figures["shifts"]} >= {"money × 1000", "interest × 5"}
    text = page.read_text(encoding="utf-8")
    assert str(page) == told["page"]
    assert f"{figures['mc']['nll']:.4f}" in text
    assert "mine.csv" in text


def test_a_bundle_without_calibration(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The study's own network has neither sets nor promises; the table for people says the rest."""
    words = ["--models", str(ROOT / "models"), "--data", str(file), "--passes", "20"]
    assert 0 == main(["evaluate", "loan-grade/1", *words, "--out", str(tmp_path / "p.html")])
    out = capsys.readouterr().out
    assert "loan-grade/1: all 60 rows of mine.csv" in out
    assert "calibration error, equal mass" in out
    assert "sets asked" not in out
    assert "None: without a calibration" in (tmp_path / "p.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("bundle", "figure"), [("loan-rate/2", "rmse"), ("loan-application/2", "accuracy")]
)
def test_the_data_set_of_a_description(
    bundle: str, figure: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was held out of it, with the target that it describes: the figures of the card."""
    described = ROOT / "models" / bundle.partition("/")[0] / "columns.toml"
    words = ["--columns", str(described), "--out", str(tmp_path / "p.html"), "--passes", "40"]
    code, told, _ = evaluated(capsys, bundle, *words)
    assert 0 == code
    assert told["rows"].endswith("that were held out")
    written = json.loads((ROOT / "models" / bundle / "bundle.json").read_text(encoding="utf-8"))
    assert written["metrics"]["mc"][figure] == pytest.approx(
        told["figures"]["mc"][figure], rel=0.02
    )


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--data", "nowhere.csv"], 1, "nowhere.csv cannot be read"),
        (["--target", "grade"], 1, "(--data) and the column of their classes (--target)"),
        (["--passes", "0"], 2, "at least 1"),
        (["--unknown", "1"], 2, "evaluate does not know --unknown"),
    ],
)
def test_wrong_use_is_one_sentence(
    words: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 or 2, and a sentence that names what is wrong."""
    try:
        found = main(["evaluate", "loan-grade/1", "--models", str(ROOT / "models"), *words])
    except SystemExit as left:
        found = int(str(left.code))
    assert code == found
    assert sentence in capsys.readouterr().err
