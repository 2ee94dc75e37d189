"""Splits rows into a fit, validation, calibration and test part, stratified by class."""

import math
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from dubito.errors import DataError, UsageError
from dubito.training.data import Rows, Table
from dubito.types import Indices

SHARE = 0.2
"""Share of all rows in the test part, then of the remaining rows for validation."""
CALIBRATION_SHARE = 2 / 3
"""Share of the validation rows that becomes the calibration part, if there is one."""
MAX_SPLIT_SEED = 2**32 - 1
FEWEST_ROWS = 3
FEWEST_CALIBRATED = 30
"""Least number of rows for a split with a calibration part, so that every part has rows."""


@dataclass(frozen=True, slots=True)
class Split:
    """Row indices of disjoint parts that together contain every row."""

    fit: Indices
    validation: Indices
    calibration: Indices
    """Rows to calibrate on; empty for a split without calibration."""
    test: Indices


def split_rows(labels: Indices, split_seed: int, *, calibrated: bool = False) -> Split:
    """Draw the parts, stratified by the labels `(N,)`.

    A fifth of all rows is the test part and a fifth of the rest is for validation, of which the
    calibration part, if there is one, takes two thirds.

    The test part is scikit-learn's `train_test_split(arange(N), test_size=0.2, stratify=labels,
    random_state=split_seed)`, except where that raises because a class is too rare (see `_strata`).

    Raises:
        DataError: there are fewer than 3 rows, or fewer than 30 with a calibration part.
        UsageError: the seed is outside 0 … 2**32 − 1, the range of scikit-learn.
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


def split_of(rows: Rows, split_seed: int, *, calibrated: bool = False) -> Split:
    """Draw the parts of rows, stratified by class; of a number's rows, which have none, at random.

    Raises:
        DataError, UsageError: as for `split_rows`.
    """
    labels = rows.labels if isinstance(rows, Table) else np.zeros(len(rows), np.intp)
    return split_rows(labels, split_seed, calibrated=calibrated)


def _cut(
    rows: Indices, labels: Indices, seed: int, share: float = SHARE
) -> tuple[Indices, Indices]:
    """Split rows `(N,)` with labels `(N,)` in two, the second part of `ceil(share · N)` rows."""
    second = math.ceil(share * len(rows))
    strata = _strata(labels, min(second, len(rows) - second))
    kept, taken = train_test_split(rows, test_size=share, stratify=strata, random_state=seed)
    return kept, taken


def _strata(labels: Indices, most: int) -> Indices:
    """Return the stratum `(N,)` of each label `(N,)`: its class, or a merger of rare classes.

    scikit-learn raises if a stratum has only one row, or if there are more strata than `most`, the
    number of rows in the smaller part. As long as that holds, the two rarest strata are merged.
    """
    classes, strata, counts = np.unique(labels, return_inverse=True, return_counts=True)
    while len(classes) > 1 and (counts.min() < 2 or len(classes) > most):
        rarest, second = np.argsort(counts, kind="stable")[:2]
        merged = np.where(strata == rarest, second, strata)
        classes, strata, counts = np.unique(merged, return_inverse=True, return_counts=True)
    return strata
