"""`dubito tune`: killed, gone on with, and what it found is served."""

import json
import os
import shlex
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dubito.cli.main import main
from dubito.loans.columns import LAYOUT
from dubito.targets import NumberHead
from dubito.training.data import read_table
from tests import rents
from tests.claims import sample
from tests.service import DUBITO, ROOT, command, command_here, ended, environment, serving

TRIALS = 3
SECONDS = 60


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 real loans as a CSV."""
    table = read_table(None, LAYOUT)
    lines = [",".join([*(column.name for column in LAYOUT.features), "grade"])]
    for row, label in zip(table.features[:400], table.labels[:400], strict=True):
        cells = ["" if np.isnan(value) else repr(float(value)) for value in row]
        lines.append(",".join([*cells, LAYOUT.classes[label]]))
    path = tmp_path_factory.mktemp("data") / "loans.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def words(data: Path, folder: Path) -> list[str]:
    return [
        *("tune", "--data", str(data), "--directory", str(folder / "search")),
        *("--out", str(folder / "models"), "--name", "tuned"),
        *("--trials", str(TRIALS), "--epochs", "1", "--json"),
    ]


def killed(data: Path, folder: Path, number: signal.Signals, trials: int) -> tuple[int, str]:
    """Exit code and stderr of a search that gets a signal after so many trials."""
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(DUBITO), *words(data, folder)],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=output,
        )
    try:
        end = time.monotonic() + SECONDS
        last = folder / "search" / "trials" / f"{trials - 1}.json"
        while not last.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(process.pid, number)
        return process.wait(SECONDS), log.read_text(encoding="utf-8")
    finally:
        ended(process)


def answer(url: str, path: str, row: dict[str, Any]) -> Any:
    body, head = json.dumps(row).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(url + path, data=body, headers=head)
    with urllib.request.urlopen(request, timeout=SECONDS) as reply:
        return json.loads(reply.read())


def test_a_killed_search_goes_on_and_its_best_network_is_served(data: Path, tmp_path: Path) -> None:
    """Killed, interrupted, gone on with; its bundle loads, serves and is `dubito train`'s own."""
    code, _ = killed(data, tmp_path, signal.SIGKILL, 1)
    assert -signal.SIGKILL == code
    code, said = killed(data, tmp_path, signal.SIGINT, 2)
    assert (1, f"1 of {TRIALS} trials are done") == (code, said.splitlines()[1])
    assert "dubito: interrupted" == said.splitlines()[-1]
    assert "Traceback" not in said
    assert not (tmp_path / "models").exists()

    done = command_here(*words(data, tmp_path))
    assert 0 == done.returncode, done.stderr
    told = json.loads(done.stdout)
    read, *lines = done.stderr.decode().splitlines()
    assert read.startswith(f"{data.name}: CSV, UTF-8, columns separated by commas")
    assert f"2 of {TRIALS} trials are done" == lines[0]
    assert lines[1].startswith(f"trial {TRIALS} of {TRIALS}: ")
    folder = Path(told["bundle"])
    assert tmp_path / "models" / "tuned" / "1" == folder

    again = shlex.split(told["command"])[1:]
    again[again.index("--data") + 1] = str(data)
    trained = command_here(*again, "--out", str(tmp_path / "again"), "--name", "tuned")
    assert 0 == trained.returncode, trained.stderr
    for file in folder.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / "tuned" / "1" / file.name).read_bytes()

    row = dict.fromkeys((column.name for column in LAYOUT.features), 1)
    with serving(str(folder)) as service:
        found = answer(service.url, "/predict/mc?seed=1", row)
    assert set(LAYOUT.classes) == set(found["mean"])
    assert "tuned" == found["model"]["name"]


@pytest.mark.claim("a number is searched", test=1, proof=1)
@pytest.mark.parametrize("head", sample(rents.HEADS, ("quantiles",)))
def test_a_described_number_is_searched(
    head: NumberHead, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table's recipe, by the head's own loss; `dubito train` repeats the best, bit for bit."""
    data = rents.write_table(tmp_path / "rents.csv", *rents.rows(400))
    columns = tmp_path / "columns.json"
    columns.write_text(json.dumps(rents.description(head)))
    paths = ["--columns", str(columns), "--data", str(data)]
    search = ["--directory", str(tmp_path / "search"), "--trials", "2", "--epochs", "1", "--json"]
    assert 2 == main(["tune", *paths[:2], *search])
    assert "columns.json describes columns of a file: name it by --data" in capsys.readouterr().err
    assert 0 == main(["tune", *paths, *search, "--out", str(tmp_path / "models")])
    told = json.loads(capsys.readouterr().out)
    trial = told["trial"]
    assert {"point": "RMSE", "normal": "NLL", "quantiles": "pinball loss"}[head] == trial["loss"]
    kept = [json.loads((tmp_path / f"search/trials/{at}.json").read_text()) for at in range(2)]
    assert min(each["val_loss"] for each in kept) == trial["val_loss"]

    again = shlex.split(told["command"])[1:]
    for flag, path in (("--columns", columns), ("--data", data)):
        again[again.index(flag) + 1] = str(path)
    assert 0 == main([*again, "--out", str(tmp_path / "again")])
    folder = Path(told["bundle"])
    for file in folder.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / "rent" / "1" / file.name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ([], "--directory"),
        (["--directory", "x", "--trials", "0"], "--trials: must be at least 1"),
        (["--directory", "x", "--fly", "1"], "tune does not know --fly"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], fragment: str) -> None:
    """Exit code 2, and the flag."""
    done = command("tune", *arguments)
    (line,) = done.stderr.decode().splitlines()
    assert (2, b"") == (done.returncode, done.stdout)
    assert fragment in line


def test_a_folder_that_cannot_be_written_is_one_sentence(data: Path, tmp_path: Path) -> None:
    """Before any training."""
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "search"
    done = command_here("tune", "--data", str(data), "--directory", str(folder))
    _, line = done.stderr.decode().splitlines()
    assert 2 == done.returncode
    assert "cannot be written" in line
