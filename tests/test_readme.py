"""The README's commands do what it says, run one after the other as a newcomer would."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from app.settings import reference_table
from dubito.loans.signature import LAYOUT
from dubito.training.data import read_table, select
from dubito.training.split import split_rows

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
START_SECONDS = 120
MADE = {"ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"}


@pytest.fixture(scope="module")
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number: int = listening.getsockname()[1]
        return number


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a newcomer's folder holds that the commands use, and a small file of loans."""
    place = tmp_path_factory.mktemp("newcomer")
    for name in (".venv", "models"):
        (place / name).symlink_to(ROOT / name)
    _write_loans(place / "loans.csv")
    return place


@pytest.fixture(scope="module")
def service(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`make serve`, the first of the README's commands."""
    assert COMMANDS[0].strip() == "make serve"
    # A newcomer's shell has nothing of the make that runs these tests, such as its ARGS.
    inherited = {name: text for name, text in os.environ.items() if name not in MADE}
    state = tmp_path_factory.mktemp("state")
    environment = {**inherited, "DUBITO_PORT": str(port), "DUBITO_STATE": str(state)}
    with subprocess.Popen(
        ["make", "serve"], cwd=ROOT, env=environment, start_new_session=True
    ) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/health/ready")
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("command", COMMANDS[1:], ids=lambda text: " ".join(text.split()[:3]))
def test_command(command: str, folder: Path, port: int) -> None:
    """Every command of the README ends well, and prints something."""
    assert _run(command, folder, port).strip()


@pytest.mark.usefixtures("service")
def test_answer(folder: Path, port: int) -> None:
    """The answer that the README shows is the service's, rounded, but for the identifier."""
    (shown,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    expected, actual = json.loads(shown), json.loads(_run(COMMANDS[1], folder, port))
    assert _rounded(expected) == _rounded(actual)


def test_settings() -> None:
    """The README's table of settings is the one that the settings make of themselves."""
    assert reference_table() in README


def _run(command: str, folder: Path, port: int) -> str:
    """What a command prints; the README's port is the one that is free here."""
    text = command.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items() if name != "id"}
    return round(value, 4) if isinstance(value, float) else value


def _wait(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(url)


def _write_loans(path: Path) -> None:
    table = read_table(None, LAYOUT)
    few = select(table, split_rows(table.labels, 0).test[:600])
    names = [column.name for column in LAYOUT.features]
    lines = [",".join([*names, LAYOUT.target[0]])]
    for row, label in zip(few.features, few.labels, strict=True):
        cells = ["" if value != value else repr(float(value)) for value in row]
        lines.append(",".join([*cells, LAYOUT.classes[label]]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
