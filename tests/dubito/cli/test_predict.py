"""`dubito predict`: a loan from flags, a file or stdin; a table, or what the service answers."""

import gzip
import io
import json
import sys
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from dubito.bundles.repository import versions
from dubito.cli.main import main
from tests.calibrated import publish
from tests.service import ROOT, command

LOAN = {
    "loan_amount": 12000,
    "annual_income": 96000,
    "debt_to_income": 8.6,
    "total_credit_lines": 14,
    "delinq_2y": 0,
    "paid_principal": 773.87,
    "paid_interest": 126.62,
    "paid_late_fees": 0,
    "current_accounts_delinq": 0,
}
KOREAN = [
    "대출금액",
    "연간소득",
    "부채_대비_소득_비율",
    "총계좌수",
    "최근_2년간_연체_횟수",
    "총상환원금",
    "총상환이자",
    "총연체금액",
    "연체계좌수",
]
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def served() -> Any:
    """The service's answer to a body, with seed 42."""
    with TestClient(
        create_app(Settings(models=ROOT / "models", records="off")), client=("127.0.0.1", 50_000)
    ) as client:

        def ask(body: Any, route: str = "/predict/mc?seed=42") -> Any:
            return client.post(route, json=body).json()

        yield ask


def flags(row: dict[str, Any]) -> list[str]:
    return [
        word
        for name, value in row.items()
        for word in (f"--{name.replace('_', '-')}", json.dumps(value))
    ]


def without_id(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "id"}


def predicted(capsys: Captured, *arguments: str) -> Any:
    assert 0 == main(["predict", *arguments, "--json"])
    out, err = capsys.readouterr()
    assert "" == err
    return json.loads(out)


def test_json_is_the_services_answer(served: Any, capsys: Captured, tmp_path: Path) -> None:
    """By flags or from a file, with one seed: the service's answer but for `id`."""
    (tmp_path / "loan.json").write_text(json.dumps(LOAN))
    wanted = without_id(served(LOAN))
    by_flags = predicted(capsys, *flags(LOAN), "--seed", "42")
    by_file = predicted(capsys, "--file", str(tmp_path / "loan.json"), "--seed", "42")

    assert list(served(LOAN)) == list(by_flags)
    assert [wanted, wanted] == [without_id(by_flags), without_id(by_file)]


def test_other_passes_and_missing_values(served: Any, capsys: Captured) -> None:
    """`--passes` and `null` do what they do over HTTP."""
    row = LOAN | {"debt_to_income": None, "loan_amount": 500_000}
    wanted = without_id(served(row, "/predict/mc?seed=7&passes=33"))
    found = predicted(capsys, *flags(row), "--seed", "7", "--passes", "33")
    assert wanted == without_id(found)
    assert {"missing", "out_of_range"} <= {warning["kind"] for warning in found["warnings"]}


@pytest.mark.parametrize("form", ["dashes", "underscores", "equals", "after", "before"])
def test_flags_have_forms(served: Any, capsys: Captured, form: str) -> None:
    """Dashes or underscores, a space or =, before or after the other words."""
    newest = versions(ROOT / "models", "loan-grade")[-1]
    words = {
        "dashes": [*flags(LOAN), "--seed", "42"],
        "underscores": [w for n, v in LOAN.items() for w in (f"--{n}", str(v))] + ["--seed=42"],
        "equals": [f"--{name}={value}" for name, value in LOAN.items()] + ["--seed", "42"],
        "after": [f"loan-grade/{newest}", "--seed", "42", *flags(LOAN)],
        "before": [*flags(LOAN), "--seed", "42"],
    }[form]
    assert without_id(served(LOAN)) == without_id(predicted(capsys, *words))


def test_korean_flags_are_flags(served: Any, capsys: Captured) -> None:
    """The aliases name the features on the command line too."""
    row = dict(zip(KOREAN, LOAN.values(), strict=True))
    assert without_id(served(LOAN)) == without_id(predicted(capsys, *flags(row), "--seed", "42"))
    plain = [word for name, value in row.items() for word in (f"--{name}", str(value))]
    assert without_id(served(LOAN)) == without_id(predicted(capsys, *plain, "--seed", "42"))


