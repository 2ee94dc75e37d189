"""Output in any encoding: what cannot be shown is written in other characters, never refused."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from dubito.answer import Answer, Missing, MonteCarloResult, Precision, Uncertainty
from dubito.cli.table import lines
from dubito.cli.terminal import adapt_streams, printable_json
from dubito.types import Identity
from tests.service import DUBITO, ROOT, command, environment

ENCODINGS = ["ascii", "cp949", "latin-1", "cp1252", "euc-kr", "shift_jis", "utf-8", "utf-16"]
MEAN = {"낮음": 0.25, "높음": 0.75}
ANSWER = Answer(
    "",
    MonteCarloResult(
        predicted="높음",
        mean=MEAN,
        std={"낮음": 0.1, "높음": 0.1},
        passes=100,
        seed=42,
        precision=Precision(0.02, None, None),
        uncertainty=Uncertainty(0.5, 0.4, 0.1, 0.0),
        prediction_set=None,
        decision=None,
    ),
    (Missing(feature="\udcff😀", value=None, seen_minimum=0.0, seen_maximum=1.0),),
    Identity("loan", 1, "sha256:0"),
)
LOAN = ("loan-amount", "annual-income", "debt-to-income", "total-credit-lines", "delinq-2y")
PAID = ("paid-principal", "paid-interest", "paid-late-fees", "current-accounts-delinq")
FLAGS = [word for name in (*LOAN, *PAID) for word in (f"--{name}", "10")]


def written(encoding: str, make: Callable[[], str]) -> str:
    """What is read from a strict stdout in some encoding, once the streams are adapted."""
    content = io.BytesIO()
    with patch.object(sys, "stdout", io.TextIOWrapper(content, encoding, errors="strict")):
        adapt_streams()
        print(make(), flush=True)
        return content.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_table_is_written_in_every_encoding(encoding: str) -> None:
    """Signs become ASCII ones, letters escapes, and the rest stays."""
    text = written(encoding, lambda: "\n".join(lines(ANSWER, "", "")))
    assert "25.0% +- 10.0%" in text or "25.0% ± 10.0%" in text
    assert "########..." in text or "████████░░░" in text
    assert "\\udcff" in text
    assert "높음" in text or "\\ub192\\uc74c" in text
    if encoding in ("cp949", "euc-kr", "utf-8", "utf-16"):
        assert "grade 높음 " in text


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_is_the_same_json_in_every_encoding(encoding: str) -> None:
    """Nothing in a JSON text is replaced by something else; elsewhere than in UTF-8 it is ASCII."""
    value = {"grade": "높음", "mean": MEAN, "\udcff😀": None, "±█": ["é", "×"]}
    text = written(encoding, lambda: printable_json(value))
    assert value == json.loads(text)
    assert text.isascii() or encoding == "utf-8"


def test_a_closed_stdout_is_not_taken_by_a_file() -> None:
    """Its number goes to the null device, so that no file gets what is printed."""
    program = (
        "import os; from dubito.cli.terminal import adapt_streams; adapt_streams();"
        "assert os.open('/dev/zero', os.O_RDONLY) > 2;"
        "assert os.readlink('/proc/self/fd/1') == os.devnull; print('lost')"
    )
    done = subprocess.run(
        ["bash", "-c", 'exec "$0" -c "$1" >&- 2>&-', sys.executable, program],
        cwd=ROOT,
        env=environment(),
        check=False,
    )
    assert 0 == done.returncode


def test_predict_in_a_korean_terminal() -> None:
    """The command as it is installed, where stdout cannot show its bars."""
    done = command("predict", *FLAGS, "--seed", "1", changes={"PYTHONIOENCODING": "cp949"})
    assert (0, b"") == (done.returncode, done.stderr)
    assert "±" in done.stdout.decode("cp949")
    assert b"#" in done.stdout


def test_a_full_device_is_one_sentence() -> None:
    """What cannot be written is told with the system's reason and exit code 1."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [str(DUBITO), "inspect", "loan-grade/1"],
            cwd=ROOT,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (1, b"dubito: No space left on device\n") == (done.returncode, done.stderr)
