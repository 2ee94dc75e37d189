"""Which rows are fitted, which watch the fit, and which are kept for the held-out figures."""

import math
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from dubito.errors import DataError, UsageError
from dubito.types import Indices

SHARE = 0.2
"""Of all rows for the test, then of what is left for validation."""
CALIBRATION_SHARE = 2 / 3
"""Of the validation part, where sets and decisions are calibrated."""
MAX_SPLIT_SEED = 2**32 - 1
FEWEST_ROWS = 3
FEWEST_CALIBRATED = 30
"""So that every part has rows."""


@dataclass(frozen=True, slots=True)
class Split:
    """Row indices of parts that share no row and together have every row."""

    fit: Indices
    validation: Indices
    calibration: Indices
    """Empty where nothing is to be calibrated."""
    test: Indices


def split_rows(labels: Indices, split_seed: int, *, calibrated: bool = False) -> Split:
    """Draw the parts, stratified by the labels `(N,)`: a fifth for the test, a fifth of the rest.

    That second fifth is for validation; where there is to be a calibration, it takes two thirds of
    it.

    The test part is scikit-learn's `train_test_split(arange(N), test_size=0.2, stratify=labels,
    random_state=split_seed)`, save where that raises because a class is too rare (see `_strata`).

    Raises:
        DataError: fewer than three rows, or than thirty to be calibrated.
        UsageError: a seed that scikit-learn does not take, beyond 0 … 2**32 − 1.
    """
    if not 0 <= split_seed <= MAX_SPLIT_SEED:
        raise UsageError(f"the split seed must be from 0 to {MAX_SPLIT_SEED}")
    fewest = FEWEST_CALIBRATED if calibrated else FEWEST_ROWS
    if len(labels) < fewest:
        raise DataError(f"a split needs at least {fewest} rows")
    rest, test = _cut(np.arange(len(labels)), labels, split_seed)
    fit, watched = _cut(rest, labels[rest], split_seed)
    if not calibrated:
        return Split(fit, watched, np.arange(0), test)
    validation, calibration = _cut(watched, labels[watched], split_seed, CALIBRATION_SHARE)
    return Split(fit, validation, calibration, test)


def _cut(
    rows: Indices, labels: Indices, seed: int, share: float = SHARE
) -> tuple[Indices, Indices]:
    """Rows `(N,)` with labels `(N,)` in two parts, the second of `ceil(share · N)` rows."""
    second = math.ceil(share * len(rows))
    strata = _strata(labels, min(second, len(rows) - second))
    kept, taken = train_test_split(rows, test_size=share, stratify=strata, random_state=seed)
    return kept, taken


def _strata(labels: Indices, most: int) -> Indices:
    """The stratum `(N,)` of each label `(N,)`: its class, unless scikit-learn could not cut then.

    It raises where a stratum has one row alone, or where there are more strata than `most`, the
    rows of the smaller part. While that is so, the two rarest strata become one.
    """
    classes, strata, counts = np.unique(labels, return_inverse=True, return_counts=True)
    while len(classes) > 1 and (counts.min() < 2 or len(classes) > most):
        rarest, second = np.argsort(counts, kind="stable")[:2]
        merged = np.where(strata == rarest, second, strata)
        classes, strata, counts = np.unique(merged, return_inverse=True, return_counts=True)
    return strata
