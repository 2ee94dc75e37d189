"""Signals: a service ends by them at any time, in order once it serves."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from app.server.supervisor import _signals
from tests.service import address, begin, children, ended, is_alive, until

NUMBERS = [signal.SIGTERM, signal.SIGINT]


def is_handled(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of a signal, as the kernel knows."""
    status = Path(f"/proc/{pid}/status").read_text()
    handled = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(handled & 1 << number - 1)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("seconds", [0.1, 0.5])
def test_a_start_ends_at_once(tmp_path: Path, number: signal.Signals, seconds: float) -> None:
    """Exit code 0 within a second, no traceback, and no process that goes on loading.

    The signal is handled, which process 1 needs to have any effect.
    """
    process = begin(tmp_path / "log", "loan-grade/3")
    try:
        # The last of them; of SIGINT Python has a handler of its own before.
        until(lambda: is_handled(process.pid, signal.SIGHUP))
        time.sleep(seconds)
        started = children(process.pid)
        os.kill(process.pid, number)
        start = time.monotonic()
        assert 0 == process.wait(10)
        assert time.monotonic() - start < 1
    finally:
        ended(process)
    assert "" == (tmp_path / "log").read_text()
    until(lambda: not any(map(is_alive, started)))


def test_a_hangup_does_not_end_a_start(tmp_path: Path) -> None:
    """Who asks to load again what is being loaded gets what is loaded."""
    process = begin(tmp_path / "log", "loan-grade/1")
    try:
        until(lambda: is_handled(process.pid, signal.SIGHUP))
        os.kill(process.pid, signal.SIGHUP)
        assert address(process, tmp_path / "log")
    finally:
        ended(process)


def test_it_outlives_its_terminal_where_it_is_to(tmp_path: Path) -> None:
    """As nohup starts it, SIGHUP changes nothing."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = begin(tmp_path / "log", "loan-grade/1")
    finally:
        signal.signal(signal.SIGHUP, before)
    try:
        until(lambda: bool(children(process.pid)))
        os.kill(process.pid, signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
    finally:
        ended(process)


@pytest.mark.parametrize("number", NUMBERS)
def test_each_wakes_the_supervisor(number: signal.Signals) -> None:
    """Whichever of them comes, it looks; afterwards they mean what they meant before."""
    before = signal.getsignal(number)
    with _signals() as woken:
        woken.settimeout(5)
        os.kill(os.getpid(), number)
        assert bytes([number]) == woken.recv(1)
    assert before == signal.getsignal(number)
