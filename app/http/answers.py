"""Pydantic models of predictions, for OpenAPI only; `dubito.answer` writes the JSON itself.

No member has a default, so each is required in the schema.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model

from app.http.json_schema import CLOSED, grade_of
from dubito import answer
from dubito.features import NumberFeature, TensorFeature
from dubito.targets import ClassTarget, NumberTarget
from dubito.types import AnyCalibration, Calibration, NumberCalibration, Signature


class Model(BaseModel):
    """The bundle that produced the prediction."""

    model_config = CLOSED

    name: str
    version: int
    digest: str


def uncertainty_model(members: int = 1) -> type[BaseModel]:
    """Build the model of the measures, described as their own type describes them."""
    hints = get_type_hints(answer.Uncertainty, include_extras=True)
    if members == 1:
        del hints["between_members"]
    fields: dict[str, Any] = {
        name: (float, Field(description=hint.__metadata__[0].description))
        for name, hint in hints.items()
    }
    about = "Uncertainty of one row; entropies in nats."
    return create_model("Uncertainty", __doc__=about, __config__=CLOSED, **fields)


class Precision(BaseModel):
    """Precision of the mean over the passes, compared with the mean of infinitely many passes."""

    model_config = CLOSED

    half_width: float = Field(
        description="half-width of a 95% interval of the mean, the largest over the grades; "
        "1/(2T) if all T passes are equal"
    )
    tolerance: float | None = Field(
        description="the requested half-width; null: fixed number of passes"
    )
    met: bool | None = Field(
        description="whether the tolerance was reached; null: fixed number of passes"
    )


class OutOfRangeWarning(BaseModel):
    """A value outside the range of the training data."""

    model_config = CLOSED

    kind: Literal["out_of_range"]
    feature: str
    value: float
    seen_minimum: float
    seen_maximum: float


class MarginWarning(BaseModel):
    """A value so little outside the range of the training data that it alone refers no row.

    Money up to twice as large or half as small, anything else by up to half of the range seen in
    training. Bundles without `case_limit` do not give this warning.
    """

    model_config = CLOSED

    kind: Literal["in_margin"]
    feature: str
    value: float
    seen_minimum: float
    seen_maximum: float


class MissingWarning(BaseModel):
    """A missing value; the network uses the feature's imputed value instead."""

    model_config = CLOSED

    kind: Literal["missing"]
    feature: str
    value: None
    seen_minimum: float
    seen_maximum: float


class MissingCategoryWarning(BaseModel):
    """A missing value of a feature with a list of values."""

    model_config = CLOSED

    kind: Literal["missing"]
    feature: str
    value: None


class UnknownCategoryWarning(BaseModel):
    """A category that is not in the feature's list, or that training did not see.

    The row is always referred.
    """

    model_config = CLOSED

    kind: Literal["unknown_category"]
    feature: str


class FewPassesWarning(BaseModel):
    """Fewer passes than the calibration used: prediction set and decision are not guaranteed."""

    model_config = CLOSED

    kind: Literal["few_passes"]
    passes: int
    calibrated_passes: int = Field(
        description="passes from which on prediction sets and decisions are guaranteed"
    )


class DegradedWarning(BaseModel):
    """Fewer passes than requested, because the deadline left no time for more."""

    model_config = CLOSED

    kind: Literal["degraded"]
    passes: int
    asked_passes: int


OddNumber = OutOfRangeWarning | MarginWarning | MissingWarning
OddValue = OddNumber | MissingCategoryWarning | UnknownCategoryWarning


MEANING = (
    "`automate`: the grade may be used without a person. `refer`: a person should "
    "review it, for the reasons given. It says nothing about granting the loan, "
    "or whatever else is graded."
)
CASES = (
    "maximum share of wrong grades promised among many automated rows in the band of the least "
    "certain; not the probability that this row's grade is wrong; see `GET /model`"
)
PROMISE = (
    "whether the row had at least as many passes as the calibration; with fewer, "
    "nothing is promised"
)


class PredictionSet(BaseModel):
    """Conformal set of grades.

    On average over many rows exchangeable with the calibration rows, and over the draw of those, a
    share `coverage` of sets contains the true grade; it is not the probability for this row.
    """

    model_config = CLOSED

    coverage: float
    method: str
    class_conditional: bool
    grades: list[str]
    guaranteed: bool = Field(description=PROMISE)
    notes: list[str] = Field(description="remarks on a set of this coverage and method")


