"""Chooses how a network's inputs are encoded, from the features and the fit rows."""

from collections.abc import Sequence

import numpy as np

from dubito.features import CategoryFeature, Feature, NumberFeature
from dubito.layers.encode import Encode
from dubito.numerics.encoding import InputEncoding, InputKind
from dubito.types import Floats

PIECES = 16
"""Most pieces of a number."""


def encoding_of(features: Sequence[Feature], rows: Floats) -> Encode:
    """Return the layer that encodes rows of the features; `rows` `(N, F)` are the fit rows.

    A category has an output for each slot, the one for missing values included; a number that is
    nowhere below 0 enters as a logarithm if that makes it less skewed, and every number also in
    pieces between quantiles of the rows, where it has more than two values.
    """
    inputs = [_encoding(feature, rows[:, at]) for at, feature in enumerate(features)]
    return Encode(
        [one.kind for one in inputs],
        [one.slots for one in inputs],
        [one.imputed for one in inputs],
        [one.edges for one in inputs],
        name="encode",
    )


def _encoding(feature: Feature, values: Floats) -> InputEncoding:
    if isinstance(feature, CategoryFeature):
        slots = int(max(feature.maximum, feature.imputed or 0)) + 1
        return InputEncoding("category", slots, feature.imputed)
    if not isinstance(feature, NumberFeature):
        return InputEncoding("number", 0, feature.imputed)
    present = values[~np.isnan(values)]
    kind: InputKind = "log" if _is_skewed(present) else "number"
    return InputEncoding(kind, 0, feature.imputed, _edges(present))


def _edges(values: Floats) -> tuple[float, ...]:
    """Return the ends of pieces with about equally many values each; none for two values or less.

    Edges are values of single precision, in which they differ.
    """
    if not len(values):
        return ()
    quantiles = np.quantile(values, np.linspace(0, 1, PIECES + 1))
    edges = np.unique(quantiles.astype(np.float32)).astype(np.float64)
    return tuple(edges.tolist()) if len(edges) > 2 else ()


def _is_skewed(values: Floats) -> bool:
    if not len(values) or values.min() < 0:
        return False
    return abs(_skewness(np.log1p(values))) < abs(_skewness(values))


def _skewness(values: Floats) -> float:
    """Return the third standardised moment of values `(N,)`; 0 if all are equal."""
    spread = values.std()
    return float(np.mean(((values - values.mean()) / spread) ** 3)) if spread > 0 else 0.0
