"""Every row of a table is answered as it is alone, in any format, by any kind of bundle."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dubito.answer import to_builtins
from dubito.bundle import Bundle, load
from dubito.cli.main import main
from dubito.prediction import answer_builder
from dubito.scoring.rows import row_seed
from tests.ensembles import ensemble_bundle
from tests.rents import HEADS, number_bundle
from tests.scored import flat, read_answers, rows_like, write_csv, write_lines, write_parquet
from tests.service import ROOT
from tests.tensors import tensor_bundle

FOLDERS: dict[str, Callable[[], Path]] = {
    "calibrated": lambda: ROOT / "models/loan-grade/5",
    "uncalibrated": lambda: ROOT / "models/loan-grade/1",
    "categories": lambda: ROOT / "models/loan-application/2",
    "ensemble": lambda: ensemble_bundle("classes"),
    "tensor": lambda: tensor_bundle("classes"),
    **{head: partial(number_bundle, head) for head in HEADS},
    "ensemble of a number": lambda: ensemble_bundle("number"),
}
WRITTEN = {"csv": write_csv, "ndjson": write_lines, "parquet": write_parquet}
ROWS = 40


@pytest.fixture(scope="module", params=FOLDERS)
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = FOLDERS[request.param]()
    return found


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return load(folder)


def score(table: Path, out: Path, folder: Path, *words: str) -> int:
    where = ("--out", str(out), "--model", str(folder), "--processes", "1")
    return main(["score", str(table), *where, *words])


def alone(bundle: Bundle, row: Any, key: str, **options: Any) -> dict[str, Any]:
    """The answer about a row that is predicted alone with the seed of its key."""
    prediction = bundle.predict_mc([row], seed=row_seed(key), **options)
    manifest = bundle.manifest
    builder = answer_builder(bundle.identity, manifest.target, manifest.calibration)
    (answer,) = builder.monte_carlo(prediction, range(1))
    return {name: one for name, one in flat(to_builtins(answer)).items() if name != "id"}


def forms(bundle: Bundle) -> list[str]:
    return [form for form in WRITTEN if form != "csv" or bundle.signature.tensor is None]


def test_an_answer_is_that_of_its_row_alone(bundle: Bundle, folder: Path, tmp_path: Path) -> None:
    """Whichever format the table and the answers have: to the last bit, under the key's seed."""
    rows = rows_like(bundle, ROWS)
    keyed = [{"case": f"K-{at}", **row} for at, row in enumerate(rows)]
    expected = [
        {"row": at + 1, "key": f"K-{at}", **alone(bundle, row, f"K-{at}")}
        for at, row in enumerate(rows)
    ]
    for form, answers in zip(forms(bundle), ("ndjson", "parquet", "csv"), strict=False):
        table = WRITTEN[form](tmp_path / f"table.{form}", keyed)
        out = tmp_path / f"out-{form}"
        assert 0 == score(table, out, folder, "--key", "case", "--format", answers)
        assert [without_gaps(one) for one in expected] == [
            without_gaps(one) for one in read_answers(out)
        ]


def without_gaps(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if value is not None}


def test_a_row_without_a_key_has_its_positions_seed(
    bundle: Bundle, folder: Path, tmp_path: Path
) -> None:
    """From 1, in decimal digits; and options are those of a request."""
    rows = rows_like(bundle, 3)
    table = write_lines(tmp_path / "table.ndjson", rows)
    passes = 2 * bundle.manifest.members
    assert 0 == score(table, tmp_path / "out", folder, "--passes", str(passes))
    assert [without_gaps(one) for one in read_answers(tmp_path / "out")] == [
        without_gaps({"row": at, **alone(bundle, row, str(at), passes=passes)})
        for at, row in enumerate(rows, start=1)
    ]


def test_each_row_has_the_passes_that_it_needs(
    bundle: Bundle, folder: Path, tmp_path: Path
) -> None:
    """With `auto`, as alone."""
    rows = rows_like(bundle, 6)
    table = write_lines(tmp_path / "table.ndjson", rows)
    usual = bundle.precision.usual
    assert 0 == score(
        table, tmp_path / "out", folder, "--passes", "auto", "--tolerance", repr(2 * usual)
    )
    assert [without_gaps(one) for one in read_answers(tmp_path / "out")] == [
        without_gaps({"row": at, **alone(bundle, row, str(at), passes="auto", tolerance=2 * usual)})
        for at, row in enumerate(rows, start=1)
    ]
