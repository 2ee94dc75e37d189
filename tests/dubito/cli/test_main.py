"""The command line: help that reads, one line for wrong use, exit codes 0, 1 and 2."""

import gc
import re
import subprocess
import sys
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.settings import Settings
from dubito.cli.main import GROUP, command_modules, main
from tests.service import ROOT, command, environment

OWN = (
    *("columns", "train", "tune", "convert", "evaluate", "predict", "score", "inspect"),
    "conformance",
)
OF_SERVICE = ("records", "replay", "serve")
COMMANDS = (*OWN, *OF_SERVICE)
WRONG = [
    [],
    ["fly"],
    ["--fly"],
    ["serve", "--fly"],
    ["serve", "one", "two"],
    ["serve", "--port"],
    ["serve", "--port", "http"],
    ["serve", "--port", "70000"],
    ["serve", "--max-rows", "0"],
    ["serve", "--body-seconds", "nan"],
    ["serve", "--por", "1"],
    ["serve", "--max-work", "5000000"],
    ["serve", "--max-queue", "1"],
    ["train", "--seed", "-1"],
    ["train", "--seed", "4294967296"],
    ["train", "--seed", "x"],
    ["train", "--split-seed", "1.5"],
    ["train", "--version", "0"],
    ["train", "--epochs", "0"],
    ["train", "--epochs", "x"],
    ["train", "--architecture", "other"],
    ["train", "--widths", "16,"],
    ["train", "--widths", "0"],
    ["train", "--rate", "1"],
    ["train", "--rate", "-0.1"],
    ["train", "--rate", "nan"],
    ["train", "--learning-rate", "fast"],
    ["train", "--placement", "nowhere"],
    ["train", "extra"],
    ["train", "--fly"],
    ["predict"],
    ["predict", "--loan-amount"],
    ["predict", "--loan-amount", "1", "--loan-amount", "2"],
    ["predict", "--loan-amount", "1", "--대출금액", "2", "--loan_amount", "3"],
    ["predict", "--fly", "1"],
    ["predict", "--file", "-", "--loan-amount", "1"],
    ["predict", "--seed", "-1", "--file", "-"],
    ["predict", "--seed", "9007199254740992", "--file", "-"],
    ["predict", "--seed", "x", "--file", "-"],
    ["predict", "--passes", "0", "--file", "-"],
    ["predict", "--passes", "10001", "--file", "-"],
    ["predict", "--passes", "ten", "--file", "-"],
    ["inspect", "--fly"],
    ["inspect", "one", "two"],
    ["inspect", "loan-grade/x"],
]


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command in this process."""
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_help_reads(name: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` says what a command does and what each flag is, and exits 0."""
    code, out, err = run(["--help"] if name is None else [name, "--help"], capsys)
    assert (0, "") == (code, err)
    assert out.startswith("usage: dubito")
    assert "%(" not in out
    assert max(map(len, out.splitlines())) <= 100
    if name is None:
        for each in COMMANDS:
            assert re.search(rf"\n    {each}\s", out)


def without_service(monkeypatch: pytest.MonkeyPatch, *others: EntryPoint) -> None:
    """As where the library is installed alone, or beside other packages' commands."""

    def found(group: str) -> list[EntryPoint]:
        assert GROUP == group
        return list(others)

    monkeypatch.setattr(metadata, "entry_points", found)


def test_commands_are_the_librarys_and_those_of_the_service() -> None:
    """Its own first, then what installed packages add, by name."""
    assert COMMANDS == tuple(command_modules())


