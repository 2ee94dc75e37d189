"""Makes rows ready for training: their parts, and what is learnt of features and target."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from dubito.features import Feature
from dubito.layout import Column, Layout
from dubito.targets import ClassTarget, Target, class_target
from dubito.training.data import NumberRows, Rows, Table
from dubito.training.encoding import encoding_of
from dubito.training.feature_stats import imputed_number, seen, target_of
from dubito.training.fit import fit
from dubito.training.heads import ClassHead, Head, RegressionHead
from dubito.training.recipe import Recipe
from dubito.training.split import Split, split_of
from dubito.types import Floats, Indices, Signature


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows in parts, with the signature of the networks that are trained on them."""

    rows: Rows
    split: Split
    signature: Signature

    @property
    def fitted(self) -> Rows:
        """The rows that weights are fitted to."""
        return self.rows.where(self.split.fit)

    @property
    def watched(self) -> Rows:
        """The validation rows."""
        return self.rows.where(self.split.validation)

    def learnt(self, recipe: Recipe) -> Recipe:
        """Return a recipe whose network, if a domain has one, has learnt from the fit rows."""
        if recipe.network is None:
            return recipe
        fitted, target = self.fitted, class_target(self.signature.target)
        assert isinstance(fitted, Table)  # noqa: S101 - as the target is classes
        return recipe.learn(fitted.features, fitted.labels, len(target.classes))

    def head(self, recipe: Recipe) -> Head:
        """Return the output layers of a network for the target."""
        target = self.signature.target
        if isinstance(target, ClassTarget):
            return ClassHead(len(target.classes))
        fitted = self.fitted
        assert isinstance(fitted, NumberRows)  # noqa: S101 - as the target is a number
        return RegressionHead.of(target, fitted.values, recipe.beta, recipe.scaling)

    def fit(
        self,
        recipe: Recipe,
        seed: int,
        verbose: str | int = "auto",
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> keras.Model:
        """Train a network, see `dubito.training.fit.fit`; the recipe has learnt from the rows."""
        features, fitted = self.signature.features, self.fitted
        return fit(
            recipe,
            fitted,
            self.watched,
            [feature.imputed for feature in features],
            self.head(recipe),
            seed,
            encode=encoding_of(features, fitted.features) if recipe.encoded else None,
            verbose=verbose,
            callbacks=callbacks,
        )


def prepare(rows: Rows, layout: Layout, split_seed: int, *, calibrated: bool) -> Prepared:
    """Split rows and describe their features and target by the fit and validation parts.

    Args:
        rows: all rows.
        layout: their columns.
        split_seed: seed of the split, see `dubito.training.split`.
        calibrated: whether rows are held out for calibration.

    Raises:
        DataError: there are too few rows to split, or a number is the same in all rows.
        UsageError: the seed of the split is out of range.
    """
    split = split_of(rows, split_seed, calibrated=calibrated)
    features = _features_of(layout.features, rows.features, split)
    return Prepared(rows, split, Signature(features, _target_of(rows, layout, split)))


def _features_of(columns: Sequence[Column], rows: Floats, split: Split) -> tuple[Feature, ...]:
    """Combine columns with the statistics of the fit and validation parts of rows `(N, F)`."""
    learnt, fitted = rows[_learnt(split)], rows[split.fit]
    return tuple(
        column.feature(
            seen(learnt[:, at], column),
            imputed_number(column, fitted[:, at]),
        )
        for at, column in enumerate(columns)
    )


def _target_of(rows: Rows, layout: Layout, split: Split) -> Target:
    if isinstance(rows, NumberRows):
        assert layout.number is not None  # noqa: S101 - such a layout has read the rows
        return target_of(layout.number, rows.values[_learnt(split)])
    return ClassTarget(layout.classes, is_ordered=layout.is_ordered)


def _learnt(split: Split) -> Indices:
    """Return the indices of the rows whose statistics a bundle tells, in their order."""
    return np.sort(np.concatenate([split.fit, split.validation]))
