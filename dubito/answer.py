"""Typed answers, format 1: what is predicted for one row, as responses and records carry it.

The same types serve responses, records and statistics. Only `to_json` writes the form that clients
read: class names are keys of maps there, and the predicted class is called `grade`, as the HTTP
contract says. A number has results of its own, in its unit.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, json, structs

from dubito.types import Identity

FORMAT = 1
"""Version of these types. Another version has types of its own; this one stays readable."""


class ValueWarning(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """A value that is missing or outside the training range, with that range."""

    feature: str
    value: float | UnsetType | None = UNSET
    """The row's value; None if missing, unset in records, which store values separately."""
    seen_minimum: float | UnsetType = UNSET
    seen_maximum: float | UnsetType = UNSET
    """Range that training saw; unset for a feature with a list of values."""


class OutOfRange(ValueWarning, frozen=True, tag="out_of_range"):
    """A value far outside the training range; the row is referred."""


class InMargin(ValueWarning, frozen=True, tag="in_margin"):
    """A value slightly outside the training range; this alone does not refer the row."""


class Missing(ValueWarning, frozen=True, tag="missing"):
    """A missing value; the network imputes the feature's constant."""


class UnknownCategory(Struct, frozen=True, tag_field="kind", tag="unknown_category"):
    """A category that is not in the feature's list, or that training did not see.

    The row is always referred.
    """

    feature: str


class FewPasses(Struct, frozen=True, tag_field="kind", tag="few_passes"):
    """Fewer passes than the calibration used: sets and decisions carry no guarantee."""

    passes: int
    calibrated_passes: int


class Degraded(Struct, frozen=True, tag_field="kind", tag="degraded"):
    """Fewer passes than requested, because the deadline left no time for more."""

    passes: int
    asked_passes: int


AnswerWarning = OutOfRange | InMargin | Missing | UnknownCategory | FewPasses | Degraded
NUMBER_WARNINGS: dict[str, type[OutOfRange | InMargin | Missing]] = {
    "out_of_range": OutOfRange,
    "in_margin": InMargin,
    "missing": Missing,
}
"""Warning classes about numbers, by kind."""


class Precision(Struct, frozen=True):
    """Monte-Carlo precision: how far the mean may be from its limit over infinitely many passes."""

    half_width: float
    """Half-width of a 95% interval of the mean, the largest over the classes or quantiles."""
    tolerance: float | None
    """Requested half-width; None with a fixed number of passes."""
    met: bool | None
    """Whether the tolerance was reached; None with a fixed number of passes."""


class Uncertainty(Struct, frozen=True, omit_defaults=True):
    """The uncertainty measures of one row, see `dubito.types.Summary`; entropies in nats."""

    predictive_entropy: Annotated[float, Meta(description="H[mean]: total uncertainty")]
    expected_entropy: Annotated[float, Meta(description="mean over passes of H[pass]: aleatoric")]
    mutual_information: Annotated[
        float, Meta(description="predictive minus expected entropy: epistemic")
    ]
    variation_ratio: Annotated[
        float, Meta(description="1 − share of passes for the most-voted grade")
    ]
    between_members: Annotated[
        float | UnsetType,
        Meta(
            description="part of the mutual information that is between the members of an ensemble"
        ),
    ] = UNSET
    """Unset for a bundle of one network."""


class SetAnswer(Struct, frozen=True, rename={"classes": "grades"}):
    """The conformal prediction set of one row."""

    coverage: float
    method: str
    class_conditional: bool
    classes: tuple[str, ...]
    guaranteed: bool
    """Whether the row had at least the calibration's passes; otherwise nothing is promised."""
    notes: tuple[str, ...]
    """Caveats about sets of this coverage and method, as sentences."""


class DecisionAnswer(Struct, frozen=True, omit_defaults=True):
    """The decision about one row."""

    action: Literal["automate", "refer"]
    reasons: tuple[str, ...]
    target: float
    """Upper bound promised for P(wrong | automated), a rate over many rows."""
    guaranteed: bool
    case_limit: float | UnsetType = UNSET
    """Upper bound promised for P(wrong | in the band), a rate over many rows; unset if the policy
    has no band."""


class PlainResult(Struct, frozen=True, rename={"predicted": "grade"}):
    """Result of the deterministic pass for one row."""

    predicted: str
    probabilities: dict[str, float]
    """Probability of each class, by class name."""