@pytest.mark.parametrize("name", OF_SERVICE)
def test_a_command_of_the_service_needs_the_service(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it is not installed: wrong use, with what to install; the others are there."""
    without_service(monkeypatch)
    code, out, err = run([name, "--help"], capsys)
    told = f"dubito: {name} needs the service: install dubito-service\n"
    assert (2, "", told) == (code, out, err)
    assert OWN == tuple(command_modules())
    code, out, err = run(["--help"], capsys)
    assert (0, "") == (code, err)
    assert all(re.search(rf"\n    {each}\s", out) for each in OWN)
    assert f"\n    {name} " not in out
    code, out, err = run(["inspect", "loan-grade/1"], capsys)
    assert (0, "") == (code, err)


def test_another_package_adds_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By an entry point that names a module; one that has the name of ours is passed over."""

    def add_arguments(parser: Any) -> None:
        parser.add_argument("--loud")

    def ran(known: Any, rest: Any) -> int:
        print(known.loud, *rest)
        return 7

    module: Any = SimpleNamespace(__doc__="Greet.\n\nMore.", add_arguments=add_arguments, run=ran)
    monkeypatch.setitem(sys.modules, "greeting", module)
    without_service(
        monkeypatch,
        EntryPoint("greet", "greeting", GROUP),
        EntryPoint("predict", "greeting", GROUP),
    )
    assert (*OWN, "greet") == tuple(command_modules())
    assert "dubito.cli.predict" == command_modules()["predict"]
    assert (7, "yes --odd 3\n", "") == run(["greet", "--loud", "yes", "--odd", "3"], capsys)
    assert "\n    greet      Greet.\n" in run(["--help"], capsys)[1]


def test_help_of_serve_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """Each setting with its variable and its default, but for what the bundle argument says."""
    _, out, _ = run(["serve", "--help"], capsys)
    text = " ".join(out.split())
    for name in Settings.model_fields:
        if name not in {"model", "version"}:
            assert f"DUBITO_{name.upper()}" in text


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_use_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong use exits 2 with exactly one line on stderr and nothing on stdout."""
    code, out, err = run(arguments, capsys)
    assert (2, "") == (code, out)
    (line,) = err.splitlines()
    assert line.startswith("dubito")
    assert "_positive" not in line
    assert "_seed" not in line.replace("split_seed", "").replace("_SEED", "")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["serve", "loan-grade/1", "--port", "0"], "DUBITO_RECORDS_URL"),
        (["serve", "--max-queue", "1"], "DUBITO_MAX_QUEUE"),
        (["serve", "--log-requests", "perhaps"], "DUBITO_LOG_REQUESTS"),
        (["records", "verify"], "DUBITO_RECORDS_URL"),
        (["replay"], "DUBITO_RECORDS_URL"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_wrong_setting_is_named_and_a_password_is_not(
    words: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2 and one sentence, whichever setting is wrong beside the database's address."""
    monkeypatch.setenv("DUBITO_RECORDS_URL", "mysql://kim:hunter2@db.example/records")
    monkeypatch.setenv("DUBITO_STATE", str(tmp_path))
    code, out, err = run(words, capsys)
    assert (2, "") == (code, out)
    (line,) = err.splitlines()
    assert named in line
    assert "hunter2" not in line


def test_the_installed_command_is_this_one() -> None:
    """`dubito` itself: version, wrong use, and nothing but lines for people."""
    version = command("--version")
    wrong = command("fly")
    assert (0, b"") == (version.returncode, version.stderr)
    assert version.stdout.startswith(b"dubito 0.")
    assert (2, 1) == (wrong.returncode, wrong.stderr.count(b"\n"))


def test_help_does_not_import_tensorflow() -> None:
    """What needs no network does not wait for one."""
    program = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None;"
        "from dubito.cli.main import main; main(['train', '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment(), check=False)
    assert 0 == done.returncode


@pytest.mark.parametrize(
    ("name", "threshold"), [("serve", gc.get_threshold()[0]), ("inspect", 10_000)]
)
def test_a_commands_process_seldom_searches_for_garbage(name: str, threshold: int) -> None:
    """A service as often as Python does, since a search holds up its answers; none at the end."""
    program = (
        f"import atexit, gc, sys; sys.argv = ['dubito', {name!r}, '--help'];"
        "atexit.register(lambda: print(gc.get_threshold()[0], gc.get_freeze_count() > 0));"
        "from dubito.cli.main import script; script()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert 0 == done.returncode
    assert f"{threshold} True" == done.stdout.decode().splitlines()[-1]
