"""Lines of the log: one each, with the time in UTC, the level, the process and what happened."""

import logging
import re
import subprocess
import sys
import time

import pytest

from app.processes.logs import FORMAT, LineFormatter
from tests.service import environment

PLANTED = "94827.5163"
SHAPE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING|ERROR|CRITICAL) [a-z.]+\[\d+\] .+"
)


def line(message: str, *arguments: object, error: BaseException | None = None) -> str:
    caught = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord("dubito", logging.ERROR, "", 0, message, arguments, caught)
    return LineFormatter(FORMAT).format(record)


def test_the_time_is_utc_to_the_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the machine is."""
    monkeypatch.setenv("TZ", "Asia/Seoul")
    time.tzset()
    try:
        record = logging.LogRecord("dubito", logging.INFO, "", 0, "said", (), None)
        record.created, record.msecs, record.process = 1_769_851_800.25, 250, 7
        assert "2026-01-31T09:30:00.250Z INFO dubito[7] said" == LineFormatter(FORMAT).format(
            record
        )
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_error_is_named_in_the_same_line() -> None:
    """Not its text, and no traceback, though another formatter has written them down."""
    with pytest.raises(ValueError, match="94827") as caught:
        float(f"{PLANTED}x")
    found = line("it\nfailed", error=caught.value)
    assert SHAPE.fullmatch(found)
    assert found.endswith("it: failed: ValueError")
    assert PLANTED not in found


PROGRAM = """
import logging, sys, threading
from app.processes.logs import configure_logs
configure_logs()
logging.getLogger("dubito").info("begun")
thread = threading.Thread(target=int, args=("94827.5163",))
thread.start()
thread.join()
float("94827.5163x")
"""


def test_what_nobody_catches_is_a_line() -> None:
    """In a thread, and where it ends the process, whose exit code is 1."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (1, "") == (done.returncode, done.stdout)
    lines = done.stderr.splitlines()
    assert all(map(SHAPE.fullmatch, lines)), lines
    begun, thread, ended = (found.partition("] ")[2] for found in lines)
    assert "begun" == begun
    assert "a thread ended by an unexpected error: ValueError" == thread
    assert "ended by an unexpected error: ValueError" == ended
