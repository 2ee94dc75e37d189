"""Builds the shipped network: scored amortisation hypotheses plus a small dense classifier."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import keras
import numpy as np

from dubito.layers.impute import Impute
from dubito.layout import Language
from dubito.loans.decoding import learn_book
from dubito.loans.layers.evidence import GradeEvidence
from dubito.loans.layers.features import LoanFeatures
from dubito.loans.layers.lattice import AmortizationLattice
from dubito.loans.phrases import GRADER
from dubito.loans.ratebook import RateBook
from dubito.training.architecture import adapted
from dubito.training.recipe import Parts
from dubito.types import Floats, Indices


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes and dropout rates of the trained parts."""

    kept: int = 48
    """Number of hypotheses that are scored, per row."""
    scored: int = 64
    """Number of units of the first layer that scores a hypothesis."""
    judged: int = 32
    """Number of units before a hypothesis' score; in a pass, all hypotheses of a row share one
    dropout mask over them."""
    judged_rate: float = 0.4
    general: int = 32
    """Number of hidden units of the dense classifier."""
    general_rate: float = 0.4


@dataclass(frozen=True, slots=True)
class Grader:
    """Builder of the network of nine raw loan features, around a lender's rate book."""

    sizes: Sizes
    book: RateBook | None = None
    """Rate book of the lender whose loans are graded; None before it is learnt."""

    def learn(self, rows: Floats, labels: Indices, classes: int) -> "Grader | None":
        """Learn the rate book of loans `(N, 9)` with grades `(N,)`; None if it cannot be learnt."""
        book = learn_book(rows, labels, classes)
        return None if book is None else replace(self, book=book)

    def build(
        self, rows: Floats, imputed: Sequence[float | None], classes: int, seed: int
    ) -> Parts:
        """Build the untrained network of `NetworkBuilder`; its stem ends after the lattice.

        Raises:
            ValueError: the rate book has not been learnt.
        """
        if self.book is None:
            raise ValueError("a grader is built from a rate book, which it has not learnt")
        seeds = (int(state) for state in np.random.SeedSequence(seed).generate_state(8))
        inputs = keras.Input((rows.shape[1],), name="features", dtype="float64")
        impute = Impute(imputed, name="impute", dtype="float64")
        features = LoanFeatures(name="loan_features")
        lattice = AmortizationLattice(
            classes, self.sizes.kept, name="lattice", **self.book.to_config()
        )
        normalization = adapted(np.asarray(features(impute(rows)), dtype=np.float32))
        filled = impute(inputs)
        hypotheses, context = lattice(filled), normalization(features(filled))
        scores = _scores(self.sizes, hypotheses, seeds)
        general = _general(self.sizes, context, classes, seeds)
        outputs = GradeEvidence(name="grades")([hypotheses, scores, general])
        return Parts(
            model=keras.Model(inputs, outputs, name="classifier"),
            stem=keras.Model(inputs, [hypotheses, context]),
            head=keras.Model([hypotheses, context], outputs),
        )

    def describe(self, language: Language) -> str:
        """Describe the network's parts and their sizes."""
        return GRADER[language].format(**asdict(self.sizes))


def _scores(sizes: Sizes, hypotheses: Any, seeds: Iterator[int]) -> Any:
    seen = _dense(sizes.scored, "silu", "scored", seeds)(hypotheses)
    judged = _dense(sizes.judged, "silu", "judged", seeds)(seen)
    dropout = keras.layers.Dropout(
        sizes.judged_rate,
        noise_shape=(None, 1, sizes.judged),
        seed=next(seeds),
        name="dropout_judged",
    )
    return _dense(1, None, "score", seeds)(dropout(judged))


def _general(sizes: Sizes, context: Any, classes: int, seeds: Iterator[int]) -> Any:
    hidden = _dense(sizes.general, "silu", "general", seeds)(context)
    dropout = keras.layers.Dropout(sizes.general_rate, seed=next(seeds), name="dropout_general")
    return _dense(classes, None, "general_logits", seeds)(dropout(hidden))


def _dense(
    units: int, activation: str | None, name: str, seeds: Iterator[int]
) -> keras.layers.Layer:
    initializer = keras.initializers.GlorotUniform(seed=next(seeds))
    return keras.layers.Dense(
        units, activation=activation, kernel_initializer=initializer, name=name
    )
