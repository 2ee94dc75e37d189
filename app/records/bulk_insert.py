"""Statements that are run with every group: compiled once, and handed to the driver itself.

SQLAlchemy's own way to a driver costs more than what these do there.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ClauseElement, Dialect, Table, insert
from sqlalchemy.engine.interfaces import DBAPICursor


class Statement:
    """A statement with parameters, for one dialect."""

    def __init__(self, dialect: Dialect, statement: ClauseElement) -> None:
        """Compile it."""
        compiled: Any = statement.compile(dialect=dialect)
        self._text = str(compiled)
        self._names: list[str] | None = compiled.positiontup

    def run(self, cursor: DBAPICursor, **values: Any) -> None:
        """Run it; each parameter is given by name."""
        names = self._names
        cursor.execute(self._text, values if names is None else [values[name] for name in names])


class Addition:
    """Adds rows to a table, many with a statement.

    A statement costs more than a row does, and in a thread the event loop takes the interpreter
    with each, and gives it back when it likes.
    """

    AT_ONCE = 64

    def __init__(self, dialect: Dialect, table: Table) -> None:
        """Compile it, for rows of all columns in their order."""
        self._head = str(insert(table).compile(dialect=dialect)).partition(" VALUES ")[0]
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        self._row = f"({', '.join([mark] * len(table.columns))})"
        self._texts: dict[int, str] = {}
        """By number of rows: the driver knows again what it has prepared."""

    def run(self, cursor: DBAPICursor, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows."""
        for at in range(0, len(rows), self.AT_ONCE):
            part = rows[at : at + self.AT_ONCE]
            cursor.execute(self._text(len(part)), [value for row in part for value in row])

    def _text(self, rows: int) -> str:
        if rows not in self._texts:
            self._texts[rows] = f"{self._head} VALUES {', '.join([self._row] * rows)}"
        return self._texts[rows]
