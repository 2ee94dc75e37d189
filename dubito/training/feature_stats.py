"""Statistics of a feature in the training rows: range, quantiles and histogram, or value counts.

The service warns about values that training did not see, and measures drift against the counts.
"""

import numpy as np

from dubito.errors import DataError
from dubito.features import NUMBER_RULES, FeatureStats, NumberKind, ValueCounts
from dubito.layout import Column, NumberColumn
from dubito.targets import NumberTarget
from dubito.types import Booleans, Floats

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
MOST_BINS = 20
EVEN = 0.5


def seen(values: Floats, column: Column) -> FeatureStats | ValueCounts:
    """Compute the statistics of a column's numbers `(N,)`, of a tensor's norms; NaN is missing.

    Raises:
        DataError: no row has a value.
    """
    if column.kind == "category":
        return value_counts(values, len(column.categories))
    if column.kind == "boolean":
        return value_counts(values, 2)
    return number_stats(values, "integer" if column.kind == "integer" else "float")


def value_counts(values: Floats, size: int) -> ValueCounts:
    """Count the numbers `(N,)` of a list of `size` values; those above are unknown.

    Raises:
        DataError: no row has a value.
    """
    missing = np.isnan(values)
    counts = np.bincount(_present(values, missing).astype(np.intp), minlength=size)
    unknown = int(counts[size:].sum())
    return ValueCounts(tuple(counts[:size].tolist()), unknown, int(missing.sum()))


def number_stats(values: Floats, kind: NumberKind) -> FeatureStats:
    """Compute range, quantiles and histogram of numbers `(N,)`, in the column's unit.

    Raises:
        DataError: no row has a value.
    """
    missing = np.isnan(values)
    present = _present(values, missing)
    quantiles = np.quantile(present, LEVELS, method=NUMBER_RULES[kind].quantile_method)
    edges = _edges(present)
    return FeatureStats(
        minimum=float(present.min()),
        maximum=float(present.max()),
        quantiles={f"{level:g}": float(at) for level, at in zip(LEVELS, quantiles, strict=True)},
        histogram_edges=tuple(edges.tolist()),
        histogram_counts=tuple(np.histogram(present, edges)[0].tolist()),
        missing=int(missing.sum()),
    )


def target_of(column: NumberColumn, values: Floats) -> NumberTarget:
    """Describe a number to predict by its column and its true values `(N,)`.

    Raises:
        DataError: all values are the same.
    """
    std = float(values.std())
    # The deviation of equal values can differ from 0 by rounding.
    if values.min() == values.max():
        raise DataError(f"{column.name} has the same value in every row")
    return NumberTarget(
        name=column.name,
        title=column.title or column.name,
        aliases=column.aliases,
        unit=column.unit,
        head=column.head,
        levels=column.levels,
        std=std,
        seen=number_stats(values, "float"),
    )


def imputed_number(column: Column, values: Floats) -> float | None:
    """Return the number that the network imputes for a missing value; None if none is missing.

    It is the column's own, or else the median of numbers `(N,)`, the more common of two truths, and
    for a category a slot of its own, the number after all others.
    """
    if not column.nullable or column.imputed is not None:
        return column.imputed
    if column.kind == "category":
        return float(len(column.categories) + column.takes_unknown)
    if column.kind == "boolean":
        return float(np.nanmean(values) > EVEN)
    return float(np.nanmedian(values))


def _present(values: Floats, missing: Booleans) -> Floats:
    if missing.all():
        raise DataError("a column without a single value cannot be described")
    return values[~missing]


def _edges(values: Floats) -> Floats:
    """Return strictly increasing edges `(B + 1,)` of at most 20 bins `[a, b)`, the last `[a, b]`.

    The last edge is the maximum or, where the maximum has a bin of its own, the maximum plus 1 (the
    next float, if adding 1 changes nothing).
    """
    starts, largest = _starts(values), values.max()
    above = max(largest + 1, np.nextafter(largest, np.inf))
    return np.append(starts, largest if largest > starts[-1] else above)


def _starts(values: Floats) -> Floats:
    """Return the first value `(B,)` of each bin: at most 20, increasing, each occurring in a row.

    Few distinct values (counts, for example) have a bin each. Otherwise bins hold about equally
    many rows, and a minimum that would fill more than one bin (no fees paid) has a bin of its own.
    """
    distinct = np.unique(values)
    if len(distinct) <= MOST_BINS:
        return distinct
    lowest = values == distinct[0]
    if lowest.mean() <= 1 / MOST_BINS:
        return _shares(values, MOST_BINS)
    return np.append(distinct[0], _shares(values[~lowest], MOST_BINS - 1))


def _shares(values: Floats, bins: int) -> Floats:
    levels = np.arange(bins) / bins
    return np.unique(np.quantile(values, levels, method="higher"))
