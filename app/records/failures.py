"""Explains database errors in words that never contain recorded data."""

import errno

from sqlalchemy.exc import SQLAlchemyError

from app.records.address import DATABASES
from app.records.cause import Cause, Displaced, NotWritten
from app.records.state_files import one_line

DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk is full",
    errno.EROFS: "the disk is read-only",
}
"""Explanation of an error of the file system by its number."""


def database_cause(error: BaseException) -> Cause:
    """Explain an error of SQLAlchemy or a driver; for any other error only name its class."""
    name = type(error).__name__
    if isinstance(error, Displaced):
        return Cause(name, error.sentence, is_lasting=True, advice=error.advice)
    if isinstance(error, NotWritten):
        return error.cause
    if isinstance(error, OSError):
        return Cause(name, DISK.get(error.errno or 0, "the disk fails"), is_lasting=True)
    known = _known(getattr(error, "orig", None) or error)
    return Cause(name, None, is_lasting=False) if known is None else known._replace(name=name)


def explain(error: Exception) -> str:
    """Explain why the records cannot be opened or read, with the database's own message."""
    driver = getattr(error, "orig", None)
    cause = database_cause(error)
    is_wrapped = isinstance(error, SQLAlchemyError)
    if not is_wrapped and _known(error) is None:
        return f"they are damaged ({cause.name})"
    own = str(error if driver is None else driver).strip().partition("\n")[0]
    if driver is None and is_wrapped:
        own = cause.name
    return one_line(own) if cause.words is None else f"{cause.words} ({one_line(own)})"


def _known(error: BaseException) -> Cause | None:
    """Return the explanation by the database whose driver raised the error."""
    causes = (kind.cause(error) for kind in DATABASES)
    return next((cause for cause in causes if cause is not None), None)
