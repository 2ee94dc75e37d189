"""Measures dropout, its placement, and alpha dropout."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from benchmarks.lessons.line import Line, parts, trained
from dubito.engine.compiler.compiler import engine_of
from dubito.loans.columns import LAYOUT
from dubito.training.architecture import Architecture, Placement
from dubito.training.data import Table
from dubito.training.evaluation.probability_metrics import score
from dubito.training.recipe import Recipe

layers = keras.layers
VALUE = 14_400_000
WIDTH, DEPTH = 256, 8


def lines() -> Iterator[Line]:
    """Yield the lines of the study's third section."""
    values = np.full((1, 100_000), VALUE, np.float32)
    drawn = np.asarray(layers.Dropout(0.75, seed=0)(values, training=True))
    plain = np.asarray(layers.Dropout(0.75)(values, training=False))
    yield Line(
        "With p = 0.75 kept values come out multiplied by 4 in training, and unchanged otherwise; "
        "the next layer's expected input stays the same.",
        f"{VALUE:,} becomes {_values(drawn)}, "
        f"{(drawn > 0).mean():.1%} of them kept, their mean {drawn.mean():,.0f}; otherwise "
        f"{_values(plain)}",
        ("test_study.py::test_dropout_at_three_quarters_multiplies_by_four",),
    )
    gaps = {name: _gap(name) for name in PLACEMENTS}
    yield Line(
        "Dropout only behind the last hidden layer is the weaker regulariser.",
        "; ".join(
            f"{told}: NLL {train:.3f} on fitted rows, {held:.3f} on validation rows, "
            f"gap {held - train:.3f}"
            for told, (train, held) in zip(PLACEMENTS.values(), gaps.values(), strict=True)
        ),
        ("test_study.py::test_dropout_before_the_output_alone_is_weaker",),
    )
    yield Line(
        "With SELU use alpha dropout, which keeps self-normalisation.",
        "; ".join(_moments(kind) for kind in (layers.AlphaDropout, layers.Dropout)),
        ("test_study.py::test_alpha_dropout_keeps_what_selu_keeps",),
    )


PLACEMENTS: dict[Placement, str] = {"every": "on every layer", "output": "before the output only"}


def _gap(placement: Placement) -> tuple[float, float]:
    """Return the NLL of the deterministic pass, nats, on the fitted and on the other rows."""
    shape = Architecture(widths=(96, 96), rate=0.4, placement=placement)
    model = trained(Recipe(architecture=shape, batch=32, epochs=25, patience=25)).model
    fitted, watched, _ = parts()
    return _nll(model, fitted), _nll(model, watched)


def _nll(model: Any, table: Table) -> float:
    return score(engine_of(model).predict(table.features), table.labels, LAYOUT.classes)["nll"]


def _values(found: np.ndarray) -> str:
    return " or ".join(f"{value:,.0f}" for value in np.unique(found))


def _moments(kind: Any) -> str:
    """Format mean and standard deviation behind eight SELU layers, each with dropout 0.1."""
    mean, std = selu_moments(kind)
    return (
        f"{kind.__name__} 0.1 behind {DEPTH} layers: mean {round(mean, 2) + 0.0:.2f}, std {std:.2f}"
    )


def selu_moments(kind: Any) -> tuple[float, float]:
    """Return mean and standard deviation of the outputs for standard normal rows `(2000, 256)`.

    SELU without dropout preserves 0 and 1.
    """
    outputs: Any = np.random.default_rng(0).normal(size=(2000, WIDTH)).astype(np.float32)
    for at in range(DEPTH):
        dense = layers.Dense(
            WIDTH, activation="selu", kernel_initializer=keras.initializers.LecunNormal(seed=at)
        )
        outputs = kind(0.1, seed=at)(dense(outputs), training=True)
    values = np.asarray(outputs)
    return float(values.mean()), float(values.std())
