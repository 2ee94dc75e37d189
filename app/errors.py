"""The one family of errors. No HTTP and no Keras: the edge translates, see `app.api.problems`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.codes import FieldCode, ProblemCode


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


class AddressError(RecordsError, SettingsError):
    """A setting that is no address of records; the sentence holds nothing of it."""


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