class MonteCarloResult(Struct, frozen=True, rename={"predicted": "grade"}):
    """Result of the Monte-Carlo passes for one row."""

    predicted: str
    mean: dict[str, float]
    """Mean over the passes of each class' probability, by class name."""
    std: dict[str, float]
    """Population standard deviation over the passes (`ddof=0`), by class name."""
    passes: int
    seed: int
    precision: Precision
    uncertainty: Uncertainty
    prediction_set: SetAnswer | None
    """The prediction set; None if the bundle has no calibration."""
    decision: DecisionAnswer | None
    """The decision; None if the bundle has no calibration."""


class PlainNumber(Struct, frozen=True):
    """A number that the deterministic pass predicts for one row."""

    value: float


class IntervalAnswer(Struct, frozen=True):
    """The conformal interval of one row."""

    coverage: float
    lower: float | None
    """Lower bound; None if too few calibration rows allow a finite one, as the upper bound."""
    upper: float | None
    method: str
    guaranteed: bool
    """Whether the row had at least the calibration's passes; otherwise nothing is promised."""


class MonteCarloNumber(Struct, frozen=True):
    """A number that the Monte-Carlo passes predict for one row."""

    mean: float
    """Mean over the passes."""
    std: float
    """Population standard deviation over the passes (`ddof=0`): epistemic."""
    passes: int
    seed: int
    precision: Precision
    interval: IntervalAnswer | None
    """The interval; None if the bundle has no calibration."""
    decision: DecisionAnswer | None
    """The decision; None if the bundle has no calibration."""
    aleatoric_std: float | UnsetType = UNSET
    """Root of the mean variance of the noise head; unset without one."""
    total_std: float | UnsetType = UNSET
    """Root of the sum of both variances; unset without a noise head."""
    quantiles: dict[str, float] | UnsetType = UNSET
    """Mean over the passes of each quantile, by level; unset without heads of quantiles."""
    between_members_std: float | UnsetType = UNSET
    """Standard deviation between the means of an ensemble's members, a part of `std`; unset for a
    bundle of one network."""


PlainAnyResult = PlainResult | PlainNumber
MonteCarloAnyResult = MonteCarloResult | MonteCarloNumber
AnyResult = PlainAnyResult | MonteCarloAnyResult
Result = TypeVar("Result", PlainResult, MonteCarloResult, PlainNumber, MonteCarloNumber)


class Answer(Struct, Generic[Result], frozen=True):
    """The answer about one row: its result, warnings and the bundle that computed it."""

    id: str
    """Identifier of the prediction, a UUID of version 7 (RFC 9562)."""
    result: Result
    warnings: tuple[AnswerWarning, ...]
    model: Identity
    """Identity of the bundle that computed the result."""
    draws: dict[str, list[float]] | UnsetType = UNSET
    """Output in each pass, `T` values by class name, for a number by the name of the output; unset
    unless requested."""


PlainAnswer = Answer[PlainResult]
MonteCarloAnswer = Answer[MonteCarloResult]
PlainNumberAnswer = Answer[PlainNumber]
MonteCarloNumberAnswer = Answer[MonteCarloNumber]
AnyPlainAnswer = PlainAnswer | PlainNumberAnswer
AnyMonteCarloAnswer = MonteCarloAnswer | MonteCarloNumberAnswer
AnyAnswer = AnyPlainAnswer | AnyMonteCarloAnswer


class _Head(Struct, frozen=True):
    id: str


class _Tail(Struct, frozen=True, omit_defaults=True):
    draws: dict[str, list[float]] | UnsetType
    warnings: tuple[AnswerWarning, ...]
    model: Identity


_encode = json.Encoder().encode


def to_json(answer: AnyAnswer) -> bytes:
    """Encode an answer as clients read it: one flat JSON object in UTF-8, doubles round-trip."""
    head = _encode(_Head(answer.id))
    result = _encode(answer.result)
    tail = _encode(_Tail(answer.draws, answer.warnings, answer.model))
    return b"%b,%b,%b" % (head[:-1], result[1:-1], tail[1:])


def list_to_json(answers: Sequence[AnyAnswer]) -> bytes:
    """Encode several answers as a JSON list in UTF-8."""
    return b"[%b]" % b",".join(map(to_json, answers))


def to_builtins(answer: AnyAnswer) -> Mapping[str, Any]:
    """Convert an answer to the content of `to_json`, as Python's own maps and lists."""
    content: Mapping[str, Any] = json.decode(to_json(answer))
    return content


def without_value(warning: AnswerWarning) -> AnswerWarning:
    """Remove the row's own value from a warning, as records store it."""
    return structs.replace(warning, value=UNSET) if isinstance(warning, ValueWarning) else warning


def kind_of(warning: AnswerWarning) -> str:
    """Return the kind of a warning, the value of its JSON member `kind`."""
    kind: str = warning.__struct_config__.tag  # type: ignore[assignment]
    return kind