@pytest.mark.parametrize("many", [False, True])
def test_stdin_is_a_file(
    served: Any, capsys: Captured, monkeypatch: pytest.MonkeyPatch, *, many: bool
) -> None:
    """`--file -` reads stdin, a row or rows."""
    body = {"instances": [LOAN, LOAN | {"debt_to_income": None}]} if many else LOAN
    stream = SimpleNamespace(buffer=io.BytesIO(json.dumps(body).encode()))
    monkeypatch.setattr(sys, "stdin", stream)
    found, wanted = predicted(capsys, "--file", "-", "--seed", "42"), served(body)
    rows = (found["predictions"], wanted["predictions"]) if many else ([found], [wanted])
    assert [without_id(row) for row in rows[0]] == [without_id(row) for row in rows[1]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_skipped(
    served: Any, capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: str
) -> None:
    """Of a file and of stdin; a flag's name may be decomposed."""
    text = json.dumps(LOAN).encode(encoding)
    (tmp_path / "loan.json").write_bytes(text)
    wanted = without_id(served(LOAN))
    found = predicted(capsys, "--file", str(tmp_path / "loan.json"), "--seed", "42")
    assert wanted == without_id(found)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    assert wanted == without_id(predicted(capsys, "--file", "-", "--seed", "42"))


def test_decomposed_flags_are_flags(served: Any, capsys: Captured) -> None:
    """What a Mac's keyboard or file names give, letter by letter."""
    row = zip(KOREAN, LOAN.values(), strict=True)
    words = [unicodedata.normalize("NFD", f"--{name}={value}") for name, value in row]
    assert without_id(served(LOAN)) == without_id(predicted(capsys, *words, "--seed", "42"))


def as_table(separator: str, decimal: str, names: list[str], rows: list[dict[str, Any]]) -> str:
    """Rows as a CSV, what is missing empty."""
    cells = [["" if value is None else str(value) for value in row.values()] for row in rows]
    lines = [separator.join(line).replace(".", decimal) for line in [names, *cells]]
    return "\n".join([*lines, separator * (len(names) - 1), ""])


def test_a_table_is_graded_row_by_row(served: Any, capsys: Captured, tmp_path: Path) -> None:
    """CSV of Excel, Parquet and gzip: to the last bit what the rows as JSON are answered."""
    rows: list[dict[str, Any]] = [LOAN, LOAN | {"debt_to_income": None, "loan_amount": 8000.5}]
    wanted = [without_id(answer) for answer in served({"instances": rows})["predictions"]]
    decomposed = [unicodedata.normalize("NFD", name) for name in KOREAN]
    excel = as_table(";", ",", decomposed, rows).encode("utf-8-sig")
    files = {
        "rows.csv": excel,
        "rows.json": gzip.compress(as_table(",", ".", list(LOAN), rows).encode()),
        "rows.parquet": pd.DataFrame(rows).to_parquet(),
    }
    told = {
        "rows.csv": "CSV, UTF-8 with a byte order mark, columns separated by semicolons, decimal "
        "comma, 1 empty row after row 2 skipped, 2 rows × 9 columns",
        "rows.json": "CSV, gzip, UTF-8, columns separated by commas, decimal point, 1 empty row "
        "after row 2 skipped, 2 rows × 9 columns",
        "rows.parquet": "Parquet, 2 rows × 9 columns",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert 0 == main(["predict", "--file", str(tmp_path / name), "--seed", "42", "--json"])
        out, err = capsys.readouterr()
        assert wanted == [without_id(answer) for answer in json.loads(out)["predictions"]]
        assert f"{name}: {told[name]}\n" == err


def test_a_table_on_stdin(served: Any, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told from JSON by what it holds; one row gives a list of one."""
    text = as_table(",", ".", list(LOAN), [LOAN]).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    assert 0 == main(["predict", "--file", "-", "--seed", "42", "--json"])
    out, err = capsys.readouterr()
    assert [without_id(served(LOAN))] == [without_id(one) for one in json.loads(out)["predictions"]]
    assert err.startswith("stdin: CSV, UTF-8")


HEADER = ",".join(LOAN)
VALUES = ",".join(str(value) for value in LOAN.values())
BAD_TABLES = {
    "no rows": (f"{HEADER}\n", "rows.csv has no rows"),
    "no column": (f"{HEADER[12:]}\n{VALUES[6:]}\n", "there is no column loan_amount (대출금액)"),
    "no header": (f"{VALUES}\n", "rows.csv has no header"),
    "missing": (
        f"{HEADER}\n{VALUES}\n{VALUES[5:]}\n",
        "loan_amount (대출금액) has no value in row 2",
    ),
    "text": (f"{HEADER}\n72519x{VALUES[5:]}\n", "loan_amount (대출금액) is not a number in row 1"),
    "negative": (
        f"{HEADER}\n-72519{VALUES[5:]}\n",
        "loan_amount (대출금액) is not between 0 and 1e+12 in row 1",
    ),
    "too many": (
        f"{HEADER}\n" + f"{VALUES}\n" * 1001,
        "has more than 1,000 rows (DUBITO_MAX_ROWS)",
    ),
    "another": ("%PDF-1.7", "rows.csv is a PDF: a table is CSV or Parquet"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_bad_table_is_one_sentence(capsys: Captured, tmp_path: Path, case: str) -> None:
    """Exit code 1; the sentence names column and row, or what the file is, and no value."""
    text, sentence = BAD_TABLES[case]
    (tmp_path / "rows.csv").write_text(text)
    assert 1 == main(["predict", "--file", str(tmp_path / "rows.csv")])
    out, err = capsys.readouterr()
    *read, last = err.splitlines()
    assert "" == out
    assert all(line.startswith("rows.csv: CSV, UTF-8") for line in read)
    assert sentence in last
    assert "72519" not in err


def test_a_fresh_seed_is_told(capsys: Captured) -> None:
    """Without `--seed` another each time, which gives the answer again."""
    one, two = (predicted(capsys, *flags(LOAN)) for _ in range(2))
    assert one["seed"] != two["seed"]
    again = predicted(capsys, *flags(LOAN), "--seed", str(one["seed"]))
    assert without_id(one) == without_id(again)


def test_the_table_has_a_bar_and_a_deviation(served: Any, capsys: Captured) -> None:
    """A line a grade: mean ± std and a bar; grade, seed, entropies and warnings in words."""
    row = LOAN | {"debt_to_income": None}
    wanted = served(row)
    assert 0 == main(["predict", *flags(row), "--seed", "42"])
    out, err = capsys.readouterr()
    head, *lines = out.splitlines()

    assert "" == err
    assert head.startswith(f"grade {wanted['grade']} ")
    assert "100 passes, seed 42" in head
    for grade, line in zip("ABCDEFG", lines[:7], strict=True):
        assert line.startswith(f"  {grade} ")
        assert f"{wanted['mean'][grade]:.1%} ±" in line
        assert f"{wanted['std'][grade]:.1%}" in line
        assert round(wanted["mean"][grade] * 32) == line.count("█")
        assert max(map(len, lines)) <= 100
    assert "warning: debt_to_income is missing" in lines
    assert any("predictive entropy" in line for line in lines)


def test_as_many_passes_as_are_enough(served: Any, capsys: Captured) -> None:
    """`--passes auto` with a tolerance does what it does over HTTP; --max-passes is the limit."""
    wanted = served(LOAN, "/predict/mc?seed=7&passes=auto&tolerance=0.02&max_passes=3000")
    words = ["--seed", "7", "--passes", "auto", "--tolerance", "0.02", "--max-passes", "3000"]
    assert without_id(wanted) == without_id(predicted(capsys, *flags(LOAN), *words))


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a calibrated bundle."""
    return str(publish(tmp_path_factory.mktemp("models")))


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--coverage", "0.6", "--method", "aps"],
        ["--class-conditional", "true", "--target", "0.01"],
        ["--passes", "64"],
        ["--passes", "auto", "--tolerance", "0.05"],
    ],
    ids=" ".join,
)
def test_sets_and_decisions_are_the_services(
    calibrated: str, capsys: Captured, words: list[str]
) -> None:
    """A calibrated bundle's sets and decisions are answered as the service answers them."""
    body = {"instances": [LOAN, LOAN | {"paid_principal": 0, "paid_interest": 0}]}
    options = {
        word.removeprefix("--").replace("-", "_"): text
        for word, text in zip(words[::2], words[1::2], strict=True)
    }
    with TestClient(
        create_app(Settings(models=Path(calibrated).parent.parent, records="off")),
        client=("127.0.0.1", 50_000),
    ) as client:
        wanted = client.post("/predict/mc", params={"seed": 4, **options}, json=body).json()
    for row, answer in zip(body["instances"], wanted["predictions"], strict=True):
        found = predicted(capsys, calibrated, *flags(row), "--seed", "4", *words)
        assert without_id(answer) == without_id(found)


def test_the_table_shows_set_and_decision(calibrated: str, capsys: Captured) -> None:
    """The set's grades, and the decision with its reasons, in words; too few passes are told."""
    row = LOAN | {"paid_principal": 0, "paid_interest": 0}
    words = [calibrated, *flags(row), "--seed", "42"]
    answer = predicted(capsys, *words)
    assert 0 == main(["predict", *words])
    lines = capsys.readouterr().out.splitlines()
    grades = ", ".join(answer["prediction_set"]["grades"])
    assert f"prediction set (coverage 0.9 over many rows): {grades}" in lines
    assert f"decision: refer: {', '.join(answer['decision']['reasons'])}" in lines

    assert 0 == main(["predict", *words, "--passes", "9"])
    out = capsys.readouterr().out
    assert "(no promise: too few passes)" in out
    assert "warning: 100 passes are needed for what sets and decisions promise" in out


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["--target", "0.02"], "--target must be one of 0.005, 0.01, 0.05"),
        (["--coverage", "1"], "--coverage must be less than or equal to 0.999"),
        (["--method", "x"], "--method must be 'adjacent', 'aps', 'lac' or 'raps'"),
        (["--class-conditional", "yes"], "--class-conditional must be true or false"),
        (["--passes", "many"], "--passes must be a whole number in plain digits, or auto"),
        (["--passes", "0"], "--passes must be greater than or equal to 1"),
        (["--tolerance", "2"], "--tolerance must be less than or equal to 0.5"),
        (["--seed", "-1"], "--seed must be"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_bad_option_is_wrong_use(
    calibrated: str, capsys: Captured, words: list[str], fragment: str
) -> None:
    """Exit code 2 and one line that names the flag and what it may be."""
    assert 2 == main(["predict", calibrated, *flags(LOAN), *words])
    out, err = capsys.readouterr()
    assert ("", 1) == (out, err.count("\n"))
    assert fragment in err


def test_without_calibration_there_is_no_such_flag(capsys: Captured) -> None:
    """A bundle without calibration refuses what is about sets and decisions."""
    assert 2 == main(["predict", "loan-grade/2", *flags(LOAN), "--target", "0.05"])
    assert "--target is not known" in capsys.readouterr().err


BAD_BODIES = {
    "empty": (b"", "JSON"),
    "cut": (json.dumps(LOAN).encode()[:-5], "JSON"),
    "no UTF-8": (b"\xff\xfe", "JSON"),
    "cut UTF-16": (b"\xff\xfe{", "UTF-16"),
    "deep": (b"[" * 100_000, "JSON"),
    "a list": (b"[]", "object"),
    "a field missing": (json.dumps({**LOAN, "loan_amount": None}).encode(), "loan_amount"),
    "a field more": (json.dumps({**LOAN, "extra": 1}).encode(), "extra"),
    "a duplicate": (json.dumps(LOAN).encode()[:-1] + b', "loan_amount": 5}', "loan_amount"),
    "no rows": (b'{"instances": []}', "instances"),
    "too many rows": (json.dumps({"instances": [LOAN] * 1001}).encode(), "instances"),
    "text": (json.dumps({**LOAN, "delinq_2y": "72519.25"}).encode(), "delinq_2y"),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_bad_file_is_one_sentence(capsys: Captured, tmp_path: Path, case: str) -> None:
    """What cannot be graded: exit code 1 and one line that names the field and no value."""
    body, fragment = BAD_BODIES[case]
    (tmp_path / "loan.json").write_bytes(body)
    assert 1 == main(["predict", "--file", str(tmp_path / "loan.json")])
    out, err = capsys.readouterr()
    assert ("", 1) == (out, err.count("\n"))
    assert fragment in err
    assert "72519" not in err


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"loan_amount": "abc"}, "loan_amount must be a number"),
        ({"loan_amount": "NaN"}, "loan_amount must be a finite number"),
        ({"loan_amount": "1e999"}, "loan_amount must be a finite number"),
        ({"loan_amount": "-1"}, "loan_amount must be greater"),
        ({"loan_amount": "null"}, "loan_amount must be a number"),
        ({"loan_amount": "true"}, "loan_amount must be a number"),
        ({"loan_amount": '"5"'}, "loan_amount must be a number"),
        ({"loan_amount": "1_000"}, "loan_amount must be a number"),
        ({"loan_amount": "{}"}, "loan_amount must be a number"),
        ({"loan_amount": "[" * 50_000}, "loan_amount must be a number"),
        ({"loan_amount": "9" * 5000}, "loan_amount must be"),
        ({"loan_amount": "\udcff"}, "loan_amount must be a number"),
        ({"delinq_2y": "0.5"}, "delinq_2y must be a whole number"),
    ],
)
def test_a_bad_flag_is_one_sentence(
    capsys: Captured, changes: dict[str, str], fragment: str
) -> None:
    """The same by flags."""
    texts = {name: json.dumps(value) for name, value in LOAN.items()} | changes
    words = [f"--{name}={text}" for name, text in texts.items()]
    assert 1 == main(["predict", *words])
    out, err = capsys.readouterr()
    assert ("", 1) == (out, err.count("\n"))
    assert fragment in err


