"""Runs that end early, runs of something else, and the rows of a run asked for over HTTP."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dubito.bundle import load
from dubito.cli.main import main
from tests.scored import digest_of, rows_like, write_csv
from tests.service import DUBITO, ROOT, children, environment, until

FOLDER = ROOT / "models" / "loan-grade" / "1"
"""The study's network, of which a table is done soon."""
LONG = 60_000


def words(table: Path, out: Path, *more: str) -> list[str]:
    where = ("--out", str(out), "--model", str(FOLDER), "--key", "case")
    return ["score", str(table), *where, *more]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of many chunks, some rows of which cannot be scored."""
    some = rows_like(load(FOLDER), 500)
    rows: list[dict[str, Any]] = [{"case": f"K-{at}", **some[at % len(some)]} for at in range(LONG)]
    for row in rows[:: LONG // 50]:
        row["loan_amount"] = None
    return write_csv(tmp_path_factory.mktemp("table") / "table.csv", rows)


@pytest.fixture(scope="module")
def whole(table: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, float]:
    """The digest of a run that nothing disturbs, and how long it takes, seconds."""
    out, start = tmp_path_factory.mktemp("whole") / "out", time.monotonic()
    with started(table, out) as process:
        assert 0 == process.wait()
    return digest_of(out), time.monotonic() - start


def started(table: Path, out: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [str(DUBITO), *words(table, out, "--passes", "10", "--processes", "2")],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def moments(count: int, seconds: float) -> Iterator[float]:
    """When a run is killed, evenly over its length but at random in each part of it."""
    random = np.random.default_rng(count)
    yield from ((at + random.random()) / count * seconds for at in range(count))


@pytest.mark.claim("tables that are killed", test=1, proof=20)
def test_a_run_that_is_killed_goes_on(
    table: Path, whole: tuple[str, float], tmp_path: Path, count: int
) -> None:
    """Whenever that was, and however often: the same answers, the same rejected rows."""
    digest, seconds = whole
    for at, moment in enumerate(moments(count, seconds)):
        out = tmp_path / str(at)
        with started(table, out) as process:
            time.sleep(moment)
            process.kill()
        assert not (out / "summary.json").exists() or process.returncode == 0
        with started(table, out) as process:
            assert 0 == process.wait()
        assert digest == digest_of(out)


def run(table: Path, out: Path, *more: str) -> int:
    return main(words(table, out, "--passes", "1", "--processes", "1", *more))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    rows = [{"case": f"K-{at}", **row} for at, row in enumerate(rows_like(load(FOLDER), 20))]
    return write_csv(tmp_path / "small.csv", rows)


def test_a_run_that_is_over_is_told_again(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is computed or written anew."""
    out = tmp_path / "out"
    assert 0 == run(small, out)
    before, files = capsys.readouterr().out, {one: one.stat().st_mtime_ns for one in out.rglob("*")}
    assert before.startswith("small.csv: 20 of 20 rows scored, by loan-grade/1\n")
    assert 0 == run(small, out)
    assert before == capsys.readouterr().out
    lock = out / ".lock"
    assert files == {one: one.stat().st_mtime_ns for one in out.rglob("*")} | {lock: files[lock]}


