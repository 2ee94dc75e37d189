"""Claims: checks with a count, small in `make test` and whole in `make proof`.

A test marked `@pytest.mark.claim("name", test=200, proof=10_000)` may take the argument `count`.
With `--proof` only such tests run, with the second number, and `docs/proof.md` tells what they
showed; `--only` picks one by name. What has `test=0` is for the proof alone, and so are cases that
are marked `left_to_proof`.
"""

import os
import platform
import signal
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from tests.made import begin

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

ROOT = Path(__file__).parent.parent
LONG = (
    "app/test_swaps.py",
    "app/test_shadow.py",
    "app/test_canary.py",
    "app/records/test_crash.py",
    "app/records/test_workers.py",
    "test_promises.py",
    "app/commands/test_serve.py",
    "test_decisions.py",
    "test_dockerfile.py",
    "app/http/test_fuzz.py",
    "test_operations.py",
    "test_docs.py",
    "test_written.py",
    "app/server/test_edge.py",
    "test_load.py",
    "dubito/cli/test_hard_calibrations.py",
)
"""Modules that take longest, though they have few tests."""
SEEDED = "seeded"
"""Hypothesis profile: the same examples in every run, however slow the machine is."""
RECORD = ROOT / "docs" / "proof.md"
HEAD = """# Proof

What `make proof` showed: every claim with its whole count. `make test` runs the same checks with
small counts. `make proof ONLY=name` renews one line.

| claim | check | count | result | seconds |
| --- | --- | --- | --- | --- |
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proof", action="store_true", help="only claims, with their whole counts")
    parser.addoption("--only", default="", help="with --proof: the name of one claim")


def pytest_configure(config: pytest.Config) -> None:
    settings.register_profile(SEEDED, deadline=None, derandomize=True)
    settings.load_profile(SEEDED)
    for number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) is signal.SIG_IGN:
            # Under nohup, and in a script's background, programs that tests start would ignore
            # these signals too. A handler is not inherited, and this one lets the tests go on.
            signal.signal(number, lambda *_: None)
    config.addinivalue_line("markers", "claim(name, *, test, proof): a check with a count")
    config.addinivalue_line("markers", "left_to_proof: a case that `make test` does not take")
    # Each client would read the certificates of all authorities, 40 ms, and none asks over TLS.
    ssl.create_default_context = cache(ssl.create_default_context)  # type: ignore[assignment]
    if not hasattr(config, "workerinput"):
        begin()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("claim")
    if marker is not None and "count" in metafunc.fixturenames:
        whole = metafunc.config.getoption("--proof")
        metafunc.parametrize("count", [marker.kwargs["proof" if whole else "test"]])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("left_to_proof") and not _claim(item):
            raise pytest.UsageError(f"{item.nodeid} is left to the proof, but is no claim")
    if config.getoption("--proof"):
        only = config.getoption("--only")
        items[:] = [item for item in items if _claim(item) and only in ("", _claim(item))]
    else:
        items[:] = _longest_first([item for item in items if not _is_proof_alone(item)])


def _longest_first(items: list[pytest.Item]) -> list[pytest.Item]:
    """Modules that take long, then those of many tests: so two workers end at about one time."""
    counts = Counter(item.path for item in items)
    long = {ROOT / "tests" / name: place for place, name in enumerate(LONG)}
    return sorted(
        items, key=lambda item: (long.get(item.path, len(LONG)), -counts[item.path], str(item.path))
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: Any = yield
    if report.when == "call" and (name := _claim(item)) is not None:
        doc = (getattr(item.obj, "__doc__", "") or "").strip().partition("\n\n")[0]  # type: ignore[attr-defined]
        params = item.callspec.params if hasattr(item, "callspec") else {}
        report.claim = (name, " ".join(doc.split()), _case(item, params), params.get("count", 1))
    return report


def _case(item: Any, params: dict[str, Any]) -> str:
    """What a claim's case is called: its values, or its id where a value has no short name."""
    values = [value for key, value in params.items() if key != "count"]
    if any(isinstance(value, dict) for value in values):
        return str(item.callspec.id)
    return "-".join(getattr(value, "__name__", str(value)) for value in values)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Name what failed at once: a run that is ended early has no summary."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        crash: Any = getattr(report.longrepr, "reprcrash", None)
        reason = str(crash.message).partition("\n")[0] if crash else ""
        print(f"\nFAILED {report.nodeid} ({report.when}): {reason}", flush=True)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.getoption("--proof"):
        return
    rows = _recorded() if config.getoption("--only") else {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            if claim := getattr(report, "claim", None):
                rows[claim[0], claim[1], claim[2]] = _row(report, outcome, *claim)
    lines = [rows[key] for key in sorted(rows)]
    RECORD.write_text(HEAD + "\n".join(lines) + f"\n\n{_environment()}\n", encoding="utf-8")


def _row(report: Any, outcome: str, name: str, doc: str, case: str, count: int) -> str:
    figures = "; ".join(str(value) for key, value in report.user_properties if key == "figure")
    shown = f"{doc} ({case})" if case else doc
    result = f"{outcome}{': ' if figures else ''}{figures}"
    return f"| {name} | {shown} | {count:,} | {result} | {report.duration:.0f} |"


def _recorded() -> dict[tuple[str, str, str], str]:
    """The lines of an earlier run; what runs again takes their place."""
    found = {}
    for line in RECORD.read_text(encoding="utf-8").splitlines() if RECORD.exists() else ():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 5 and cells[2].replace(",", "").isdigit():
            doc, _, case = cells[1].partition(" (")
            found[cells[0], doc, case.removesuffix(")")] = line
    return found


def _environment() -> str:
    day, cores = time.strftime("%Y-%m-%d"), os.cpu_count()
    return f"{day}, Python {platform.python_version()}, NumPy {np.__version__}, {cores} cores."


def _is_proof_alone(item: pytest.Item) -> bool:
    """Whether a run of all tests has no time for a test, as with an environment of its own.

    Of some claims it takes a few cases alone, see `tests.claims`.
    """
    marker = item.get_closest_marker("claim")
    is_left = item.get_closest_marker("left_to_proof") is not None
    return is_left or (marker is not None and not marker.kwargs["test"])


def _claim(item: pytest.Item) -> str | None:
    marker = item.get_closest_marker("claim")
    return None if marker is None else str(marker.args[0])
