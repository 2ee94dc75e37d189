"""Why a database operation failed, in words that never contain recorded data."""

from collections.abc import Mapping
from typing import NamedTuple

from app.record_ports import Trouble


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


class Displaced(Exception):
    """The open files are no longer those at their paths."""

    def __init__(self, sentence: str, advice: str) -> None:
        super().__init__(sentence)
        self.sentence, self.advice = sentence, advice


class NotWritten(Exception):
    """A group was not written; the error's text is dropped, as it may contain recorded values."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause

    @property
    def trouble(self) -> Trouble | None:
        """The reason why the next group would fail as well; None if the cause may pass."""
        return self.cause.trouble if self.cause.is_lasting else None

    def __str__(self) -> str:
        return str(self.cause)


def words_for(code: str, known: Mapping[str, str]) -> str | None:
    """Return the explanation under the longest key that is a prefix of `code`; None without one."""
    found = [start for start in known if code.startswith(start)]
    return known[max(found, key=len)] if found else None
