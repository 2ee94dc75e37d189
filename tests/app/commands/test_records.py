"""`dubito records`: what was remembered, verified, erased and taken along."""

import csv
import json
import shutil
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text

from app.records.address import url_of
from app.records.schema import HEAD
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.service import ROOT, command, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The state of a service that has answered eight rows, and their identifiers."""
    state = tmp_path_factory.mktemp("state")
    manifest = inspect(find_version(ROOT / "models", "loan-grade", 1)).manifest
    loan = example(manifest.signature) | {"debt_to_income": None}
    with serving("loan-grade/1", changes={"DUBITO_STATE": str(state)}) as service:
        found = []
        for at in range(4):
            headers = {"Dubito-Reference": f"case {at % 2}"}
            address = f"{service.url}/predict/mc?passes=20"
            body = {"instances": [loan | {"loan_amount": 47110815 + at}] * 2}
            answer = httpx.post(address, json=body, headers=headers).json()
            found += [row["id"] for row in answer["predictions"]]
        assert 0 == service.stop()
    return state, found


def records(state: Path, *words: str) -> tuple[int, str, str]:
    done = command("records", *words, "--state", str(state))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_table_of_all_predictions(served: tuple[Path, list[str]], tmp_path: Path) -> None:
    """A line each, in order, with features, answer, model and environment in columns."""
    state, identifiers = served
    file = tmp_path / "all.csv"
    code, told, _ = records(state, "export", "--out", str(file))
    assert (0, f"8 predictions in {file}\n") == (code, told)
    with file.open(encoding="utf-8-sig", newline="") as opened:
        lines = list(csv.DictReader(opened))
    assert sorted(identifiers) == sorted(line["id"] for line in lines)
    first = lines[0]
    assert ("47110815.0", "", "case 0") == (
        first["feature.loan_amount"],
        first["feature.debt_to_income"],
        first["reference"],
    )
    assert 1 == pytest.approx(sum(float(first[f"answer.mean.{grade}"]) for grade in "ABCDEFG"))
    assert "loan-grade" == first["model.name"]
    assert first["environment"].startswith("sha256:")


def test_parquet_holds_what_csv_does(served: tuple[Path, list[str]], tmp_path: Path) -> None:
    """With numbers as numbers."""
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "all.parquet"
    assert 0 == records(served[0], "export", "--out", str(file))[0]
    table = parquet.read_table(file).to_pydict()
    assert [47110815.0, 47110815.0, 47110816.0] == sorted(table["feature.loan_amount"])[:3]
    assert [20] * 8 == table["answer.passes"]


def test_verified_and_checked_against_a_checkpoint(
    served: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """What is cut off after a checkpoint is found with it, and an edit without one."""
    state, _ = served
    noted = tmp_path / "checkpoint.json"
    code, told, _ = records(state, "verify", "--write-checkpoint", str(noted))
    assert (0, "8 events in 1 chains, all as they were written\n") == (code, told)
    assert 0 == records(state, "verify", "--checkpoint", str(noted))[0]
    engine = create_engine(url_of(None, state))
    with engine.begin() as connection:
        whole = connection.execute(text("SELECT body FROM events WHERE sequence = 3")).scalar_one()
        edited = whole.replace(b'"grade":"', b'"grade":"x', 1)
        _set(connection, edited)
    code, _, error = records(state, "verify")
    assert 1 == code
    assert "event 3 of chain" in error
    assert "1 faults in 8 events" in error.splitlines()[-1]
    with engine.begin() as connection:
        _set(connection, whole)
    engine.dispose()
    later = json.loads(noted.read_text())
    (head,) = later.values()
    head["sequence"] += 1
    noted.write_text(json.dumps(later))
    assert "was cut" in records(state, "verify", "--checkpoint", str(noted))[2]


def _set(connection: object, body: bytes) -> None:
    statement = text("UPDATE events SET body = :body WHERE sequence = 3")
    connection.execute(statement, {"body": body})  # type: ignore[attr-defined]


def test_an_erased_case_is_gone_and_the_rest_verifies(served: tuple[Path, list[str]]) -> None:
    """Its figures are in no file of the state any more; the other case's are."""
    state, _ = served
    code, told, _ = records(state, "erase", "--reference", "case 1")
    assert (0, "erased what is personal of 4 predictions\n") == (code, told)
    assert 0 == records(state, "verify")[0]
    content = b"".join(file.read_bytes() for file in state.iterdir())
    assert b"case 0" in content
    assert b"47110815" in content
    assert b"case 1" not in content
    assert b"47110816" not in content


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("erase",), "records erase needs --reference or --before"),
        (("export",), "records export needs --out"),
        (("verify", "--reference", "x"), "records verify does not know --reference"),
        (("verify", "--epochs", "3"), "records does not know --epochs"),
        (("erase", "--before", "soon"), "soon is not an ISO 8601 date or time"),
    ],
)
def test_wrong_use_is_told(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    """One sentence and exit code 2; nothing is made."""
    code, _, error = records(tmp_path, *words)
    assert 2 == code
    assert sentence in error
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ("verify",),
        ("erase", "--reference", "x"),
        ("export", "--out", "/dev/null"),
        ("upgrade",),
        ("new-key",),
    ],
)
def test_where_there_are_no_records_there_is_nothing_to_do(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """The sentence names the file, which the shell's variables may have hidden; nothing is made."""
    code, _, error = records(tmp_path / "var", *words)
    assert 1 == code
    assert f"there are no records: {tmp_path}/var/records.db is not there" in error
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [("verify",), ("erase", "--reference", "case 0")])
def test_without_a_key_nothing_is_verified_or_chained(
    served: tuple[Path, list[str]], tmp_path: Path, words: tuple[str, ...]
) -> None:
    """No key is made for it."""
    missing = tmp_path / "key"
    code, _, error = records(served[0], *words, "--records-key-file", str(missing))
    assert 1 == code
    assert str(missing) in error
    assert not missing.exists()


