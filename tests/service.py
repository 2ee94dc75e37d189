"""`dubito serve` as a process: started on a free port, stopped by its process id."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dubito.cli.main import main
from tests.fork_server import forked

ROOT = Path(__file__).parent.parent
DUBITO = Path(sys.executable).parent / "dubito"
SERVING = f"{ROOT / 'tests' / 'serving'}{os.pathsep}{ROOT}"
"""A path on which Keras finds only what a serving installation has, so that it starts faster."""
SERVED = {"serve", "replay", "records"}
START_SECONDS = 120
STOP_SECONDS = 60
ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)")

LOUD = (
    "import logging, sys; logging.basicConfig(level=logging.DEBUG);"
    "from dubito.cli.main import main; sys.exit(main())"
)
"""The same command with every logger at DEBUG, which no setting asks for."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service that listens."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path
    """Everything it wrote to stdout and stderr."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def written(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; returns its exit code."""
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        return self.process.wait(STOP_SECONDS)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something to be so."""
    end = time.monotonic() + STOP_SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


def is_alive(pid: int) -> bool:
    """Whether a process is there, and not only waits to be buried.

    A killed one of several threads is there until the last has left the kernel: it may write still.
    """
    try:
        stats = [one.read_text() for one in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:
        # A thread ended meanwhile.
        return Path(f"/proc/{pid}").exists() and is_alive(pid)
    return any(text.rpartition(")")[2].split()[0] != "Z" for text in stats)


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process' variables without any setting of Dubito's, this tree first, some changes."""
    own = {name: text for name, text in os.environ.items() if not name.startswith("DUBITO_")}
    return {**own, "PYTHONPATH": str(ROOT), **(changes or {})}


def command(
    *arguments: str, changes: Mapping[str, str] | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run `dubito` to its end; what the service's commands need is a serving installation."""
    path = {"PYTHONPATH": SERVING} if SERVED & {*arguments[:1]} else {}
    return subprocess.run(
        [str(DUBITO), *arguments],
        cwd=ROOT,
        env=environment({**path, **(changes or {})}),
        input=stdin,
        capture_output=True,
        timeout=START_SECONDS,
        check=False,
    )


def command_here(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run `dubito` in this process: one of its own takes seconds to import Keras."""
    told, said = io.StringIO(), io.StringIO()
    with redirect_stdout(told), redirect_stderr(said):
        code = main(arguments)
    return subprocess.CompletedProcess(
        arguments, code, told.getvalue().encode(), said.getvalue().encode()
    )


def begin(
    log: Path, *arguments: str, changes: Mapping[str, str] | None = None, program: str | None = None
) -> subprocess.Popen[bytes]:
    """Start `dubito serve` on a free port of this machine alone, without waiting for it.

    `program` is Python that does so in the place of the command.
    """
    command, *words = _words_of(*arguments)
    first = [command] if program is None else [sys.executable, "-c", program]
    with log.open("wb") as output:
        return subprocess.Popen(
            [*first, *words],
            cwd=ROOT,
            env=_variables(log, changes),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def is_forkable(changes: Mapping[str, str] | None, program: str | None) -> bool:
    """Whether a service differs from others by nothing that its imports would notice."""
    is_measured = any(name.startswith("COVERAGE") for name in os.environ)
    is_other = any(not name.startswith("DUBITO_") for name in changes or ())
    return program is None and not is_measured and not is_other


def begin_forked(
    log: Path, *arguments: str, changes: Mapping[str, str] | None = None, program: str | None = None
) -> subprocess.Popen[bytes]:
    """Start what `begin` starts, without the time that its imports take."""
    with log.open("wb") as output:
        return forked(_words_of(*arguments), _variables(log, changes), ROOT, output)


def _words_of(*arguments: str) -> list[str]:
    return [str(DUBITO), "serve", "--host", "127.0.0.1", "--port", "0", *arguments]


def _variables(log: Path, changes: Mapping[str, str] | None) -> dict[str, str]:
    state = str(log.parent / "var")
    return environment({"PYTHONPATH": SERVING, "DUBITO_STATE": state, **(changes or {})})


def address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until it says where it listens."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        text = log.read_text(encoding="utf-8", errors="replace")
        if found := ADDRESS.search(text):
            return found[1]
        if process.poll() is not None:
            raise RuntimeError(f"dubito serve ended with {process.returncode}: {text}")
        time.sleep(0.05)
    raise TimeoutError("dubito serve did not start")


def child(pid: int, kind: str) -> int:
    """The process that a service has for something: `engine` or `recorder`."""
    name = f"app.processes.{kind}_process".encode()
    (found,) = (one for one in children(pid) if name in _words(one))
    return found


def _words(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@contextmanager
def serving(
    *arguments: str, changes: Mapping[str, str] | None = None, program: str | None = None
) -> Iterator[Service]:
    """A service for the length of a block."""
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        start = begin_forked if is_forkable(changes, program) else begin
        process = start(log, *arguments, changes=changes, program=program)
        try:
            yield Service(process, address(process, log), log)
        finally:
            ended(process)


def ended(process: subprocess.Popen[Any]) -> None:
    """See to it that a process is gone: kindly, then not."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