def test_a_table_that_changes_afterwards_is_told(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its answers are of the table as it was."""
    assert 0 == run(small, tmp_path / "out")
    small.write_bytes(small.read_bytes().replace(b"K-7,", b"K-8,", 1))
    assert 1 == run(small, tmp_path / "out")
    assert "the table has changed since it was scored" in capsys.readouterr().err


def test_a_process_that_ends_ends_the_run(
    table: Path, whole: tuple[str, float], tmp_path: Path
) -> None:
    """With a sentence; the next run goes on."""
    out, log = tmp_path / "out", tmp_path / "log"
    words_of_it = words(table, out, "--passes", "10", "--processes", "2")
    with (
        log.open("wb") as told,
        subprocess.Popen([str(DUBITO), *words_of_it], env=environment(), stderr=told) as process,
    ):
        until(lambda: any((out / ".done").glob("00000000.json")))
        for child in children(process.pid):
            # Beside them there is Python's tracker of what they share.
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(child, signal.SIGKILL)
        assert 1 == process.wait()
    last = log.read_text(encoding="utf-8").splitlines()[-1]
    assert "dubito: a process that scores ended: start again, to go on" == last
    assert "Traceback" not in log.read_text(encoding="utf-8")
    assert 0 == main(words_of_it)
    assert whole[0] == digest_of(out)


@pytest.mark.parametrize(
    ("more", "name"),
    [
        (("--passes", "2"), "options"),
        (("--format", "csv"), "answers"),
        (("--key", "delinq_2y"), "key"),
        (("--backend", "numpy"), "fingerprint"),
    ],
)
def test_a_folder_is_of_one_run(
    small: Path,
    tmp_path: Path,
    more: tuple[str, str],
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another one is told so, and changes nothing."""
    assert 0 == run(small, tmp_path / "out")
    before = digest_of(tmp_path / "out")
    assert 2 == run(small, tmp_path / "out", *more)
    assert f"is of another job, with another {name}: name a new folder" in capsys.readouterr().err
    assert before == digest_of(tmp_path / "out")


def test_a_folder_of_other_files_is_left_alone(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is in it."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine", encoding="utf-8")
    assert 2 == run(small, out)
    assert "holds other files: name a new folder" in capsys.readouterr().err
    assert ["thesis.txt"] == [one.name for one in out.iterdir()]


def test_a_table_that_changes_is_not_gone_on_with(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its parts would be of two tables, although the file is as long as it was."""
    copy, out = tmp_path / "table.csv", tmp_path / "out"
    copy.write_bytes(table.read_bytes())
    with started(copy, out) as process:
        until(lambda: any((out / ".done").glob("00000000.json")))
        process.kill()
    copy.write_bytes(copy.read_bytes().replace(b"K-7,", b"K-8,", 1))
    assert 1 == main(words(copy, out, "--passes", "10", "--processes", "1"))
    assert "the table has changed since a part of it was scored" in capsys.readouterr().err


def test_one_process_writes_into_a_folder(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second one is told so."""
    out = tmp_path / "out"
    with started(table, out) as process:
        until(lambda: (out / "job.json").exists())
        assert 2 == main(words(table, out, "--passes", "10", "--processes", "1"))
        process.kill()
    assert f"another process writes into {out}" in capsys.readouterr().err


def test_an_interrupted_run_says_so_and_goes_on(
    table: Path, whole: tuple[str, float], tmp_path: Path
) -> None:
    """Ctrl-C ends all processes at once, without a traceback."""
    out = tmp_path / "out"
    words_of_it = words(table, out, "--passes", "10", "--processes", "2")
    with subprocess.Popen(
        [str(DUBITO), *words_of_it], env=environment(), stderr=subprocess.PIPE
    ) as process:
        until(lambda: any((out / ".done").glob("00000000.json")))
        os.kill(process.pid, signal.SIGINT)
        _, told = process.communicate()
    assert (1, "dubito: interrupted") == (process.returncode, told.decode().splitlines()[-1])
    assert b"Traceback" not in told
    assert 0 == main(words_of_it)
    assert whole[0] == digest_of(out)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"a,b\n1,2\n", "there is no column"),
        ("a.json", b"[{}]", "is a JSON list: write one object a line"),
        ("a.xlsx", b"PK\x03\x04", "is not a whole zip"),
        ("a.parquet", b"PAR1....PAR1", "is not a whole Parquet file"),
        ("a.gz", b"\x1f\x8b\x08broken", "is damaged"),
    ],
)
def test_what_is_no_table_is_refused(
    tmp_path: Path, name: str, content: bytes, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is written."""
    (tmp_path / name).write_bytes(content)
    assert 1 == main(
        ["score", str(tmp_path / name), "--out", str(tmp_path / "out"), "--model", str(FOLDER)]
    )
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
