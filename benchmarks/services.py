"""Starts and stops the services under test: ours, the bare route, and any other command."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import ProxyHandler, Request, build_opener

from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example

MODELS = Path("models")
NAME = "loan-grade"
NETWORKS = {"study": 1, "shipped": 5}
"""Bundle versions of the networks, by name."""
START_SECONDS = 120
OPENER = build_opener(ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Running:
    """Running service."""

    process: subprocess.Popen[bytes]
    url: str
    seconds: float
    """Seconds from its start until it was ready."""

    def resident(self) -> int:
        """Return the memory of all its processes in bytes."""
        return resident(self.process.pid)

    def cpu_seconds(self) -> float:
        """Return the CPU time that its processes have used, to a hundredth of a second."""
        return sum(map(_cpu_seconds, _tree(self.process.pid)))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause its processes for a block, because some services are busy even without requests."""
        everyone = _tree(self.process.pid)
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in everyone:
                os.kill(pid, signal.SIGCONT)


def _tree(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [word for task in tasks for word in task.read_text(encoding="ascii").split()]
    return [pid, *(one for child in children for one in _tree(int(child)))]


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, in user and kernel mode (`proc_pid_stat(5)`)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Return the memory in bytes of a process and its descendants.

    It is the proportional set size (PSS), so that memory they share counts once.
    """
    return sum(map(_proportional, _tree(pid)))


def _proportional(pid: int) -> int:
    try:
        parts = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        # It has ended meanwhile.
        return 0
    line = next(line for line in parts.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024


def row(version: int) -> str:
    """Return a typical row of a bundle as JSON."""
    return json.dumps(example(inspect(find_version(MODELS, NAME, version)).manifest.signature))


def post(url: str, body: str) -> bytes:
    """Return the response to a POST."""
    request = Request(url, body.encode(), {"Content-Type": "application/json"})  # noqa: S310 - ours
    with OPENER.open(request, timeout=60) as answer:
        content: bytes = answer.read()
        return content


@contextmanager
def ours(
    version: int, *arguments: str, tree: Path | None = None, records: str = "off"
) -> Iterator[Running]:
    """Run `dubito serve` with a bundle, from this work tree or another."""
    with serving_models(f"{NAME}/{version}", *arguments, tree=tree, records=records) as found:
        yield found


@contextmanager
def serving_models(
    models: str, *arguments: str, tree: Path | None = None, records: str = "off"
) -> Iterator[Running]:
    """Run `dubito serve` with some bundles, separated by commas."""
    port = free_port()
    words = [*_command(tree), "serve", models, "--records", records]
    # PYTHONPATH precedes the installed tree, for the service's child processes too.
    variables = {"PYTHONPATH": str(tree)} if tree else {}
    command = [*words, "--port", str(port), *arguments]
    with running(command, port, "/health/ready", variables, tree) as found:
        yield found


def _command(tree: Path | None) -> list[str]:
    """Return the words that begin a command line: the installed one, or that of a tree."""
    if tree is None:
        return [str(Path(sys.executable).parent / "dubito")]
    # Before version 0.4 there was one package, `app`.
    module = "dubito.cli.main" if (tree / "dubito").is_dir() else "app.cli"
    return [sys.executable, "-c", f"import sys; from {module} import main; sys.exit(main())"]


@contextmanager
def bare(version: int, answer: bytes) -> Iterator[Running]:
    """Run the bare route with the models of a bundle and one of its responses."""
    port = free_port()
    words = [sys.executable, "-m", "uvicorn", "--factory", "benchmarks.bare:create_app"]
    quiet = ["--no-access-log", "--log-level", "warning", "--port", str(port)]
    with TemporaryDirectory() as folder:
        kept = Path(folder) / "answer.json"
        kept.write_bytes(answer)
        told = {"BARE_BUNDLE": str(find_version(MODELS, NAME, version)), "BARE_ANSWER": str(kept)}
        with running([*words, *quiet], port, "/docs", told) as found:
            yield found


@contextmanager
def plain() -> Iterator[Running]:
    """Run the plain route."""
    port = free_port()
    words = [sys.executable, "-m", "uvicorn", "--factory", "benchmarks.plain:create_app"]
    quiet = ["--no-access-log", "--log-level", "warning", "--port", str(port)]
    with running([*words, *quiet], port, "/docs") as found:
        yield found


@contextmanager
def running(
    words: Sequence[str],
    port: int,
    ready: str,
    variables: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[Running]:
    """Run a service for a block, from when it is ready; its child processes end with it."""
    url, start = f"http://127.0.0.1:{port}", time.perf_counter()
    own = {name: text for name, text in os.environ.items() if not name.startswith("DUBITO_")}
    process = subprocess.Popen(
        words,
        cwd=folder,
        env={**own, **(variables or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not _answers(url + ready):
            if process.poll() is not None or time.perf_counter() - start > START_SECONDS:
                raise RuntimeError(f"{' '.join(words)} did not start")
            time.sleep(0.01)
        yield Running(process, url, time.perf_counter() - start)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        port: int = opened.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    try:
        with OPENER.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def load_until_warm(url: str, body: str, requests: int = 200) -> None:
    """Send a number of requests, one after the other."""
    for _ in range(requests):
        post(f"{url}/predict/mc?passes=100", body)
