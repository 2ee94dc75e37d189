"""Answers in JSON: their models, and how results become them. No member has a default."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, create_model

from app.api.identifier import new_id
from app.serving.predictor import Doubted, Graded
from app.values import Floats, Identity, Notice

CLOSED = ConfigDict(extra="forbid")


class Model(BaseModel):
    """Which bundle answered."""

    model_config = CLOSED

    name: str
    version: int
    digest: str


class RowWarning(BaseModel):
    """Something about a row that its reader should know."""

    model_config = CLOSED

    kind: Literal["out_of_range", "missing"]
    feature: str
    value: float | None
    seen_minimum: float
    seen_maximum: float


class Uncertainty(BaseModel):
    """Uncertainty of one row; entropies in nats."""

    model_config = CLOSED

    predictive_entropy: float = Field(description="H[mean]: total uncertainty")
    expected_entropy: float = Field(description="mean over passes of H[pass]: aleatoric")
    mutual_information: float = Field(description="their difference: epistemic")
    variation_ratio: float = Field(description="1 − share of passes for the most-voted grade")


class Answers:
    """The answer models of one bundle, and their making."""

    def __init__(self, identity: Identity, classes: tuple[str, ...]) -> None:
        """Build the models: `graded` and `doubted` for a row, each with its list form."""
        self._model = {
            "name": identity.name,
            "version": identity.version,
            "digest": identity.digest,
        }
        self._classes = classes
        grade = Literal[classes]  # type: ignore[valid-type]
        by_class = _by_class("Probabilities", classes, float)
        common = {"id": (str, ...), "grade": (grade, ...)}
        closing = {"warnings": (list[RowWarning], ...), "model": (Model, ...)}
        self.graded = _closed("Graded", **common, probabilities=(by_class, ...), **closing)
        spread = {
            **common,
            "mean": (by_class, ...),
            "std": (by_class, ...),
            "passes": (int, ...),
            "seed": (int, ...),
            "uncertainty": (Uncertainty, ...),
        }
        draws = _by_class("Draws", classes, list[float])
        self.doubted = _closed("Doubted", **spread, **closing)
        self.drawn = _closed("Drawn", **spread, draws=(draws, ...), **closing)

    def of_graded(self, graded: Graded) -> list[dict[str, Any]]:
        """The deterministic answers of all rows."""
        return [
            {
                "id": new_id(),
                "grade": self._classes[grade],
                "probabilities": self._named(probabilities),
                **self._closing(notices),
            }
            for grade, probabilities, notices in zip(
                graded.grades, graded.probabilities, graded.notices, strict=True
            )
        ]

    def of_doubted(self, doubted: Doubted) -> list[dict[str, Any]]:
        """The Monte-Carlo answers of all rows."""
        summary, query = doubted.summary, doubted.query
        return [
            {
                "id": new_id(),
                "grade": self._classes[grade],
                "mean": self._named(summary.mean[row]),
                "std": self._named(summary.std[row]),
                "passes": query.passes,
                "seed": query.seed,
                "uncertainty": {
                    name: float(getattr(summary, name)[row]) for name in Uncertainty.model_fields
                },
                **self._draws(doubted.draws, row),
                **self._closing(doubted.notices[row]),
            }
            for row, grade in enumerate(summary.grades)
        ]

    def _named(self, values: Floats) -> dict[str, float]:
        return dict(zip(self._classes, values.tolist(), strict=True))

    def _draws(self, draws: Floats | None, row: int) -> dict[str, Any]:
        if draws is None:
            return {}
        by_class = np.swapaxes(draws[:, row], 0, 1).tolist()
        return {"draws": dict(zip(self._classes, by_class, strict=True))}

    def _closing(self, notices: Sequence[Notice]) -> dict[str, Any]:
        return {"warnings": [_warning(notice) for notice in notices], "model": self._model}


def listed(model: type[BaseModel]) -> type[BaseModel]:
    """The form of an answer to many rows."""
    return _closed(f"{model.__name__}Rows", predictions=(list[model], ...))  # type: ignore[valid-type]


def _warning(notice: Notice) -> dict[str, Any]:
    return {name: getattr(notice, name) for name in RowWarning.model_fields}


def _closed(name: str, **fields: Any) -> type[BaseModel]:
    return create_model(name, __config__=CLOSED, **fields)


def _by_class(name: str, classes: Sequence[str], kind: Any) -> type[BaseModel]:
    """A model with one member per class, whatever characters its name is made of."""
    members = {
        f"class_{at}": (kind, Field(validation_alias=label, serialization_alias=label))
        for at, label in enumerate(classes)
    }
    return _closed(name, **members)
