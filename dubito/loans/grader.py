"""The network at the limit of the data: hypotheses about a loan, re-scored, and a general view."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from dubito.layers.impute import Impute
from dubito.loans.layers.evidence import GradeEvidence
from dubito.loans.layers.features import LoanFeatures
from dubito.loans.layers.lattice import AmortizationLattice
from dubito.loans.ratebook import RateBook
from dubito.training.architecture import adapted
from dubito.types import Floats


@dataclass(frozen=True, slots=True)
class Grader:
    """Sizes and dropout rates of the trained parts."""

    kept: int = 48
    """Hypotheses that are scored."""
    scored: int = 64
    """Units of the first layer that sees a hypothesis."""
    judged: int = 32
    """Units before a hypothesis' score; a pass drops the same ones for all of a row's."""
    judged_rate: float = 0.4
    general: int = 32
    """Units of the general view."""
    general_rate: float = 0.4


@dataclass(frozen=True, slots=True)
class Parts:
    """A network, and where its part without weights ends."""

    model: keras.Model
    stem: keras.Model | None
    """Rows to what `head` takes: nothing in it is trained or random. None where `head` takes
    rows."""
    head: keras.Model
    """Shares its layers with `model`."""


def build_grader(
    grader: Grader,
    book: RateBook,
    rows: Floats,
    imputed: Sequence[float | None],
    classes: int,
    seed: int,
) -> Parts:
    """An untrained network of nine raw loan features, with Keras' plain dropout.

    Args:
        grader: sizes and rates.
        book: the lender's rate book.
        rows: `(N, 9)` training rows; NaN only where `imputed` has a value.
        imputed: what stands for a missing value, by column, or None.
        classes: number of grades.
        seed: of initial weights and dropout.
    """
    states = np.random.SeedSequence(seed).generate_state(8)
    seeds = (int(state) for state in states)
    inputs = keras.Input((rows.shape[1],), name="features", dtype="float64")
    impute = Impute(imputed, name="impute", dtype="float64")
    features = LoanFeatures(name="loan_features")
    lattice = AmortizationLattice(classes, grader.kept, name="lattice", **book.to_config())
    normalization = adapted(np.asarray(features(impute(rows)), dtype=np.float32))
    filled = impute(inputs)
    hypotheses, context = lattice(filled), normalization(features(filled))
    scores = _scores(grader, hypotheses, seeds)
    general = _general(grader, context, classes, seeds)
    outputs = GradeEvidence(name="grades")([hypotheses, scores, general])
    return Parts(
        model=keras.Model(inputs, outputs, name="classifier"),
        stem=keras.Model(inputs, [hypotheses, context]),
        head=keras.Model([hypotheses, context], outputs),
    )


def _scores(grader: Grader, hypotheses: Any, seeds: Iterator[int]) -> Any:
    seen = _dense(grader.scored, "silu", "scored", seeds)(hypotheses)
    judged = _dense(grader.judged, "silu", "judged", seeds)(seen)
    dropout = keras.layers.Dropout(
        grader.judged_rate,
        noise_shape=(None, 1, grader.judged),
        seed=next(seeds),
        name="dropout_judged",
    )
    return _dense(1, None, "score", seeds)(dropout(judged))


def _general(grader: Grader, context: Any, classes: int, seeds: Iterator[int]) -> Any:
    hidden = _dense(grader.general, "silu", "general", seeds)(context)
    dropout = keras.layers.Dropout(grader.general_rate, seed=next(seeds), name="dropout_general")
    return _dense(classes, None, "general_logits", seeds)(dropout(hidden))


def _dense(
    units: int, activation: str | None, name: str, seeds: Iterator[int]
) -> keras.layers.Layer:
    initializer = keras.initializers.GlorotUniform(seed=next(seeds))
    return keras.layers.Dense(
        units, activation=activation, kernel_initializer=initializer, name=name
    )
