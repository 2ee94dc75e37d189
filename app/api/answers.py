"""Answers in JSON: their models, and how results become them. No member has a default."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model

from app.api.identifier import new_id
from app.api.judgements import PredictionSet, decided, decision_of, prediction_set
from app.api.schema import grade_of
from app.api.warnings import (
    DegradedWarning,
    FewPassesWarning,
    OddValue,
    degraded,
    few_passes,
    odd_value,
)
from app.serving.predictor import Doubted, Graded
from app.values import Calibration, Floats, Identity

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


class Answers:
    """The answer models of one bundle, and their making."""

    def __init__(
        self, identity: Identity, classes: tuple[str, ...], calibration: Calibration | None
    ) -> None:
        """Build the models: `graded` and `doubted` for a row, each with its list form."""
        self._model = {
            "name": identity.name,
            "version": identity.version,
            "digest": identity.digest,
        }
        self._classes = classes
        self._calibration = calibration
        grade = grade_of(classes)
        by_class = _by_class("Probabilities", grade, classes, float)
        common = {"id": (str, ...), "grade": (grade, ...)}
        model = {"model": (Model, ...)}
        self.graded = _closed(
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
        self.doubted = _closed("MonteCarloPrediction", **spread, **closing)
        self.drawn = _closed(
            "MonteCarloPredictionWithDraws", **spread, draws=(draws, ...), **closing
        )

    def of_graded(self, graded: Graded, rows: range) -> list[dict[str, Any]]:
        """The deterministic answers of some rows."""
        grades = graded.grades.tolist()
        return [
            {
                "id": new_id(),
                "grade": self._classes[grades[row]],
                "probabilities": self._named(graded.probabilities[row]),
                "warnings": [odd_value(notice) for notice in graded.notices[row]],
                "model": self._model,
            }
            for row in rows
        ]

    def of_doubted(self, doubted: Doubted, rows: range) -> list[dict[str, Any]]:
        """The Monte-Carlo answers of some rows."""
        summary, look = doubted.summary, doubted.look
        grades = summary.grades.tolist()
        return [
            {
                "id": new_id(),
                "grade": self._classes[grades[row]],
                "mean": self._named(summary.mean[row]),
                "std": self._named(summary.std[row]),
                "passes": int(look.passes[row]),
                "seed": doubted.query.seed,
                "precision": _precision(float(look.half_widths[row]), doubted.tolerance),
                "uncertainty": {
                    name: float(getattr(summary, name)[row]) for name in Uncertainty.model_fields
                },
                **self._draws(doubted, row),
                **self._judged(doubted, row),
                "warnings": self._warnings(doubted, row),
                "model": self._model,
            }
            for row in rows
        ]

    def _named(self, values: Floats) -> dict[str, float]:
        return dict(zip(self._classes, values.tolist(), strict=True))

    def _draws(self, doubted: Doubted, row: int) -> dict[str, Any]:
        if doubted.draws is None:
            return {}
        own = doubted.draws[: doubted.look.passes[row], row]
        return {"draws": dict(zip(self._classes, np.swapaxes(own, 0, 1).tolist(), strict=True))}

    def _judged(self, doubted: Doubted, row: int) -> dict[str, Any]:
        if doubted.judged is None:
            return {"prediction_set": None, "decision": None}
        return {
            "prediction_set": prediction_set(doubted.judged, row, self._classes),
            "decision": decided(doubted.judged, row),
        }

    def _warnings(self, doubted: Doubted, row: int) -> list[dict[str, Any]]:
        passes = int(doubted.look.passes[row])
        found = [odd_value(notice) for notice in doubted.notices[row]]
        if self._calibration is not None and passes < self._calibration.passes:
            found.append(few_passes(passes, self._calibration.passes))
        if doubted.query.passes < doubted.wanted:
            found.append(degraded(passes, doubted.wanted))
        return found


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


def _precision(half_width: float, tolerance: float | None) -> dict[str, Any]:
    met = None if tolerance is None else half_width <= tolerance
    return {"half_width": half_width, "tolerance": tolerance, "met": met}


def _closed(name: str, **fields: Any) -> type[BaseModel]:
    return create_model(name, __config__=CLOSED, **fields)


def _by_class(name: str, grade: Any, classes: Sequence[str], kind: Any) -> type[BaseModel]:
    """A model with a value for each class: a map, as classes need not be names of anything."""
    # Pydantic itself has no map all of whose keys must be there.
    whole = ConfigDict(json_schema_extra={"required": list(classes)})
    base = RootModel[dict[grade, kind]]
    return type(name, (base,), {"model_config": whole, "__module__": __name__})
