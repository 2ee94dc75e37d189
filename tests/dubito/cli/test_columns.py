"""From any table to a bundle: `columns`, then `train --columns`, `predict` and `evaluate`."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from dubito.bundle import load
from dubito.cli.main import main
from dubito.errors import DataError
from dubito.notation import DETECTED
from dubito.targets import ClassTarget, NumberTarget
from dubito.training.data import Table
from dubito.training.described import described_domain
from dubito.training.description import read_description
from dubito.training.first_description import first_description
from dubito.training.rows import read_layout
from tests import rents
from tests.claims import sample

ROWS = 240
PURPOSES = ("자동차", "주택", "사업")
QUICK = ("--epochs", "1", "--widths", "8,8,8", "--passes", "20")


def loans() -> dict[str, list[Any]]:
    """Rows as numbers, None where a cell is empty and −999 where the system knew nothing."""
    random = np.random.default_rng(3)
    amount = (random.lognormal(14, 1, ROWS)).round().tolist()
    late = random.integers(0, 30, ROWS).tolist()
    columns: dict[str, list[Any]] = {
        "대출금액": [int(value) for value in amount],
        "기간": random.choice([36, 60], ROWS).tolist(),
        "금리": random.uniform(3, 25, ROWS).round(2).tolist(),
        "목적": random.choice(PURPOSES, ROWS).tolist(),
        "연체": [-999 if at % 7 == 0 else late[at] for at in range(ROWS)],
        "소득": [None if at % 5 == 0 else round(2e7 + 10 * late[at], 1) for at in range(ROWS)],
    }
    risk = np.array(columns["금리"]) + random.normal(0, 3, ROWS)
    columns["등급"] = np.where(risk > 14, "하", "상").tolist()
    return columns


def as_written(columns: dict[str, list[Any]]) -> str:
    """The same as a spreadsheet of an office writes it."""
    written = {
        **columns,
        "대출금액": [f'"{value:,}"' for value in columns["대출금액"]],
        "기간": [f"{value} months" for value in columns["기간"]],
        "금리": [f"{value}%" for value in columns["금리"]],
        "소득": ["" if value is None else str(value) for value in columns["소득"]],
    }
    lines = [",".join(map(str, row)) for row in zip(*written.values(), strict=True)]
    return "\r\n".join([",".join(written), *lines]) + "\r\n"


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Path]:
    """The table as CSV in CP949, in a zip with a Korean name, and as Parquet of numbers."""
    csv, packed, parquet = (tmp_path / name for name in ("대출.csv", "대출.zip", "대출.parquet"))
    csv.write_bytes(as_written(loans()).encode("cp949"))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(csv, "자료/대출 목록.csv")
    pa.parquet.write_table(pa.table(loans()), parquet)
    return {"csv": csv, "zip": packed, "parquet": parquet}


@pytest.fixture
def described(tables: dict[str, Path]) -> Path:
    """What `dubito columns` writes of the CSV."""
    out = tables["csv"].with_name("columns.toml")
    command = ["columns", str(tables["csv"]), "--target", "등급", "--encoding", "cp949"]
    assert 0 == main([*command, "--out", str(out)])
    return out


def test_a_first_description_declares_what_it_saw(described: Path) -> None:
    """Kinds, suffixes, thousands, gaps and the encoding; it reads back as that."""
    found = read_description(described)
    columns = {column.name: column for column in found.features}
    assert "cp949" == found.file.encoding
    assert ("integer", ",") == (columns["대출금액"].kind, columns["대출금액"].notation.thousands)
    assert ("integer", "months") == (columns["기간"].kind, columns["기간"].notation.suffix)
    assert ("float", "%") == (columns["금리"].kind, columns["금리"].notation.suffix)
    assert sorted(PURPOSES) == [one.name for one in columns["목적"].categories]
    assert (("-999",), True) == (columns["연체"].notation.missing, columns["연체"].nullable)
    assert columns["소득"].nullable
    assert [False, False, True] == [
        columns[name].missing_refers for name in ("연체", "소득", "금리")
    ]
    assert found.classes is not None
    assert (("상", "하"), False) == (found.classes.classes, found.classes.is_ordered)


@pytest.mark.parametrize(
    ("rows", "missing", "reason"),
    [
        (4000, 39, "39 rows lack it (0.97%): a person is asked"),
        (4000, 40, "40 rows lack it (1.00%): no person is asked for that"),
        (200, 19, "19 rows lack it (9.50%): a person is asked"),
        (200, 20, "20 rows lack it (10.00%): no person is asked for that"),
    ],
)
def test_what_many_rows_lack_is_usual(tmp_path: Path, rows: int, missing: int, reason: str) -> None:
    """At least 1% of the rows, and 20 of them; the reason is told."""
    cells = [f"{'' if at < missing else at % 50},{at % 2}" for at in range(rows)]
    (tmp_path / "rows.csv").write_text("\n".join(["debt,late", *cells]) + "\n")
    text = first_description(tmp_path / "rows.csv", "late", DETECTED)
    assert reason in text
    (tmp_path / "columns.toml").write_text(text)
    (column,) = read_description(tmp_path / "columns.toml").features
    assert (column.nullable, column.missing_refers) == (True, "no person" not in reason)


def test_what_cannot_be_missing_has_no_rule_for_it(tmp_path: Path) -> None:
    """The description is refused, as one of the two members is wrong."""
    file = tmp_path / "columns.toml"
    file.write_text('[[features]]\nname = "debt"\nmissing_refers = false\n')
    with pytest.raises(DataError, match="debt has missing_refers, but it cannot be missing"):
        read_description(file)


def test_files_of_one_table_give_one_bundle(tables: dict[str, Path], described: Path) -> None:
    """CSV in CP949, a zip of it and Parquet differ in what is told of the data alone."""
    manifests = []
    for kind, path in tables.items():
        out = path.with_name(kind)
        command = ["train", "--columns", str(described), "--data", str(path), "--name", "grades"]
        assert 0 == main([*command, "--out", str(out), *QUICK])
        manifest = json.loads((out / "grades" / "1" / "bundle.json").read_bytes())
        assert path.name in manifest["trained"].pop("command")
        assert path.name == manifest["trained"].pop("data")
        assert 3 == manifest["format"]
        assert "usual, does not refer the row" in (out / "grades/1/MODEL_CARD.md").read_text()
        manifests.append(manifest)
    assert manifests[0] == manifests[1] == manifests[2]


def test_a_bundle_reads_tables_as_they_are_written(
    tables: dict[str, Path], described: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`predict` and `evaluate` take the description; without it they refuse what is not plain."""
    out = described.with_name("models")
    train = ["train", "--columns", str(described), "--data", str(tables["csv"]), "--out", str(out)]
    assert 0 == main([*train, "--name", "grades", *QUICK])
    bundle = str(out / "grades" / "1")
    assert isinstance(load(Path(bundle)).manifest.target, ClassTarget)
    capsys.readouterr()
    answers = []
    for path in tables.values():
        ask = ["predict", bundle, "--file", str(path), "--columns", str(described)]
        assert 0 == main([*ask, "--seed", "1", "--json", "--max-rows", str(ROWS)])
        predictions = json.loads(capsys.readouterr().out)["predictions"]
        answers.append([one | {"id": ""} for one in predictions])
    assert answers[0] == answers[1] == answers[2]
    page = ["--out", str(out / "page.html"), "--passes", "5", "--target", "등급"]
    told = ["evaluate", bundle, "--data", str(tables["csv"]), *page]
    assert 1 == main(told)
    assert "has a thousands separator" in capsys.readouterr().err
    assert 0 == main([*told, "--columns", str(described)])
    assert "that were held out" in capsys.readouterr().out
    assert 0 == main([*told[:-2], "--columns", str(described)])
    assert "that were held out" in capsys.readouterr().out


