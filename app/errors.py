"""Errors of the service, independent of HTTP: `app.http.problems` translates them."""

from typing import ClassVar, TypeVar

from app.problem_codes import ProblemCode
from dubito.errors import DubitoError, UsageError

Error = TypeVar("Error", bound=BaseException)
OUR_FAULT = "the service failed; the fault is its own"
"""Sentence about an unexpected error, whose own text may hold values."""


def copy_of(error: Error) -> Error:
    """Copy an error for one of several waiting callers: each raise extends the traceback."""
    copy = type(error).__new__(type(error), *error.args)
    copy.args = error.args
    copy.__dict__.update(error.__dict__)
    copy.__cause__, copy.__suppress_context__ = error.__cause__, error.__suppress_context__
    return copy


class SettingsError(UsageError):
    """A setting has a value that cannot be used; the sentence names the setting."""


class StartError(DubitoError):
    """Child processes could not be started; the sentence gives the cause."""


class Unavailable(DubitoError):
    """The service cannot answer now; the request may be retried later (HTTP 503)."""

    code: ClassVar[ProblemCode]
    sentence: ClassVar[str]
    reason: ClassVar[str]
    """Label of this refusal in the metrics."""

    def __init__(self, retry_after: int, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)
        self.retry_after = retry_after
        """Whole seconds after which a retry makes sense."""


class Overloaded(Unavailable):
    """The queue is full; the request was refused before any computation."""

    code = ProblemCode.QUEUE_FULL
    sentence = "the service has as much work queued as it can hold"
    reason = "queue_full"


class DeadlineUnmeetable(Unavailable):
    """The deadline cannot be met; the request was refused before any computation."""

    code = ProblemCode.DEADLINE_UNMEETABLE
    sentence = "the answer would not be ready by its deadline"
    reason = "deadline_unmeetable"


class EngineLost(Unavailable):
    """The engine process has ended; it is restarted, or its worker is replaced."""

    code = ProblemCode.ENGINE_LOST
    sentence = "the engine process has ended, and nothing can be graded until it has restarted"
    reason = "engine_lost"

    def __init__(self) -> None:
        super().__init__(retry_after=5)


class TooManyWaiting(Unavailable):
    """Too many requests wait for older bundles to be opened."""

    code = ProblemCode.CROWDED
    sentence = "too many requests wait for older bundles to be opened"
    reason = "crowded"

    def __init__(self) -> None:
        super().__init__(retry_after=10)


class NotReady(Unavailable):
    """The service cannot grade requests now: the engine or the record store reports trouble."""

    code = ProblemCode.UNREADY
    reason = "unready"

    def __init__(self, trouble: str) -> None:
        super().__init__(5, trouble)


class RecorderLost(DubitoError):
    """The recorder process has ended, so nothing can be recorded."""

    def __init__(self) -> None:
        super().__init__(
            "the recorder process has ended, and nothing can be recorded until it has restarted"
        )


class DeadlinePassed(DubitoError):
    """The deadline passed after the request was accepted."""

    code: ClassVar[ProblemCode] = ProblemCode.DEADLINE_PASSED
    sentence = "the deadline passed before the answer was ready"
    reason = "deadline_passed"

    def __init__(self) -> None:
        super().__init__(self.sentence)


class DeadlinePassedRecording(DeadlinePassed):
    """The deadline passed while the answer was being recorded; it may or may not be recorded."""

    code = ProblemCode.DEADLINE_PASSED_RECORDING
    sentence = (
        "the deadline passed before the answer was on the disk: it may be recorded all the same, "
        "and the same request with the same Idempotency-Key finds out"
    )


class Abandoned(DubitoError):
    """The caller no longer waits for the answer; it was not computed."""

    reason = "abandoned"

    def __init__(self) -> None:
        super().__init__("the caller no longer waits for the answer")


class RecordsError(DubitoError):
    """Records cannot be opened, read or verified; the sentence gives the cause."""


class AddressError(RecordsError, SettingsError):
    """A setting is not a valid database address; the sentence does not repeat the address."""


class RecordingFailed(Unavailable):
    """The answer could not be recorded and was therefore not returned."""

    code = ProblemCode.UNRECORDED
    sentence = "the answer could not be recorded"
    reason = "unrecorded"

    def __init__(self) -> None:
        super().__init__(retry_after=5)


class NotFound(DubitoError):
    """The requested resource does not exist; the code and the sentence say which kind it is."""

    def __init__(self, code: ProblemCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class FeaturesErased(DubitoError):
    """The features of a prediction were erased, so nothing can be computed from them."""

    code: ClassVar[ProblemCode] = ProblemCode.FEATURES_ERASED

    def __init__(self) -> None:
        super().__init__("the features of this prediction were erased")


class Conflict(DubitoError):
    """The request contradicts what is already recorded; the code and the sentence say how."""

    def __init__(self, code: ProblemCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class RecordsUnavailable(Unavailable):
    """The record store does not respond."""

    code = ProblemCode.UNREADABLE
    sentence = "the records cannot be read at this moment"
    reason = "unreadable"

    def __init__(self, cause: str | None = None) -> None:
        super().__init__(retry_after=5)
        self.cause = cause
        """Cause for the log, without any recorded value."""