def test_a_negative_number_is_a_value(capsys: Captured) -> None:
    """`--loan-amount -1` is a value that is refused, not a flag or a bundle."""
    words = flags(LOAN | {"loan_amount": -1})
    assert 1 == main(["predict", *words])
    assert "loan_amount" in capsys.readouterr().err


def test_a_missing_flag_is_named(capsys: Captured) -> None:
    """The first feature that was not given."""
    words = flags({name: value for name, value in LOAN.items() if name != "annual_income"})
    assert 1 == main(["predict", *words])
    assert "annual_income is missing" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["/nowhere/loan.json", "/", "\0"])
def test_a_file_that_is_not_there_is_one_sentence(capsys: Captured, file: str) -> None:
    """Exit code 1 and one line."""
    assert 1 == main(["predict", "--file", file])
    out, err = capsys.readouterr()
    assert ("", 1) == (out, err.count("\n"))


def test_the_installed_command_reads_a_pipe(served: Any) -> None:
    """In a process of its own: the same answer, on stdout alone."""
    done = command(
        "predict", "--file", "-", "--seed", "42", "--json", stdin=json.dumps(LOAN).encode()
    )
    assert (0, b"") == (done.returncode, done.stderr)
    assert without_id(served(LOAN)) == without_id(json.loads(done.stdout))
