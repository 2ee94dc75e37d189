"""The one family of errors. No HTTP and no Keras: the edge translates, see `app.api.problems`."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class ProblemCode(StrEnum):
    """Kind of a problem: a word for programs that stays the same while sentences may change."""

    INVALID_INPUT = "invalid_input"
    """Fields of the request are wrong; `errors` has a code for each."""

    NOT_JSON = "not_json"
    """The body is not JSON."""
    BODY_BROKE_OFF = "body_broke_off"
    """The connection ended before the body did."""
    BODY_TOO_SLOW = "body_too_slow"
    """The body was not complete within `limit` seconds."""
    BODY_TOO_LARGE = "body_too_large"
    """The body is larger than `limit` bytes."""
    WRONG_MEDIA_TYPE = "wrong_media_type"
    """The body is not called `application/json`."""
    COMPRESSED = "compressed"
    """The body has a content coding."""

    MALFORMED_REQUEST = "malformed_request"
    """The request is not what HTTP/1.1 says a request to a server is."""
    URL_TOO_LONG = "url_too_long"
    """The URL is longer than `limit` bytes."""
    HEAD_TOO_LARGE = "head_too_large"
    """The head is larger than `limit` bytes."""
    TOO_MANY_HEADERS = "too_many_headers"
    """There are more than `limit` headers."""
    HEAD_TOO_SLOW = "head_too_slow"
    """The head was not complete within `limit` seconds."""
    TOO_MANY_CONNECTIONS = "too_many_connections"
    """The service holds as many connections as it can."""

    RECORDS_HIDDEN = "records_hidden"
    """Records are shown on the service's own machine only."""
    UNKNOWN_HOST = "unknown_host"
    """The service was called by a name that is not its own."""
    OTHER_SITE = "other_site"
    """A page of another site asked for what only the service's own page may."""

    NO_SUCH_ADDRESS = "no_such_address"
    """The service has no such address, or has it only while it keeps records."""
    NO_SUCH_PREDICTION = "no_such_prediction"
    """No prediction is recorded under this identifier."""
    METHOD_NOT_ALLOWED = "method_not_allowed"
    """The address takes other methods; `Allow` names them."""
    REFUSED = "refused"
    """The address refuses the request; only the status says more."""

    KEY_IN_USE = "key_in_use"
    """A request with the same Idempotency-Key is being answered."""
    KEY_REUSED = "key_reused"
    """The Idempotency-Key was used for another request."""
    OUTCOME_DIFFERS = "outcome_differs"
    """Another outcome is recorded for the prediction."""
    REVIEW_DIFFERS = "review_differs"
    """Another review is recorded for the prediction."""
    NOT_LAST = "not_last"
    """A correction names an event that is not what was said last of the prediction."""
    NOT_WAITING = "not_waiting"
    """The prediction does not wait for a person, so nobody is to look at it."""
    NO_SUCH_ALARM = "no_such_alarm"
    """There is no alarm of this name."""
    NOT_RAISED = "not_raised"
    """The alarm is not raised, so that there is nothing to acknowledge."""
    ACKNOWLEDGED = "acknowledged"
    """The alarm is acknowledged already."""
    BUNDLE_GONE = "bundle_gone"
    """The bundle that produced the prediction is no longer available."""
    FEATURES_ERASED = "features_erased"
    """The features of the prediction were erased."""

    INTERNAL_ERROR = "internal_error"
    """The service failed; the fault is its own."""

    QUEUE_FULL = "queue_full"
    """The service has as much work queued as it can hold."""
    DEADLINE_UNMEETABLE = "deadline_unmeetable"
    """The answer would not be ready by its deadline; nothing was computed."""
    ENGINE_LOST = "engine_lost"
    """The engine's process has ended; another one follows."""
    CROWDED = "crowded"
    """Too many requests wait for older bundles to be opened."""
    UNREADY = "unready"
    """No grade would be given now: the engine or the records are in trouble."""
    STOPPING = "stopping"
    """The service is stopping."""
    UNRECORDED = "unrecorded"
    """The answer could not be recorded, so that it was not given."""
    UNREADABLE = "unreadable"
    """The records cannot be read at this moment."""
    TOO_MANY_LISTENERS = "too_many_listeners"
    """As many clients listen to events as may."""

    DEADLINE_PASSED = "deadline_passed"
    """The deadline passed before the answer was ready."""
    DEADLINE_PASSED_RECORDING = "deadline_passed_recording"
    """The deadline passed while the answer was being recorded: it may be recorded or not."""


