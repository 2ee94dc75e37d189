"""`dubito train`: the same bundle from the same words, whole or not at all."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from dubito.cli.main import main
from dubito.loans.columns import LAYOUT
from dubito.training.data import read_table
from tests.service import DUBITO, ROOT, command, command_here, ended, environment

FILES = {"MODEL_CARD.md", "MODEL_CARD.ko.md", "SHA256SUMS", "bundle.json", "model.keras"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 real loans as a CSV."""
    table = read_table(None, LAYOUT)
    chosen = np.concatenate([np.flatnonzero(table.labels == 6), np.arange(500)])
    lines = [",".join([*(column.name for column in LAYOUT.features), "grade"])]
    for at in chosen:
        cells = ["" if np.isnan(value) else repr(float(value)) for value in table.features[at]]
        lines.append(",".join([*cells, LAYOUT.classes[table.labels[at]]]))
    path = tmp_path_factory.mktemp("data") / "loans.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def words(data: Path, out: Path) -> list[str]:
    return ["--data", str(data), "--out", str(out), "--architecture", "study", "--epochs", "1"]


def trained(data: Path, out: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return command_here("train", *words(data, out), *arguments)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_words_give_the_same_files(data: Path, tmp_path: Path) -> None:
    """Trained twice, in two processes and two places: byte for byte the same bundle."""
    one, two = (
        command("train", *words(data, tmp_path / name), "--json") for name in ("one", "two")
    )
    assert (0, 0) == (one.returncode, two.returncode), one.stderr
    folders = [Path(json.loads(done.stdout)["bundle"]) for done in (one, two)]

    assert tmp_path / "one" / "loan-grade" / "1" == folders[0]
    assert FILES == set(content(folders[0]))
    assert content(folders[0]) == content(folders[1])
    assert json.loads(one.stdout)["metrics"] == json.loads(two.stdout)["metrics"]
    assert str(tmp_path).encode() not in b"".join(content(folders[0]).values())


def test_versions_follow_and_are_never_changed(data: Path, tmp_path: Path) -> None:
    """The next free version; one that is there is refused with one sentence, before training."""
    (tmp_path / "loan-grade" / "7").mkdir(parents=True)
    done = trained(data, tmp_path)
    assert 0 == done.returncode, done.stderr
    assert (tmp_path / "loan-grade" / "8" / "bundle.json").exists()
    assert b"held out, mean of the passes: accuracy" in done.stdout
    again = trained(data, tmp_path, "--version", "8")
    assert 1 == again.returncode
    assert b"is already there" in again.stderr.splitlines()[-1]
    assert {"7", "8"} == {path.name for path in (tmp_path / "loan-grade").iterdir()}


def test_l2_with_adamw_warns(data: Path, tmp_path: Path) -> None:
    """An L2 penalty under an Adam-family optimiser warns and names weight decay; SGD does not."""
    adamw = command("train", *words(data, tmp_path), "--l2", "0.001")
    sgd = trained(data, tmp_path, "--l2", "0.001", "--optimizer", "sgd")
    assert (0, 0) == (adamw.returncode, sgd.returncode), adamw.stderr
    assert b"use weight decay" in adamw.stderr
    assert b"weight decay" not in sgd.stderr


def test_another_seed_gives_other_weights(data: Path, tmp_path: Path) -> None:
    """`--seed` is of the weights, and the card tells it."""
    one, two = (trained(data, tmp_path, "--json", "--seed", seed) for seed in ("1", "2"))
    networks = [
        (Path(json.loads(done.stdout)["bundle"]) / "model.keras").read_bytes()
        for done in (one, two)
    ]
    assert networks[0] != networks[1]


@pytest.mark.parametrize("moment", ["at once", "in the epochs"])
def test_an_interrupt_leaves_nothing(data: Path, tmp_path: Path, moment: str) -> None:
    """Ctrl-C in training: exit code 1, one line, and no half-written bundle."""
    log = tmp_path / "log"
    words = ("--data", str(data), "--out", str(tmp_path / "models"), "--architecture", "study")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(DUBITO), "train", *words, "--epochs", "100000", "--patience", "100000"],
            cwd=ROOT,
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        end = time.monotonic() + 60
        wanted = re.compile(r"Epoch [3-9]") if moment == "in the epochs" else re.compile("")
        while not wanted.search(log.read_text(errors="replace")) and time.monotonic() < end:
            time.sleep(0.05)
        if moment == "at once":
            time.sleep(1.5)
        os.kill(process.pid, signal.SIGINT)
        assert 1 == process.wait(30)
    finally:
        ended(process)
    written = log.read_text(errors="replace")
    assert "Traceback" not in written
    assert written.rstrip().endswith("dubito: interrupted")
    assert [] == [path for path in (tmp_path / "models").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["--data", "/nowhere/loans.csv"], "loans.csv cannot be read"),
        (["--data", "/dev/null"], "null is empty"),
        (["--data", str(ROOT / "README.md")], "README.md"),
        (["--data", str(ROOT)], "is a folder"),
    ],
)
def test_data_that_is_none_is_one_sentence(
    tmp_path: Path, arguments: list[str], fragment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, one line that names the file, nothing written."""
    assert 1 == main(["train", "--out", str(tmp_path / "models"), *arguments])
    told, said = capsys.readouterr()
    (line,) = said.splitlines()
    assert "" == told
    assert fragment in line
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("column", ["paid_interest", "grade"])
def test_a_missing_column_is_named(
    data: Path, tmp_path: Path, column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the column, and its Korean name."""
    broken = tmp_path / "broken.csv"
    broken.write_text(data.read_text().replace(column, "other", 1))
    assert 1 == main(["train", *words(broken, tmp_path / "models")])
    (line,) = capsys.readouterr().err.splitlines()
    assert column in line


@pytest.mark.parametrize("out", ["/dev/null/models", "file/models"])
def test_a_folder_that_cannot_be_written_is_one_sentence(
    data: Path, tmp_path: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 and one sentence, best before an hour of training."""
    (tmp_path / "file").write_text("")
    assert 1 == main(["train", *words(data, tmp_path / out)])
    assert capsys.readouterr().err.splitlines()[-1].startswith("dubito: ")