class Decision(BaseModel):
    """Whether the grade may be used without a person."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"description": MEANING})

    action: Literal["automate", "refer"]
    reasons: list[str] = Field(description="why a person should review the row; empty if automated")
    target: float = Field(
        description="maximum share of wrong grades promised among many automated rows; not the "
        "probability that this row's grade is wrong"
    )
    guaranteed: bool = Field(description=PROMISE)


def decision_of(calibration: Calibration) -> type[Decision]:
    """Create the model of a bundle's decisions; `case_limit` only exists if the policy has one."""
    if calibration.policy.case_limit is None:
        return Decision
    return create_model(
        "Decision",
        __base__=Decision,
        __doc__=Decision.__doc__,
        case_limit=(float, Field(description=CASES)),
    )


class NumberPrecision(BaseModel):
    """Precision of the mean over the passes, compared with the mean of infinitely many passes."""

    model_config = CLOSED

    half_width: float = Field(
        description="half-width of a 95% interval of the mean, in the number's unit"
    )
    tolerance: float | None = Field(
        description="the requested half-width; null: fixed number of passes"
    )
    met: bool | None = Field(
        description="whether the tolerance was reached; null: fixed number of passes"
    )


class Interval(BaseModel):
    """Conformal interval of a number.

    On average over many rows exchangeable with the calibration rows, and over the draw of those, a
    share `coverage` of intervals contains the true number; it is not the probability for this row.
    """

    model_config = CLOSED

    coverage: float
    lower: float | None = Field(
        description="lower bound; null if too few calibration rows allow a finite one"
    )
    upper: float | None = Field(description="upper bound; null as the lower one")
    method: str
    guaranteed: bool = Field(description=PROMISE)


NUMBER_MEANING = (
    "`automate`: the number may be used without a person. `refer`: a person should review it, for "
    "the reasons given. It is about the interval at the bundle's own coverage, whatever coverage "
    "is requested."
)


class NumberDecision(BaseModel):
    """Whether the number may be used without a person."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"description": NUMBER_MEANING})

    action: Literal["automate", "refer"]
    reasons: list[str] = Field(description="why a person should review the row; empty if automated")
    target: float = Field(
        description="maximum share of intervals that miss the true number promised among many "
        "automated rows"
    )
    guaranteed: bool = Field(description=PROMISE)
    case_limit: float = Field(
        description="maximum share of misses promised among many automated rows in the band of "
        "the widest intervals; see `GET /model`"
    )


@dataclass(frozen=True, slots=True)
class AnswerModels:
    """Models of one bundle's predictions, for OpenAPI; `listed` makes those for many rows."""

    plain: type[BaseModel]
    monte_carlo: type[BaseModel]
    with_draws: type[BaseModel]


def answer_models(
    signature: Signature, calibration: AnyCalibration | None, members: int = 1
) -> AnswerModels:
    """Build the models of one bundle's predictions for one row; `members` are its networks."""
    numeric = NumberFeature | TensorFeature
    is_numeric = all(isinstance(one, numeric) for one in signature.features)
    odd = OddNumber if is_numeric else OddValue
    target = signature.target
    if isinstance(target, NumberTarget):
        return _number_models(target, calibration, odd, members)
    assert not isinstance(calibration, NumberCalibration)  # noqa: S101 - as the manifest's parser has it
    return _class_models(target, calibration, odd, members)


