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
    """Adds rows to a table, many with a statement: after each the event loop has its turn."""

    AT_ONCE = (64, 16, 4, 1)

    def __init__(self, dialect: Dialect, table: Table) -> None:
        """Compile it, for rows of all columns in their order."""
        head, values, _ = str(insert(table).compile(dialect=dialect)).partition(" VALUES ")
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        row = f"({', '.join([mark] * len(table.columns))})"
        self._texts = {many: head + values + ", ".join([row] * many) for many in self.AT_ONCE}

    def run(self, cursor: DBAPICursor, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows."""
        at = 0
        for many, text in self._texts.items():
            while len(rows) - at >= many:
                cursor.execute(text, [value for row in rows[at : at + many] for value in row])
                at += many
