"""Exceptions of the library: each message is one sentence that names the field or file.

A rejected input is described by `Fault` objects, which never repeat a value of the input.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dubito.printable import shorten

MOST_NAMED = 10
"""Most rows that a message names."""


class DubitoError(Exception):
    """Base of every error that Dubito raises on purpose; its message is one sentence."""


class UsageError(DubitoError):
    """A wrong flag, file or setting, named by the message. Commands exit with code 2."""


class BundleError(DubitoError):
    """A bundle that must not be used; the message names the file and the fault."""


class NetworkError(DubitoError):
    """A network that the engine cannot run; the message names the layer."""


class BackendUnavailable(NetworkError):
    """A backend that is not installed, or does not have a network's operations."""


class DataError(DubitoError):
    """Training or input data that cannot be used; the message names the column or file."""


class FieldCode(StrEnum):
    """Machine-readable code of a field's fault: codes stay the same, messages may change."""

    MISSING = "missing"
    """The field is required, and is absent."""
    UNKNOWN = "unknown"
    """There is no field of this name."""
    GIVEN_TWICE = "given_twice"
    """The field is given more than once, or by two of its names."""

    NOT_A_NUMBER = "not_a_number"
    """A number is required; in a query, in plain digits."""
    NOT_WHOLE = "not_whole"
    """A whole number is required; in a query, in plain digits."""
    NOT_FINITE = "not_finite"
    """A finite number is required."""
    NOT_TRUE_OR_FALSE = "not_true_or_false"
    """`true` or `false` is required."""
    NOT_A_TEXT = "not_a_text"
    """A text is required."""
    NOT_A_LIST = "not_a_list"
    """A list is required."""
    NOT_AN_OBJECT = "not_an_object"
    """An object is required."""

    TOO_SMALL = "too_small"
    """The number is below `minimum`."""
    TOO_LARGE = "too_large"
    """The number is above `maximum`."""
    NOT_A_MULTIPLE = "not_a_multiple"
    """The number is not a multiple of the one that `detail` names."""
    NOT_ONE_OF = "not_one_of"
    """The value is not one of those allowed; where a table limits them, `detail` lists it."""
    WRONG_FORM = "wrong_form"
    """The text does not have the form in which the service issued it."""
    TEXT_TOO_SHORT = "text_too_short"
    """The text has fewer than `minimum` characters."""
    TEXT_TOO_LONG = "text_too_long"
    """The text has more than `maximum` characters."""
    NOT_A_TIME = "not_a_time"
    """The text is not a time with a zone, such as 2026-01-31T09:00:00Z."""
    NOT_A_RANGE = "not_a_range"
    """The times do not form a range: end before start, too long, or given with a window."""
    NOT_PRINTABLE = "not_printable"
    """A header needs `minimum` to `maximum` printable characters."""
    TOO_FEW_ITEMS = "too_few_items"
    """The list has fewer than `minimum` items."""
    TOO_MANY_ITEMS = "too_many_items"
    """The list has more than `maximum` items."""
    TOO_MANY_MEMBERS = "too_many_members"
    """The body has more members than its fields allow."""
    TOO_MANY_PARAMETERS = "too_many_parameters"
    """The query has more than `maximum` parameters."""

    TOO_MUCH_WORK = "too_much_work"
    """Rows × passes exceed `maximum`."""
    TOO_MANY_DRAWS = "too_many_draws"
    """Rows × passes × classes exceed `maximum`, the most numbers an answer may list."""
    OVERFLOWS = "overflows"
    """The network's arithmetic overflows on this row."""
    NOT_VALID = "not_valid"
    """The value is not allowed, for a reason without a code of its own."""


class NotJson(DataError):
    """A body that is not valid JSON."""

    def __init__(self) -> None:
        super().__init__("the body is not JSON")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a request: its place, a path of names and positions, and what is wrong.

    `message`, `minimum` and `maximum` never contain anything the client sent.
    """

    where: tuple[str | int, ...]
    code: FieldCode
    message: str
    in_query: bool = False
    """Whether the fault is in a query parameter rather than in the body."""
    minimum: float | None = None
    maximum: float | None = None
    """Upper bound that `message` refers to, from the bundle or a setting; `minimum` likewise."""

    @property
    def field(self) -> str:
        """Name of the wrong field, the last name on its path; "body" if it has none."""
        names = [part for part in self.where if isinstance(part, str)]
        return shorten(names[-1]) if names else "body"


class InvalidInput(DubitoError):
    """Invalid input; `faults` names each wrong field."""

    def __init__(self, faults: Sequence[Fault], sentence: str | None = None) -> None:
        """Take the faults, and the message if they do not say it all."""
        told = "; ".join(f"{fault.field} {fault.message}" for fault in faults)
        super().__init__(sentence or told)
        self.faults = tuple(faults)

    @property
    def summary(self) -> str:
        """The first fault, and how many more there are."""
        first, more = self.faults[0], len(self.faults) - 1
        return f"{first.field} {first.message}" + (f" and {more} more" if more else "")


class Ungradable(InvalidInput):
    """Rows without a prediction, because the network's arithmetic overflows on them."""

    sentence = "cannot be graded: the network's numbers overflow"

    def __init__(self, rows: Sequence[int]) -> None:
        """Take the positions of these rows among all rows of the request."""
        where = f"row{'s' * (len(rows) > 1)} {', '.join(map(str, rows[:MOST_NAMED]))}"
        more = ", …" if len(rows) > MOST_NAMED else ""
        told = f"{where}{more} {self.sentence}"
        super().__init__([Fault((), FieldCode.OVERFLOWS, self.sentence)], told)
        self.rows = tuple(rows)

    def within(self, *where: str) -> InvalidInput:
        """Convert to an error that places the rows in the list at the path `where` of a body."""
        return InvalidInput(
            [Fault((*where, row), FieldCode.OVERFLOWS, self.sentence) for row in self.rows]
        )
