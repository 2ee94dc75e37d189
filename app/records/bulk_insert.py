"""SQL statements that run in every transaction, compiled once and passed straight to the driver.

SQLAlchemy's own path to the driver costs more time than these statements take to execute.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ClauseElement, Dialect, Table, insert
from sqlalchemy.engine.interfaces import DBAPICursor


class InsertStatement:
    """A parameterised statement, compiled for one SQL dialect."""

    def __init__(self, dialect: Dialect, statement: ClauseElement) -> None:
        """Compile the statement."""
        compiled: Any = statement.compile(dialect=dialect)
        self._text = str(compiled)
        self._names: list[str] | None = compiled.positiontup

    def run(self, cursor: DBAPICursor, **values: Any) -> None:
        """Execute the statement with its parameters given by name."""
        names = self._names
        cursor.execute(self._text, values if names is None else [values[name] for name in names])


class Addition:
    """A multi-row INSERT into one table, up to `AT_ONCE` rows in a statement.

    A statement costs more than a row. Besides, in a thread the event loop takes the interpreter
    lock at every statement and returns it only when it pleases.
    """

    AT_ONCE = 64

    def __init__(self, dialect: Dialect, table: Table) -> None:
        """Compile the INSERT; rows must list all columns in the table's order."""
        self._head = str(insert(table).compile(dialect=dialect)).partition(" VALUES ")[0]
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        self._row = f"({', '.join([mark] * len(table.columns))})"
        self._texts: dict[int, str] = {}
        """SQL text by number of rows: drivers reuse a statement that they have prepared before."""

    def run(self, cursor: DBAPICursor, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, each a sequence of values in the order of the table's columns."""
        for at in range(0, len(rows), self.AT_ONCE):
            part = rows[at : at + self.AT_ONCE]
            cursor.execute(self._text(len(part)), [value for row in part for value in row])

    def _text(self, rows: int) -> str:
        if rows not in self._texts:
            self._texts[rows] = f"{self._head} VALUES {', '.join([self._row] * rows)}"
        return self._texts[rows]
