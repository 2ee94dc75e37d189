"""Trains the shipped network and its peers on a split of the loans, and predicts the test rows."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np

from benchmarks import trees
from benchmarks.trees import Parts
from dubito.engine.compiler.compiler import engine_of
from dubito.loans.columns import LAYOUT
from dubito.loans.decoding import learn_book
from dubito.loans.grader import Grader, Sizes
from dubito.loans.ratebook import RateBook
from dubito.loans.recipes import LATTICE
from dubito.training.calibrate import temperature_of
from dubito.training.data import Table
from dubito.training.fit import fit
from dubito.training.heads import ClassHead
from dubito.training.publication import PUBLICATION_SEED
from dubito.training.split import split_rows
from dubito.training.temperature import fold
from dubito.types import Floats, Indices, Query

CLASSES = len(LAYOUT.classes)


class Grading:
    """Split of the loans; a model's method trains it and returns test probabilities `(N, C)`."""

    def __init__(self, table: Table, split_seed: int) -> None:
        split = split_rows(table.labels, split_seed, calibrated=LATTICE.calibrated)
        self._fitted, self._watched = (
            table.where(split.fit),
            table.where(split.validation),
        )
        self._held_out = table.where(split.test)
        self._imputed = [
            float(np.nanmedian(self._fitted.features[:, at])) if column.nullable else None
            for at, column in enumerate(LAYOUT.features)
        ]

    @property
    def labels(self) -> Indices:
        """Class indices `(N,)` of the test part."""
        return self._held_out.labels

    def network(self, seed: int) -> Floats:
        """Train the shipped recipe as for a published bundle."""
        recipe = replace(LATTICE, network=Grader(Sizes(), self._book))
        head = ClassHead(CLASSES)
        model = fit(recipe, self._fitted, self._watched, self._imputed, head, seed, verbose=0)
        fold(model, temperature_of(engine_of(model), self._watched, LATTICE.passes))
        query = Query(self._held_out.features, LATTICE.passes, PUBLICATION_SEED)
        (summary,) = engine_of(model).summarise([query])
        return summary.mean

    def lightgbm(self, seed: int) -> Floats:
        """Train LightGBM on the network's features."""
        return trees.boosted(self._same, seed, CLASSES)

    def catboost(self, seed: int) -> Floats:
        """Train CatBoost on the network's features."""
        return trees.ordered(self._same, seed, CLASSES)

    def plain_lightgbm(self, seed: int) -> Floats:
        """Train LightGBM on the nine features and their ratios."""
        return trees.boosted(self._plain, seed, CLASSES)

    def plain_catboost(self, seed: int) -> Floats:
        """Train CatBoost on the nine features and their ratios."""
        return trees.ordered(self._plain, seed, CLASSES)

    @cached_property
    def _book(self) -> RateBook:
        book = learn_book(self._fitted.features, self._fitted.labels, CLASSES)
        if book is None:
            raise ValueError("no rate book can be learnt from these loans")
        return book

    @cached_property
    def _same(self) -> Parts:
        return self._parts(
            lambda rows: trees.network_columns(self._filled(rows), self._book, CLASSES)
        )

    @cached_property
    def _plain(self) -> Parts:
        return self._parts(trees.plain_columns)

    def _filled(self, rows: Floats) -> Floats:
        """Impute missing values as the network does."""
        stand_in = [np.nan if value is None else value for value in self._imputed]
        return np.where(np.isnan(rows), stand_in, rows)

    def _parts(self, columns: Callable[[Floats], Floats]) -> Parts:
        return Parts(
            columns(self._fitted.features),
            self._fitted.labels,
            columns(self._watched.features),
            self._watched.labels,
            columns(self._held_out.features),
        )