class FieldCode(StrEnum):
    """What is wrong with one field of a request: a word for programs, as `ProblemCode` is."""

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


class DubitoError(Exception):
    """Base of every error this project raises on purpose; its text is one sentence."""


class SettingsError(DubitoError):
    """A setting that cannot be used; the sentence names it."""


class HostingError(DubitoError):
    """Processes that could not be started; the sentence says why."""


class BundleError(DubitoError):
    """A bundle that must not be served; the sentence names the file and the fault."""


class NetworkError(DubitoError):
    """A network the engine refuses to run; the sentence names the layer."""


class DataError(DubitoError):
    """Training or input data that cannot be used; the sentence names the column or file."""


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

    code: ClassVar[ProblemCode] = ProblemCode.INVALID_INPUT

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


class Overloaded(DubitoError):
    """The queue is full; the work was refused before any compute."""

    code: ClassVar[ProblemCode] = ProblemCode.QUEUE_FULL
    sentence = "the service has as much work queued as it can hold"
    reason = "queue_full"
    """For metrics."""

    def __init__(self, retry_after: int, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)
        self.retry_after = retry_after
        """Whole seconds after which trying again makes sense."""


class Late(Overloaded):
    """The deadline cannot be met; the work was refused before any compute."""

    code = ProblemCode.DEADLINE_UNMEETABLE
    sentence = "the answer would not be ready by its deadline"
    reason = "deadline_unmeetable"


class EngineLost(Overloaded):
    """The engine's process has ended; another one, or another worker, follows."""

    code = ProblemCode.ENGINE_LOST
    sentence = "the engine has ended, and nothing can be graded until it is back"
    reason = "engine_lost"

    def __init__(self) -> None:
        super().__init__(retry_after=5)


class Crowded(Overloaded):
    """Too many wait for bundles that answered before."""

    code = ProblemCode.CROWDED
    sentence = "too many wait for older bundles to be opened"
    reason = "crowded"

    def __init__(self) -> None:
        super().__init__(retry_after=10)


class Unready(Overloaded):
    """No grade would be given now: the engine or the records are in trouble."""

    code = ProblemCode.UNREADY
    reason = "unready"

    def __init__(self, trouble: str) -> None:
        super().__init__(5, trouble)


class RecorderLost(DubitoError):
    """The recorder's process has ended, and nothing can be remembered."""

    def __init__(self) -> None:
        super().__init__("the recorder has ended, and nothing can be recorded until it is back")


class DeadlinePassed(DubitoError):
    """The deadline passed after the request was accepted."""

    code: ClassVar[ProblemCode] = ProblemCode.DEADLINE_PASSED
    sentence = "the deadline passed before the answer was ready"
    reason = "deadline_passed"

    def __init__(self) -> None:
        super().__init__(self.sentence)


class DeadlinePassedRecording(DeadlinePassed):
    """The deadline passed while the answer was being recorded: nobody knows whether it was."""

    code = ProblemCode.DEADLINE_PASSED_RECORDING
    sentence = (
        "the deadline passed before the answer was on the disk: it may be recorded all the same, "
        "and the same request with the same Idempotency-Key finds out"
    )


class Abandoned(DubitoError):
    """Nobody waits for the answer any more; it was not computed."""

    reason = "abandoned"

    def __init__(self) -> None:
        super().__init__("nobody waits for the answer any more")


class RecordsError(DubitoError):
    """Records that cannot be opened, read or verified; the sentence says why."""


class Unrecorded(Overloaded):
    """The answer could not be recorded, so that it was not given."""

    code = ProblemCode.UNRECORDED
    sentence = "the answer could not be recorded"
    reason = "unrecorded"

    def __init__(self) -> None:
        super().__init__(retry_after=5)


class NotFound(DubitoError):
    """There is no such thing; the code and the sentence say what."""

    def __init__(self, code: ProblemCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Conflict(DubitoError):
    """It contradicts what is recorded already; the code and the sentence say how."""

    def __init__(self, code: ProblemCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Unreadable(Overloaded):
    """The records do not answer."""

    code = ProblemCode.UNREADABLE
    sentence = "the records cannot be read at this moment"
    reason = "unreadable"

    def __init__(self, cause: str | None = None) -> None:
        super().__init__(retry_after=5)
        self.cause = cause
        """For the log: what it comes from, without any value."""
