"""The answer about one row, format 1: one type from the engine to response, record and figures.

`to_json` is the one place where an answer takes the form that clients read. Class names are keys
of maps there, and the predicted class is called `grade`, as the HTTP contract says.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

from msgspec import UNSET, Struct, UnsetType, json, structs

from dubito.types import Identity

FORMAT = 1
"""Version of these types. Another one is read by its own types, and this one for ever."""


class ValueWarning(Struct, frozen=True, tag_field="kind"):
    """A value that training did not see, or that is missing, with the range that it saw."""

    feature: str
    seen_minimum: float
    seen_maximum: float
    value: float | None | UnsetType = UNSET
    """None where it is missing; not set in records, which hold values apart."""


class OutOfRange(ValueWarning, frozen=True, tag="out_of_range"):
    """A value far outside what training saw; it refers the row."""


class InMargin(ValueWarning, frozen=True, tag="in_margin"):
    """A value a little outside what training saw; it refers no row by itself."""


class Missing(ValueWarning, frozen=True, tag="missing"):
    """A value that is not there; the network puts the usual one in its place."""


class FewPasses(Struct, frozen=True, tag_field="kind", tag="few_passes"):
    """Fewer passes than sets and decisions were calibrated with: they promise nothing."""

    passes: int
    calibrated_passes: int


class Degraded(Struct, frozen=True, tag_field="kind", tag="degraded"):
    """Fewer passes than were asked for, as the deadline left no time for more."""

    passes: int
    asked_passes: int


Warning = OutOfRange | InMargin | Missing | FewPasses | Degraded
VALUE_WARNINGS: dict[str, type[OutOfRange | InMargin | Missing]] = {
    "out_of_range": OutOfRange,
    "in_margin": InMargin,
    "missing": Missing,
}
"""The warnings about values, by their kind."""


class Precision(Struct, frozen=True):
    """How far the mean may be from that of endlessly many passes."""

    half_width: float
    """Of a 95% interval of the mean, the largest over the classes."""
    tolerance: float | None
    """The half-width asked for; None with a fixed number of passes."""
    met: bool | None
    """Whether it was reached; None with a fixed number of passes."""


class Uncertainty(Struct, frozen=True):
    """The four measures of one row; entropies in nats."""

    predictive_entropy: float
    expected_entropy: float
    mutual_information: float
    variation_ratio: float


class SetAnswer(Struct, frozen=True, rename={"classes": "grades"}):
    """The conformal set of one row."""

    coverage: float
    method: str
    class_conditional: bool
    classes: tuple[str, ...]
    guaranteed: bool
    """Whether the row had as many passes as the calibration; else nothing is promised."""
    notes: tuple[str, ...]
    """What to know of a set of this coverage and method."""


class DecisionAnswer(Struct, frozen=True, omit_defaults=True):
    """The decision about one row."""

    action: Literal["automate", "refer"]
    reasons: tuple[str, ...]
    target: float
    """Most P(wrong | automated) that is promised."""
    guaranteed: bool
    case_limit: float | UnsetType = UNSET
    """Most P(wrong | in the band) that is promised; not set for policies of the average alone."""


class PlainResult(Struct, frozen=True, rename={"predicted": "grade"}):
    """What the deterministic pass says of one row."""

    predicted: str
    probabilities: dict[str, float]
    """Class to its probability."""


class MonteCarloResult(Struct, frozen=True, rename={"predicted": "grade"}):
    """What the passes say of one row."""

    predicted: str
    mean: dict[str, float]
    """Class to the mean of its probability over the passes."""
    std: dict[str, float]
    """Class to the population standard deviation (`ddof=0`) of the same."""
    passes: int
    seed: int
    precision: Precision
    uncertainty: Uncertainty
    prediction_set: SetAnswer | None
    """None of a bundle without a calibration."""
    decision: DecisionAnswer | None
    """None as well."""


Result = TypeVar("Result", PlainResult, MonteCarloResult)


class Answer(Struct, Generic[Result], frozen=True):
    """The answer about one row."""

    id: str
    """Identifier of the prediction: a UUID of version 7 (RFC 9562)."""
    result: Result
    warnings: tuple[Warning, ...]
    model: Identity
    """Which bundle answered."""
    draws: dict[str, list[float]] | UnsetType = UNSET
    """Class to the probability in each pass, where that was asked for."""


PlainAnswer = Answer[PlainResult]
MonteCarloAnswer = Answer[MonteCarloResult]
AnyAnswer = PlainAnswer | MonteCarloAnswer


class _Head(Struct, frozen=True):
    id: str


class _Tail(Struct, frozen=True, omit_defaults=True):
    draws: dict[str, list[float]] | UnsetType
    warnings: tuple[Warning, ...]
    model: Identity


_encode = json.Encoder().encode


def to_json(answer: AnyAnswer) -> bytes:
    """The answer as clients read it: one flat JSON object, UTF-8; doubles round-trip."""
    head = _encode(_Head(answer.id))
    result = _encode(answer.result)
    tail = _encode(_Tail(answer.draws, answer.warnings, answer.model))
    return b"%b,%b,%b" % (head[:-1], result[1:-1], tail[1:])


def list_to_json(answers: Sequence[AnyAnswer]) -> bytes:
    """Several answers as a JSON list."""
    return b"[%b]" % b",".join(map(to_json, answers))


def to_builtins(answer: AnyAnswer) -> Mapping[str, Any]:
    """The same as `to_json`, as Python's own maps and lists."""
    content: Mapping[str, Any] = json.decode(to_json(answer))
    return content


def without_value(warning: Warning) -> Warning:
    """A warning that says nothing of the row's own values, as records keep it."""
    return structs.replace(warning, value=UNSET) if isinstance(warning, ValueWarning) else warning


def kind_of(warning: Warning) -> str:
    """The kind of a warning, as `kind` says in JSON."""
    kind: str = warning.__struct_config__.tag  # type: ignore[assignment]
    return kind
