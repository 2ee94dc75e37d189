"""Explains database errors in words that never contain recorded data."""

import sqlite3
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from app.record_ports import Trouble
from app.records.state_files import one_line

SQLITE = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "the database is read-only",
    "SQLITE_IOERR": "the disk fails",
    "SQLITE_BUSY": "another process holds the database",
    "SQLITE_LOCKED": "another process holds the database",
    "SQLITE_CORRUPT": "the database is damaged",
    "SQLITE_NOTADB": "the file is not a database",
    "SQLITE_CANTOPEN": "the file cannot be opened",
    "SQLITE_PERM": "the file may not be opened",
    "SQLITE_AUTH": "the file may not be opened",
    "SQLITE_NOLFS": "the file is too large",
    "SQLITE_PROTOCOL": "the locks of the database do not work",
}
"""Explanation by name of the SQLite error, or by a prefix of that name."""
POSTGRESQL = {
    "53100": "the disk of the database is full",
    "53200": "the database is out of memory",
    "53300": "the database accepts no more connections",
    "25006": "the database is read-only",
    "28": "the database refuses the user",
    "42501": "the database refuses the user",
    "3D000": "there is no such database",
    "57P": "the database shuts down or starts",
    "58": "the disk of the database fails",
    "XX": "the database is damaged",
    "08": "the database does not answer",
}
"""Explanation by SQLSTATE, or by a prefix of it; errors that the next attempt may escape, such as a
deadlock, are left out."""


class Cause(NamedTuple):
    """Reason why a database operation failed."""

    name: str
    """Name of the error's class."""
    words: str | None
    """Explanation of the error, if it is known."""
    is_lasting: bool
    """Whether the next attempt would probably fail as well."""
    advice: str | None = None
    """Remedy for an operator, if there is one."""

    @property
    def trouble(self) -> Trouble:
        """The reason why nothing can be recorded."""
        sentence = f"nothing can be recorded: {self.words or self.name}"
        return Trouble(sentence, self.advice or self.name)

    def __str__(self) -> str:
        return self.name if self.words is None else f"{self.name}, {self.words}"


def database_cause(error: BaseException) -> Cause:
    """Explain an error of SQLAlchemy or a driver; for any other error only name its class."""
    name = type(error).__name__
    if isinstance(error, Displaced):
        return Cause(name, error.sentence, is_lasting=True, advice=error.advice)
    driver = getattr(error, "orig", None) or error
    if isinstance(driver, sqlite3.Error):
        code = getattr(driver, "sqlite_errorname", "")
        words = _longest(SQLITE, code)
        return Cause(name, words, is_lasting=words is not None)
    if hasattr(driver, "sqlstate"):
        return _of_postgresql(name, driver)
    return Cause(name, None, is_lasting=False)


def explain(error: Exception) -> str:
    """Explain why the records cannot be opened or read, with the database's own message."""
    driver = getattr(error, "orig", None)
    cause = database_cause(error)
    if not isinstance(error, SQLAlchemyError | sqlite3.Error):
        return f"they are damaged ({cause.name})"
    own = str(error if driver is None else driver).strip().partition("\n")[0]
    if driver is None and isinstance(error, SQLAlchemyError):
        own = cause.name
    return one_line(own) if cause.words is None else f"{cause.words} ({one_line(own)})"


class Displaced(Exception):
    """The open files are no longer those at their paths."""

    def __init__(self, sentence: str, advice: str) -> None:
        super().__init__(sentence)
        self.sentence, self.advice = sentence, advice


def _of_postgresql(name: str, error: BaseException) -> Cause:
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        is_lost = any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)
        words = "the database does not answer" if is_lost else None
        return Cause(name, words, is_lasting=is_lost)
    words = _longest(POSTGRESQL, state)
    return Cause(name, words or f"SQLSTATE {state}", is_lasting=words is not None)


def _longest(known: dict[str, str], code: str) -> str | None:
    """Return the value of the longest key that is a prefix of `code`; None without one."""
    found = [start for start in known if code.startswith(start)]
    return known[max(found, key=len)] if found else None
