"""Unexpected errors in words: what kind and where, and nothing of what they were about."""

import asyncio
import logging

import pytest

from app.error_location import locate_error, log_loop_error
from app.errors import SettingsError
from app.settings import read_settings
from dubito.cli.reference import whole_number
from dubito.errors import UsageError

PLANTED = "94827.5163"


def raised(error: BaseException) -> BaseException:
    """An error as one that was raised here."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_it_is_named_by_its_class_and_our_last_line() -> None:
    """The line of our own code, whatever it called and whoever called it."""
    with pytest.raises(SettingsError) as caught:
        read_settings({"DUBITO_PORT": PLANTED}, {})
    assert caught.value.__cause__ is not None
    told = locate_error(caught.value.__cause__)
    assert told.startswith("ValidationError at app/settings.py:")
    assert told.rpartition(":")[2].isdigit()


def test_a_line_of_the_library_is_our_own() -> None:
    """What it raised is not told as of the line that called it."""
    with pytest.raises(UsageError) as caught:
        whole_number("port", PLANTED, 1)
    assert caught.value.__cause__ is not None
    told = locate_error(caught.value.__cause__)
    assert told.startswith("ValueError at dubito/cli/reference.py:")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError(PLANTED), "ValueError"),
        (KeyError(PLANTED), "KeyError"),
        (UnicodeDecodeError("utf-8", PLANTED.encode(), 0, 1, PLANTED), "UnicodeDecodeError"),
        (ExceptionGroup(PLANTED, [TypeError(PLANTED), ValueError()]), "TypeError"),
        (BaseExceptionGroup(PLANTED, [KeyboardInterrupt(PLANTED)]), "KeyboardInterrupt"),
    ],
)
def test_its_text_is_not_told(error: BaseException, told: str) -> None:
    """Where none of our lines is concerned, the class alone; of a group the first."""
    assert told == locate_error(raised(error))
    assert told == locate_error(error)


def test_what_an_event_loop_caught_is_told_without_objects(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """asyncio would show the task, whose result holds the error, whose text holds figures."""

    async def fail() -> None:
        raise ValueError(PLANTED)

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(log_loop_error)
        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        del task
        asyncio.get_running_loop().call_exception_handler({"message": "something else"})

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert "Task exception was never retrieved: ValueError" in caplog.messages
    assert "something else" in caplog.messages
    assert PLANTED not in caplog.text