@pytest.mark.parametrize("words", [("--reference", "case 9"), ("--before", "2020-01-01")])
def test_an_erasure_of_nothing_is_told(
    served: tuple[Path, list[str]], words: tuple[str, str]
) -> None:
    """Whoever misspells a reference must not believe that it is erased."""
    code, told, error = records(served[0], "erase", *words)
    assert (1, "") == (code, told)
    assert words[1] not in error
    assert "Traceback" not in error


def test_every_command_says_which_database_it_means(
    served: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """On stderr; a file by its path, a server without its password."""
    state, _ = served
    for words in (("verify",), ("export", "--out", str(tmp_path / "all.csv")), ("upgrade",)):
        assert f"records: {state}/records.db" in records(state, *words)[2].splitlines()
    url = "postgresql://kim:secret@127.0.0.1:1/records?connect_timeout=1&password=other"
    code, _, error = records(state, "verify", "--records-url", url)
    assert 1 == code
    assert "records: postgresql://kim@127.0.0.1:1/records" in error.splitlines()
    assert "secret" not in error
    assert "other" not in error


def test_a_lost_key_is_given_up_by_a_command_of_its_own(
    served: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """A start is refused, and verifies nothing less afterwards than what the lost key sealed."""
    state = shutil.copytree(served[0], tmp_path / "state")
    (state / "records.key").unlink()
    begun = command("serve", "loan-grade/1", "--port", "0", "--state", str(state))
    assert 1 == begun.returncode
    assert b"`dubito records new-key`" in begun.stderr.splitlines()[-1]
    code, told, _ = records(state, "new-key")
    assert (0, True) == (code, "earlier chains use a key that is not in the file" in told)
    code, told, _ = records(state, "verify")
    assert 0 == code
    *others, last = told.splitlines()
    assert others
    assert all("cannot be verified: their key was lost" in other for other in others)
    assert "1 events in 1 chains, all as they were written" == last


def test_upgrading_what_needs_none_says_so(served: tuple[Path, list[str]]) -> None:
    """And makes no copy."""
    code, told, _ = records(served[0], "upgrade")
    assert (0, f"the records have schema {HEAD} already\n") == (code, told)
    assert [] == list(served[0].glob("*schema*"))
