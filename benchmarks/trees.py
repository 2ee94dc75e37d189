"""Trains boosted trees, LightGBM and CatBoost, on the network's features and on plain ones.

Settings are those their own documentation recommends for accuracy: a small learning rate with many
trees, early stopping on rows that are not fitted, rows and columns drawn at random.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd

from dubito.loans.formulas.features import LoanFeaturesFormula
from dubito.loans.formulas.lattice import Lattice
from dubito.loans.grader import Sizes
from dubito.loans.ratebook import RateBook
from dubito.types import Floats, Indices
from dubito.uncertainty.calibration import cautious_temperature, temper

LEARNING_RATE = 0.05
MOST_TREES = 3000
PATIENCE = 100
"""Number of trees without a better validation loss after which training stops."""
THREADS = 2
CHUNK = 64
"""Number of rows for which the lattice is computed at once."""
TOP = 3
STORIES = slice(-7, -2)
"""Position of a hypothesis' five story weights among its features; its score follows."""
SCORE, SCALE = -2, 5.0


@dataclass(frozen=True, slots=True)
class Parts:
    """Rows `(N, F)` of a peer's features, by part, and class indices `(N,)`."""

    fit: Floats
    fit_labels: Indices
    validation: Floats
    validation_labels: Indices
    test: Floats
    categories: tuple[int, ...] = ()
    """Places of the features whose numbers are those of categories."""


def plain_columns(rows: Floats) -> Floats:
    """Return the nine features as they are, and four ratios of money, `(N, 13)`."""
    amount, principal, interest = rows[:, 0], rows[:, 5], rows[:, 6]
    with np.errstate(divide="ignore", invalid="ignore"):
        on_principal = np.where(principal > 0, interest / principal, np.nan)
    ratios = (on_principal, interest / amount, principal / amount, (principal + interest) / amount)
    return np.column_stack([rows, *ratios])


def network_columns(rows: Floats, book: RateBook, classes: int) -> Floats:
    """Compute the features of the network's own layers for imputed rows, the lattice flattened.

    These are the loan features; for every grade its best hypothesis' score and story weights, and
    the log of the sum of the scores' exponentials; and all features of the three best hypotheses.
    """
    lattice = Lattice(classes, Sizes().kept, book)
    parts = [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]
    flat = np.concatenate([_flat(lattice(np, part), classes) for part in parts])
    return np.column_stack([LoanFeaturesFormula()(np, rows), flat])


def _flat(hypotheses: Floats, classes: int) -> Floats:
    """Flatten hypotheses `(N, M, W)` to columns `(N, 7 C + 3 W)`; NaN for a grade without any."""
    score = hypotheses[..., SCORE] * SCALE
    best = np.argsort(-score, axis=1, kind="stable")[:, :TOP]
    columns = [np.take_along_axis(hypotheses, best[..., None], axis=1).reshape(len(score), -1)]
    for grade in range(classes):
        own = np.where(hypotheses[..., grade] > 0.5, score, -np.inf)
        place: Indices = own.argmax(axis=1)
        any_left = np.isfinite(own.max(axis=1))
        top = np.where(any_left, own.max(axis=1), 0.0)
        total: Floats = top + np.log(np.maximum(np.exp(own - top[:, None]).sum(axis=1), 1e-300))
        told = hypotheses[np.arange(len(place)), place, STORIES]
        about = np.column_stack([top, total, told])
        columns.append(np.where(any_left[:, None], about, np.nan))
    return np.concatenate(columns, axis=1)


def boosted(parts: Parts, seed: int, classes: int) -> Floats:
    """Return LightGBM's test probabilities `(N, C)`, temperature-scaled on the validation part."""
    model = lightgbm.LGBMClassifier(
        n_estimators=MOST_TREES,
        learning_rate=LEARNING_RATE,
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=0.8,
        n_jobs=THREADS,
        force_col_wise=True,
        random_state=seed,
        deterministic=True,
        verbose=-1,
    )
    model.fit(
        parts.fit,
        parts.fit_labels,
        eval_set=[(parts.validation, parts.validation_labels)],
        categorical_feature=list(parts.categories) or "auto",
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )
    return _tempered(model, parts, classes, lambda rows: rows)


def ordered(parts: Parts, seed: int, classes: int) -> Floats:
    """Return CatBoost's test probabilities `(N, C)`, temperature-scaled on the validation part."""
    model = catboost.CatBoostClassifier(
        loss_function="MultiClass",
        iterations=MOST_TREES,
        learning_rate=LEARNING_RATE,
        early_stopping_rounds=PATIENCE,
        thread_count=THREADS,
        random_seed=seed,
        allow_writing_files=False,
        verbose=False,
    )

    def framed(rows: Floats) -> Any:
        return _framed(rows, parts.categories)

    model.fit(
        framed(parts.fit),
        parts.fit_labels,
        eval_set=(framed(parts.validation), parts.validation_labels),
        cat_features=list(parts.categories),
    )
    return _tempered(model, parts, classes, framed)


def _framed(rows: Floats, categories: Sequence[int]) -> Any:
    """Return rows as CatBoost takes them: with whole numbers for categories."""
    if not categories:
        return rows
    frame = pd.DataFrame(rows)
    return frame.astype(dict.fromkeys(categories, "int64"))


def _tempered(
    model: lightgbm.LGBMClassifier | catboost.CatBoostClassifier,
    parts: Parts,
    classes: int,
    framed: Callable[[Floats], Any],
) -> Floats:
    """Return test probabilities at the temperature fitted to the validation part, as for ours."""
    watched = _probabilities(model, framed(parts.validation), classes)
    held_out = _probabilities(model, framed(parts.test), classes)
    temperature = cautious_temperature(watched[None], parts.validation_labels)
    tempered: Floats = temper(held_out[None], temperature)[0]
    return tempered


def _probabilities(
    model: lightgbm.LGBMClassifier | catboost.CatBoostClassifier, rows: Any, classes: int
) -> Floats:
    """Return probabilities `(N, C)`, 0 for a class that the fitted rows lack."""
    found = np.zeros((len(rows), classes))
    found[:, np.asarray(model.classes_, dtype=np.intp)] = np.asarray(model.predict_proba(rows))
    return found
