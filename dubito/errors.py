"""Errors of the library, one family: each text is one sentence that names the field or file.

What an input is refused for is told by `Fault`, and never repeats a value that was given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class DubitoError(Exception):
    """Base of every error that Dubito raises on purpose; its text is one sentence."""


class UsageError(DubitoError):
    """A wrong flag, file or setting; the sentence names it. Commands exit with 2."""


class BundleError(DubitoError):
    """A bundle that must not be used; the sentence names the file and what is wrong with it."""


class NetworkError(DubitoError):
    """A network that the engine cannot run; the sentence names the layer."""


class DataError(DubitoError):
    """Training or input data that cannot be used; the sentence names the column or file."""


class FieldCode(StrEnum):
    """What is wrong with one field: a word for programs that stays while sentences may change."""

    MISSING = "missing"
    """The field is required, and is not there."""
    UNKNOWN = "unknown"
    """There is no field of this name."""
    GIVEN_TWICE = "given_twice"
    """The field is given more than once, or by two of its names."""

    NOT_A_NUMBER = "not_a_number"
    """A number is wanted; in a query, in plain digits."""
    NOT_WHOLE = "not_whole"
    """A whole number is wanted; in a query, in plain digits."""
    NOT_FINITE = "not_finite"
    """A finite number is wanted."""
    NOT_TRUE_OR_FALSE = "not_true_or_false"
    """`true` or `false` is wanted."""
    NOT_A_TEXT = "not_a_text"
    """A text is wanted."""
    NOT_A_LIST = "not_a_list"
    """A list is wanted."""
    NOT_AN_OBJECT = "not_an_object"
    """An object is wanted."""

    TOO_SMALL = "too_small"
    """The number is below `minimum`."""
    TOO_LARGE = "too_large"
    """The number is above `maximum`."""
    NOT_ONE_OF = "not_one_of"
    """The value is none of those that are allowed; `detail` lists a table's."""
    WRONG_FORM = "wrong_form"
    """The text is not of the form that the service gave out."""
    TEXT_TOO_SHORT = "text_too_short"
    """The text has fewer than `minimum` characters."""
    TEXT_TOO_LONG = "text_too_long"
    """The text has more than `maximum` characters."""
    NOT_A_TIME = "not_a_time"
    """The text is no time with its zone, as in 2026-01-31T09:00:00Z."""
    NOT_A_RANGE = "not_a_range"
    """The times are no range: the end before the beginning, too long, or beside a window."""
    NOT_PRINTABLE = "not_printable"
    """A header needs `minimum` to `maximum` printable characters."""
    TOO_FEW_ITEMS = "too_few_items"
    """The list has fewer than `minimum` items."""
    TOO_MANY_ITEMS = "too_many_items"
    """The list has more than `maximum` items."""
    TOO_MANY_MEMBERS = "too_many_members"
    """The body has more members than its fields could be."""
    TOO_MANY_PARAMETERS = "too_many_parameters"
    """The query has more than `maximum` parameters."""

    TOO_MUCH_WORK = "too_much_work"
    """Rows × passes are more than `maximum`."""
    TOO_MANY_DRAWS = "too_many_draws"
    """Rows × passes × classes are more than `maximum`, the numbers an answer may list."""
    OVERFLOWS = "overflows"
    """The network's numbers overflow on this row."""
    NOT_VALID = "not_valid"
    """The value cannot be taken, for a reason that has no other code."""


class NotJson(DataError):
    """A text that should be JSON and is not."""

    def __init__(self) -> None:
        super().__init__("the body is not JSON")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: where (a path of names and positions) and what.

    `message`, `minimum` and `maximum` never contain anything the client sent.
    """

    where: tuple[str | int, ...]
    code: FieldCode
    message: str
    in_query: bool = False
    """Whether a query parameter is meant instead of a member of the body."""
    minimum: float | None = None
    maximum: float | None = None
    """The bounds that `message` speaks of: the bundle's, or a setting's."""


class InvalidInput(DubitoError):
    """A request that cannot be graded; `faults` names each field."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = tuple(faults)


class Ungradable(InvalidInput):
    """Rows on which the network's arithmetic overflows, so that it has no answer to them."""

    sentence = "cannot be graded: the network's numbers overflow"

    def __init__(self, rows: Sequence[int]) -> None:
        """Take the positions of such rows among those that were asked about."""
        super().__init__([Fault((), FieldCode.OVERFLOWS, self.sentence)])
        self.rows = tuple(rows)

    def within(self, *where: str) -> InvalidInput:
        """The same of rows that are a list somewhere in a body."""
        return InvalidInput(
            [Fault((*where, row), FieldCode.OVERFLOWS, self.sentence) for row in self.rows]
        )
