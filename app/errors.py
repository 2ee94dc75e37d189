"""Errors of the service. No HTTP: `app.http.problems` translates them."""

from typing import ClassVar, TypeVar

from app.problem_codes import ProblemCode
from dubito.errors import DubitoError, UsageError

Error = TypeVar("Error", bound=BaseException)


def copy_of(error: Error) -> Error:
    """A copy for one of several who wait: each that raises an error adds to its traceback."""
    copy = type(error).__new__(type(error), *error.args)
    copy.args = error.args
    copy.__dict__.update(error.__dict__)
    copy.__cause__, copy.__suppress_context__ = error.__cause__, error.__suppress_context__
    return copy


class SettingsError(UsageError):
    """A setting that cannot be used; the sentence names it."""


class StartError(DubitoError):
    """Processes that could not be started; the sentence says why."""


class Unavailable(DubitoError):
    """The service cannot answer at this moment, and can be asked again later (HTTP 503)."""

    code: ClassVar[ProblemCode]
    sentence: ClassVar[str]
    reason: ClassVar[str]
    """Label of the refusal in the metrics."""

    def __init__(self, retry_after: int, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)
        self.retry_after = retry_after
        """Whole seconds after which trying again makes sense."""


class Overloaded(Unavailable):
    """The queue is full; the work was refused before any compute."""

    code = ProblemCode.QUEUE_FULL
    sentence = "the service has as much work queued as it can hold"
    reason = "queue_full"


class DeadlineUnmeetable(Unavailable):
    """The deadline cannot be met; the work was refused before any compute."""

    code = ProblemCode.DEADLINE_UNMEETABLE
    sentence = "the answer would not be ready by its deadline"
    reason = "deadline_unmeetable"


class EngineLost(Unavailable):
    """The engine's process has ended; another one, or another worker, follows."""

    code = ProblemCode.ENGINE_LOST
    sentence = "the engine has ended, and nothing can be graded until it is back"
    reason = "engine_lost"

    def __init__(self) -> None:
        super().__init__(retry_after=5)


class TooManyWaiting(Unavailable):
    """Too many wait for bundles that answered before."""

    code = ProblemCode.CROWDED
    sentence = "too many wait for older bundles to be opened"
    reason = "crowded"

    def __init__(self) -> None:
        super().__init__(retry_after=10)


class NotReady(Unavailable):
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


class RecordingFailed(Unavailable):
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


class FeaturesErased(DubitoError):
    """The features of a prediction were erased, so that nothing can be computed from them."""

    code: ClassVar[ProblemCode] = ProblemCode.FEATURES_ERASED

    def __init__(self) -> None:
        super().__init__("the features of this prediction were erased")


class Conflict(DubitoError):
    """It contradicts what is recorded already; the code and the sentence say how."""

    def __init__(self, code: ProblemCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class RecordsUnavailable(Unavailable):
    """The records do not answer."""

    code = ProblemCode.UNREADABLE
    sentence = "the records cannot be read at this moment"
    reason = "unreadable"

    def __init__(self, cause: str | None = None) -> None:
        super().__init__(retry_after=5)
        self.cause = cause
        """For the log: what it comes from, without any value."""
