"""Prediction sets and decisions in JSON: their models, and how a judge's findings become them."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from app.serving.judge import Judged
from app.values import Calibration

CLOSED = ConfigDict(extra="forbid")
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


def prediction_set(judged: Judged, row: int, classes: Sequence[str]) -> dict[str, Any]:
    """The set of one row."""
    asked, inside = judged.asked, judged.found.sets[row].tolist()
    return {
        "coverage": asked.coverage,
        "method": asked.method,
        "class_conditional": asked.class_conditional,
        "grades": [label for label, is_in in zip(classes, inside, strict=True) if is_in],
        "guaranteed": judged.enough[row],
        "notes": list(_notes(judged, classes)),
    }


def decided(judged: Judged, row: int) -> dict[str, Any]:
    """The decision about one row."""
    decision = judged.decisions[row]
    cases = {} if judged.case_limit is None else {"case_limit": judged.case_limit}
    return {
        "action": decision.action,
        "reasons": list(decision.reasons),
        "target": judged.asked.target,
        "guaranteed": decision.guaranteed,
        **cases,
    }


def _notes(judged: Judged, classes: Sequence[str]) -> Iterator[str]:
    """Yield what is the same for every row of a request."""
    if judged.found.below_accuracy:
        yield "grades alone are right more often than this coverage asks: sets cover more"
    if judged.found.always:
        always = ", ".join(classes[at] for at in judged.found.always)
        yield f"too few calibration rows to leave out {always}: in every set"
