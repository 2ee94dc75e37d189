"""The documentation's commands do what it says, run one after the other as a newcomer would.

Every block of commands is run: those of the README, the tutorial and most how-to pages here, those
that need a state of their own in `test_operations.py`. A block that no test can run says why, in a
comment before it.
"""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from dubito.loans.columns import LAYOUT as LOANS
from dubito.training.data import read_table
from dubito.training.split import split_rows
from tests import test_operations
from tests.pages import DOCS, LANGUAGES, ROOT, Block, blocks, pages
from tests.service import free_port

README = "README.md"
TUTORIAL = "docs/tutorial.md"
ELSEWHERE = frozenset(test_operations.PAGES)
"""Pages whose commands `test_operations.py` runs."""
COMMANDS = [
    block
    for page in pages()
    if page not in (TUTORIAL, *ELSEWHERE)
    for block in blocks(page)
    if block.reason is None and block.text.strip() != "make serve"
]
EXAMPLES = [*blocks(README, "python"), *blocks("docs/reference/library.md", "python")]
START_SECONDS = 120
TUTORIAL_SECONDS = 300
MADE = {"ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"}
OUTPUT = re.compile(r"  # (.+)$", re.MULTILINE)
"""What a line of an example prints, as the comment behind it says."""
NUMBER = re.compile(r"\d[\d.,]*")
WILD = re.compile(r"…|[█░]+|\s+")


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a newcomer's folder holds that the commands use, and a small file of loans."""
    place = _newcomer(tmp_path_factory.mktemp("newcomer"))
    _write_loans(place / "loans.csv")
    return place


@pytest.fixture(scope="module")
def service(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`make serve`, the first of the README's commands."""
    assert blocks(README)[0].text.strip() == "make serve"
    state = tmp_path_factory.mktemp("state")
    changes = {"DUBITO_PORT": str(port), "DUBITO_STATE": str(state)}
    with subprocess.Popen(
        ["make", "serve"], cwd=ROOT, env=_environment(changes), start_new_session=True
    ) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/health/ready")
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("block", COMMANDS, ids=lambda block: block.name)
def test_command(block: Block, folder: Path, port: int) -> None:
    """Every command of the README and of a how-to page ends well, and prints what is shown."""
    printed = _run(block.text, folder, port)
    assert printed.strip()
    if block.shown is not None:
        assert [] == _missing(block.shown, printed, exact=True)


@pytest.mark.usefixtures("service")
def test_answer(folder: Path, port: int) -> None:
    """The answer that the README shows is the service's, rounded, but for the identifier."""
    (shown,) = blocks(README, "json")
    expected = json.loads(shown.text)
    actual = json.loads(_run(blocks(README)[1].text, folder, port))
    assert _rounded(expected) == _rounded(actual)


def test_tutorial(tmp_path: Path) -> None:
    """The tutorial's commands in one shell, which each print what is shown but for the numbers."""
    commands = [block for block in blocks(TUTORIAL) if block.reason is None]
    mark = "=== end of a block"
    script = f"\necho '{mark}'\n".join(block.text for block in commands)
    done = _bash(f"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}", _newcomer(tmp_path))
    printed = done.split(mark)
    assert len(commands) == len(printed)
    for block, text in zip(commands, printed, strict=True):
        if block.shown is not None:
            assert [] == _missing(block.shown, text, exact=False), block.name
    assert '"identical":true' in done
    assert '"kind":"out_of_range","feature":"weight"' in done


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.name)
def test_example(block: Block) -> None:
    """An example in Python prints what its comments say."""
    words = [str(ROOT / ".venv" / "bin" / "python"), "-c", block.text]
    done = subprocess.run(
        words, cwd=ROOT, env=_environment({}), capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    assert OUTPUT.findall(block.text) == done.stdout.splitlines()


def test_every_command_is_run() -> None:
    """By this file or by `test_operations.py`, unless the page says why not."""
    run_here = {(block.page, block.text) for block in COMMANDS}
    run_there = {(block.page, block.text) for block in test_operations.COMMANDS.values()}
    for page in pages():
        for block in blocks(page):
            is_run = (page, block.text) in run_here | run_there or page == TUTORIAL
            assert is_run or block.reason or block.text.strip() == "make serve", block.name


def test_blocks_have_a_language_that_is_tested() -> None:
    """So that no command hides in a block of another name."""
    fences = re.compile(r"^ *(?:```|~~~)(\S+)$", re.MULTILINE)
    for page in pages():
        found = set(fences.findall((ROOT / page).read_text(encoding="utf-8")))
        assert found <= {*LANGUAGES, "{toctree}"}, page


@pytest.mark.parametrize("page", [README, "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_of_the_repository_lead_somewhere(page: str) -> None:
    """Those of pages that are read without the site, which checks the links of all others."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert "://" in target or (ROOT / target).exists(), target


def test_readme_is_short() -> None:
    """At most 130 lines."""
    assert len((ROOT / README).read_text(encoding="utf-8").splitlines()) <= 130


def test_glossary_is_short() -> None:
    """At most 25 words."""
    text = (DOCS / "explanation" / "glossary.md").read_text(encoding="utf-8")
    assert 0 < len(re.findall(r"^: ", text, re.MULTILINE)) <= 25


def _newcomer(place: Path) -> Path:
    """A folder that has what a clone has after `make develop`."""
    for name in (".venv", "models"):
        (place / name).symlink_to(ROOT / name)
    return place


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    """A newcomer's, which has nothing of the make that runs these tests, such as its ARGS."""
    inherited = {name: text for name, text in os.environ.items() if name not in MADE}
    return {**inherited, "PYTHONPATH": str(ROOT), **changes}


def _run(command: str, folder: Path, port: int) -> str:
    """What a command prints; the page's port is the one that is free here."""
    text = command.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    path = os.pathsep.join([str(ROOT / ".venv" / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=_environment({"PATH": path}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _bash(script: str, folder: Path) -> str:
    """What a script prints, with another port than the usual one; whatever it started is ended."""
    text = script.replace("8000", str(free_port()))
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=_environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            printed, said = process.communicate(timeout=TUTORIAL_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 0, said
    return printed


def _missing(shown: str, printed: str, *, exact: bool) -> list[str]:
    """The shown lines that were not printed; … stands for anything, and so do bars.

    Numbers need not be the same where they are not exact: a network that is trained here has
    others on another processor.
    """
    lines = [line.strip() for line in printed.splitlines()]
    return [
        line
        for line in map(str.strip, shown.splitlines())
        if line and not any(_pattern(line, exact=exact).fullmatch(one) for one in lines)
    ]


def _pattern(line: str, *, exact: bool) -> re.Pattern[str]:
    words = {"…": ".*", " ": r"\s+"}
    parts = [
        words.get(part, r"\s+" if part.isspace() else r"[█░]*")
        if WILD.fullmatch(part)
        else re.escape(part)
        if exact
        else _any_numbers(part)
        for part in re.split(rf"({WILD.pattern})", line)
    ]
    return re.compile("".join(parts))


def _any_numbers(text: str) -> str:
    return NUMBER.pattern.join(map(re.escape, NUMBER.split(text)))


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
    table = read_table(None, LOANS)
    few = table.where(split_rows(table.labels, 0).test[:600])
    names = [column.name for column in LOANS.features]
    lines = [",".join([*names, LOANS.target[0]])]
    for row, label in zip(few.features, few.labels, strict=True):
        cells = ["" if value != value else repr(float(value)) for value in row]
        lines.append(",".join([*cells, LOANS.classes[label]]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