@pytest.mark.claim("a number is trained for", test=1, proof=1)
@pytest.mark.parametrize("head", sample(["point", "normal", "quantiles"], ["normal"]))
def test_a_number_is_trained_for(
    tables: dict[str, Path], head: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bundle answers in the target's unit, and is evaluated on what was held out."""
    described = tables["csv"].with_name("rate.toml")
    assert 0 == main(["columns", str(tables["csv"]), "--target", "금리", "--out", str(described)])
    text = described.read_text(encoding="utf-8")
    assert 'head = "normal"' in text
    levels = "\nlevels = [0.1, 0.5, 0.9]" if head == "quantiles" else ""
    described.write_text(text.replace('"normal"', f'"{head}"{levels}'), encoding="utf-8")
    out = described.with_name("models")
    command = ["train", "--columns", str(described), "--data", str(tables["csv"]), "--name", "rate"]
    assert 0 == main([*command, "--out", str(out), "--epochs", "20", *QUICK[2:]])
    bundle = load(out / "rate" / "1")
    target = bundle.manifest.target
    assert isinstance(target, NumberTarget)
    assert (head, "금리") == (target.head, target.name)
    assert 3 <= target.seen.minimum < target.seen.maximum <= 25
    rmse = bundle.manifest.metrics["mc"]["rmse"]
    assert rmse < 1.2 * target.std
    capsys.readouterr()
    told = ["evaluate", str(out / "rate" / "1"), "--data", str(tables["csv"]), "--passes", "20"]
    page = ["--out", str(out / "page.html"), "--columns", str(described)]
    assert 0 == main([*told, *page])
    assert f"the {ROWS // 5} rows of 대출.csv that were held out" in capsys.readouterr().out


def test_a_description_is_never_overwritten(
    tables: dict[str, Path], described: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a person may have changed stays; nothing is written twice."""
    before = described.read_bytes()
    command = ["columns", str(tables["csv"]), "--target", "등급", "--out", str(described)]
    assert 2 == main(command)
    assert "is there already" in capsys.readouterr().err
    assert before == described.read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('suffix = "%"', 'suffix = "percent"'), r"금리 is not a number in row 1"),
        (('missing = ["-999"]', "minimum = 0"), r"연체 is not between 0 and .* in row 1"),
        (('thousands = ","', 'thousands = "."'), r"대출금액 is not a number in row 1"),
        (('encoding = "cp949"', 'encoding = "utf-8"'), r"is not utf-8 text, as its description"),
        (('separator = ","', 'separator = ";"'), "is not a CSV"),
        (("nullable = true", "nullable = false"), r"연체 has no value in row 1"),
    ],
)
def test_what_is_declared_is_what_is_read(
    tables: dict[str, Path], described: Path, change: tuple[str, str], message: str
) -> None:
    """Another declaration than the table's is an error that names the column, and no value."""
    text = described.read_text(encoding="utf-8").replace("[file]", '[file]\nseparator = ","')
    text = text.replace("missing_refers = false\n", "")
    text = text.replace("minimum = 0\nnullable = true\nmissing", "nullable = true\nmissing")
    assert change[0] in text
    described.write_text(text.replace(*change, 1), encoding="utf-8")
    layout = described_domain(described).layout
    with pytest.raises(DataError, match=message):
        read_layout(tables["csv"], layout)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(("low", "high"), [("0", "1"), ("1.0", "2.0"), ("3", "7")])
def test_numbers_may_be_classes(tmp_path: Path, kind: str, low: str, high: str) -> None:
    """A target of a few numbers is described by texts that training finds in the table again."""
    cells = [(low, high)[at % 3 % 2] for at in range(ROWS)]
    table: dict[str, list[Any]] = {"x": [at * 0.37 for at in range(ROWS)], "y": cells}
    path = tmp_path / f"table.{kind}"
    if kind == "csv":
        path.write_text(
            "\n".join(["x,y", *(f"{x},{y}" for x, y in zip(*table.values(), strict=True))])
        )
    else:
        pa.parquet.write_table(pa.table(table | {"y": list(map(float, cells))}), path)
    out = tmp_path / "table.toml"
    assert 0 == main(["columns", str(path), "--target", "y", "--out", str(out)])
    rows = read_layout(path, described_domain(out).layout)
    assert isinstance(rows, Table)
    assert [int(cell == high) for cell in cells] == rows.labels.tolist()


def test_a_network_that_answers_all_rows_alike_is_not_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Units that cannot be negative die of a number that is: nothing is written."""
    features, values = rents.rows(300)
    data = rents.write_table(tmp_path / "rents.csv", features, -values)
    columns = tmp_path / "columns.json"
    columns.write_text(json.dumps(rents.description("point")))
    command = ["train", "--columns", str(columns), "--data", str(data), "--epochs", "20"]
    out = tmp_path / "models"
    assert 1 == main([*command, "--architecture", "regressor", "--out", str(out)])
    assert "answers all rows alike; try another seed (--seed)" in capsys.readouterr().err
    assert not list(out.glob("*/*/model.keras"))