def _number_models(
    target: NumberTarget, calibration: AnyCalibration | None, odd: Any, members: int
) -> AnswerModels:
    unit = f", {target.unit}" if target.unit else ""
    told = f"{target.title}{unit}"
    model = {"model": (Model, ...)}
    plain = _closed(
        "Prediction",
        id=(str, ...),
        value=(float, Field(description=told)),
        warnings=(list[odd], ...),
        **model,
    )
    shortened: Any = DegradedWarning if calibration is None else FewPassesWarning | DegradedWarning
    spread = {
        "id": (str, ...),
        "mean": (float, Field(description=f"mean over the passes; {told}")),
        "std": (float, Field(description="standard deviation over the passes: epistemic")),
        "passes": (int, ...),
        "seed": (int, ...),
        "precision": (NumberPrecision, ...),
        "interval": (None if calibration is None else Interval, ...),
        "decision": (None if calibration is None else NumberDecision, ...),
        **_head_members(target),
        **({} if members == 1 else {"between_members_std": (float, BETWEEN)}),
    }
    closing = {"warnings": (list[odd | shortened], ...), **model}
    draws = _by_name("Draws", target.outputs, list[float])
    return AnswerModels(
        plain,
        _closed("MonteCarloPrediction", **spread, **closing),
        _closed("MonteCarloPredictionWithDraws", **spread, draws=(draws, ...), **closing),
    )


BETWEEN = Field(description="standard deviation between the networks' means, a part of `std`")


def _head_members(target: NumberTarget) -> dict[str, Any]:
    """Build the members that only some heads have."""
    if target.head == "normal":
        return {
            "aleatoric_std": (float, Field(description="root of the mean variance of the noise")),
            "total_std": (float, Field(description="root of the sum of both variances")),
        }
    if target.head == "quantiles":
        names = tuple(f"{level:g}" for level in target.levels)
        return {"quantiles": (_by_name("Quantiles", names, float), ...)}
    return {}


def _class_models(
    target: ClassTarget, calibration: Calibration | None, odd: Any, members: int
) -> AnswerModels:
    classes = target.classes
    grade = grade_of(classes)
    by_class = _by_class("Probabilities", grade, classes, float)
    common = {"id": (str, ...), "grade": (grade, ...)}
    model = {"model": (Model, ...)}
    plain = _closed(
        "Prediction",
        **common,
        probabilities=(by_class, ...),
        warnings=(list[odd], ...),
        **model,
    )
    spread = {
        **common,
        "mean": (by_class, ...),
        "std": (by_class, ...),
        "passes": (int, ...),
        "seed": (int, ...),
        "precision": (Precision, ...),
        "uncertainty": (uncertainty_model(members), ...),
    }
    closing = {**_judgements(grade, calibration, odd), **model}
    draws = _by_class("Draws", grade, classes, list[float])
    return AnswerModels(
        plain,
        _closed("MonteCarloPrediction", **spread, **closing),
        _closed("MonteCarloPredictionWithDraws", **spread, draws=(draws, ...), **closing),
    )


def listed(model: type[BaseModel]) -> type[BaseModel]:
    """Create the model for many rows from that for one, named by its plural."""
    first, *rest = model.__name__.partition("Prediction")
    name = "".join([first, rest[0], "s", *rest[1:]])
    return _closed(name, predictions=(list[model], ...))  # type: ignore[valid-type]


def _judgements(grade: Any, calibration: Calibration | None, odd: Any) -> dict[str, Any]:
    """Build the members that only a calibrated bundle fills, and their warnings."""
    if calibration is None:
        return {
            "prediction_set": (None, ...),
            "decision": (None, ...),
            "warnings": (list[odd | DegradedWarning], ...),
        }
    sets = create_model(
        "PredictionSet",
        __base__=PredictionSet,
        __doc__=PredictionSet.__doc__,
        grades=(list[grade], ...),
    )
    return {
        "prediction_set": (sets, ...),
        "decision": (decision_of(calibration), ...),
        "warnings": (list[odd | FewPassesWarning | DegradedWarning], ...),
    }


def _closed(name: str, **fields: Any) -> type[BaseModel]:
    return create_model(name, __config__=CLOSED, **fields)


def _by_class(name: str, grade: Any, classes: Sequence[str], kind: Any) -> type[BaseModel]:
    """Create a model with a value for each class: a map, as class names need not be identifiers."""
    # Pydantic has no mapping type that requires certain keys.
    whole = ConfigDict(json_schema_extra={"required": list(classes)})
    base = RootModel[dict[grade, kind]]
    return type(name, (base,), {"model_config": whole, "__module__": __name__})


def _by_name(name: str, outputs: Sequence[str], kind: Any) -> type[BaseModel]:
    """Create a model with a value for each output of a number's head."""
    return _by_class(name, Literal[tuple(outputs)], outputs, kind)
