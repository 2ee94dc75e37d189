"""Pydantic models of predictions, for OpenAPI only; `dubito.answer` writes the JSON itself.

No member has a default, so each is required in the schema.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model

from app.http.json_schema import CLOSED, grade_of
from dubito import answer
from dubito.features import NumberFeature
from dubito.types import Calibration, Signature


class Model(BaseModel):
    """The bundle that produced the prediction."""

    model_config = CLOSED

    name: str
    version: int
    digest: str


def _measures() -> dict[str, Any]:
    """Return the fields of the measures, described as their own type describes them."""
    hints = get_type_hints(answer.Uncertainty, include_extras=True)
    return {
        name: (float, Field(description=hint.__metadata__[0].description))
        for name, hint in hints.items()
    }


Uncertainty = create_model(
    "Uncertainty",
    __doc__="Uncertainty of one row; entropies in nats.",
    __config__=CLOSED,
    **_measures(),
)


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


class AnswerModels:
    """Models of one bundle's predictions, for OpenAPI."""

    def __init__(self, signature: Signature, calibration: Calibration | None) -> None:
        """Build the models for one row; `listed` makes those for many rows from them."""
        classes = signature.classes
        is_numeric = all(isinstance(one, NumberFeature) for one in signature.features)
        odd = OddNumber if is_numeric else OddValue
        grade = grade_of(classes)
        by_class = _by_class("Probabilities", grade, classes, float)
        common = {"id": (str, ...), "grade": (grade, ...)}
        model = {"model": (Model, ...)}
        self.plain = _closed(
            "Prediction",
            **common,
            probabilities=(by_class, ...),
            warnings=(list[odd], ...),  # type: ignore[valid-type]
            **model,
        )
        spread = {
            **common,
            "mean": (by_class, ...),
            "std": (by_class, ...),
            "passes": (int, ...),
            "seed": (int, ...),
            "precision": (Precision, ...),
            "uncertainty": (Uncertainty, ...),
        }
        closing = {**_judgements(grade, calibration, odd), **model}
        draws = _by_class("Draws", grade, classes, list[float])
        self.monte_carlo = _closed("MonteCarloPrediction", **spread, **closing)
        self.with_draws = _closed(
            "MonteCarloPredictionWithDraws", **spread, draws=(draws, ...), **closing
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
