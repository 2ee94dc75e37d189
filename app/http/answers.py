"""Models of answers, for OpenAPI; `dubito.answer` writes them. No member has a default."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model

from app.http.json_schema import grade_of
from dubito.types import Calibration

CLOSED = ConfigDict(extra="forbid")


class Model(BaseModel):
    """Which bundle answered."""

    model_config = CLOSED

    name: str
    version: int
    digest: str


class Uncertainty(BaseModel):
    """Uncertainty of one row; entropies in nats."""

    model_config = CLOSED

    predictive_entropy: float = Field(description="H[mean]: total uncertainty")
    expected_entropy: float = Field(description="mean over passes of H[pass]: aleatoric")
    mutual_information: float = Field(description="their difference: epistemic")
    variation_ratio: float = Field(description="1 − share of passes for the most-voted grade")


class Precision(BaseModel):
    """How far the mean may be from that of endlessly many passes."""

    model_config = CLOSED

    half_width: float = Field(
        description="of a 95% interval of the mean, the largest over the grades; 1/(2T) where all "
        "T passes are equal"
    )
    tolerance: float | None = Field(description="the half-width asked for; null: fixed passes")
    met: bool | None = Field(description="whether it was reached; null: fixed passes")


class OutOfRangeWarning(BaseModel):
    """A value outside what training saw."""

    model_config = CLOSED

    kind: Literal["out_of_range"]
    feature: str
    value: float
    seen_minimum: float
    seen_maximum: float


class MarginWarning(BaseModel):
    """A value outside what training saw by so little that it refers no row by itself.

    Money up to twice as large or half as small, anything else by half of the range that was seen.
    Bundles without `case_limit` do not tell it.
    """

    model_config = CLOSED

    kind: Literal["in_margin"]
    feature: str
    value: float
    seen_minimum: float
    seen_maximum: float


class MissingWarning(BaseModel):
    """A value that is not there; the network puts the usual one in its place."""

    model_config = CLOSED

    kind: Literal["missing"]
    feature: str
    value: None
    seen_minimum: float
    seen_maximum: float


class FewPassesWarning(BaseModel):
    """Fewer passes than sets and decisions were calibrated with: they promise nothing."""

    model_config = CLOSED

    kind: Literal["few_passes"]
    passes: int
    calibrated_passes: int = Field(description="from this many on, sets and decisions hold")


class DegradedWarning(BaseModel):
    """Fewer passes than were asked for, as the deadline left no time for more."""

    model_config = CLOSED

    kind: Literal["degraded"]
    passes: int
    asked_passes: int


OddValue = OutOfRangeWarning | MarginWarning | MissingWarning


MEANING = (
    "`automate`: the grade may be used without a person. `refer`: a person should look, for the "
    "reasons given. It says nothing about granting the loan, or whatever else is graded."
)
CASES = "most P(wrong | in the band of the least sure automated) that is promised, see `GET /model`"
PROMISE = "whether the row had as many passes as the calibration, without which nothing is promised"


class PredictionSet(BaseModel):
    """The conformal set of grades: it holds the right one as often as `coverage` says."""

    model_config = CLOSED

    coverage: float
    method: str
    class_conditional: bool
    grades: list[str]
    guaranteed: bool = Field(description=PROMISE)
    notes: list[str] = Field(description="what to know of a set of this coverage and method")


class Decision(BaseModel):
    """Whether the grade may be used without a person."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"description": MEANING})

    action: Literal["automate", "refer"]
    reasons: list[str] = Field(description="why a person should look; none if automated")
    target: float = Field(description="most P(wrong | automated) that is promised")
    guaranteed: bool = Field(description=PROMISE)


def decision_of(calibration: Calibration) -> type[Decision]:
    """The model of a bundle's decisions: older policies promise nothing of single cases."""
    if calibration.policy.case_limit is None:
        return Decision
    return create_model(
        "Decision",
        __base__=Decision,
        __doc__=Decision.__doc__,
        case_limit=(float, Field(description=CASES)),
    )


class AnswerModels:
    """The models of one bundle's answers, for OpenAPI."""

    def __init__(self, classes: tuple[str, ...], calibration: Calibration | None) -> None:
        """Build the models for a row; `listed` makes the form for many rows of each."""
        grade = grade_of(classes)
        by_class = _by_class("Probabilities", grade, classes, float)
        common = {"id": (str, ...), "grade": (grade, ...)}
        model = {"model": (Model, ...)}
        self.plain = _closed(
            "Prediction",
            **common,
            probabilities=(by_class, ...),
            warnings=(list[OddValue], ...),
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
        closing = {**_judgements(grade, calibration), **model}
        draws = _by_class("Draws", grade, classes, list[float])
        self.monte_carlo = _closed("MonteCarloPrediction", **spread, **closing)
        self.with_draws = _closed(
            "MonteCarloPredictionWithDraws", **spread, draws=(draws, ...), **closing
        )


def listed(model: type[BaseModel]) -> type[BaseModel]:
    """The form of an answer to many rows, called by its plural."""
    first, *rest = model.__name__.partition("Prediction")
    name = "".join([first, rest[0], "s", *rest[1:]])
    return _closed(name, predictions=(list[model], ...))  # type: ignore[valid-type]


def _judgements(grade: Any, calibration: Calibration | None) -> dict[str, Any]:
    """The members that a calibrated bundle fills, and their warnings."""
    if calibration is None:
        return {
            "prediction_set": (None, ...),
            "decision": (None, ...),
            "warnings": (list[OddValue | DegradedWarning], ...),
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
        "warnings": (list[OddValue | FewPassesWarning | DegradedWarning], ...),
    }


def _closed(name: str, **fields: Any) -> type[BaseModel]:
    return create_model(name, __config__=CLOSED, **fields)


def _by_class(name: str, grade: Any, classes: Sequence[str], kind: Any) -> type[BaseModel]:
    """A model with a value for each class: a map, as classes need not be names of anything."""
    # Pydantic itself has no map all of whose keys must be there.
    whole = ConfigDict(json_schema_extra={"required": list(classes)})
    base = RootModel[dict[grade, kind]]
    return type(name, (base,), {"model_config": whole, "__module__": __name__})
