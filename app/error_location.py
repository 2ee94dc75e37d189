"""Describes unexpected errors for the log without their text: the class, and a line of this code.

The text of an error may contain a borrower's values, and so may a traceback, which ends with the
text.
"""

import asyncio
import logging
import traceback
from pathlib import Path
from typing import Any

from dubito import errors

PACKAGES = (Path(__file__).parent, Path(errors.__file__).parent)

log = logging.getLogger("dubito")


def locate_error(error: BaseException) -> str:
    """Name the class of an error and the innermost line of our packages in its traceback."""
    place = _place(error)
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
        place = _place(error) or place
    name = type(error).__name__
    return name if place is None else f"{name} at {place}"


def _place(error: BaseException) -> str | None:
    places = [
        f"{file.relative_to(package.parent)}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        for package in PACKAGES
        if (file := Path(frame.f_code.co_filename)).is_relative_to(package)
    ]
    return places[-1] if places else None


def log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:  # noqa: ARG001 - asyncio gives it
    """Log an error that the event loop caught, without the objects that asyncio would print."""
    error = context.get("exception")
    cause = "" if error is None else f": {locate_error(error)}"
    log.error("%s%s", context["message"], cause)
