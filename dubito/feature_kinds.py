"""Kinds of features: what a value of each may be, and how the values of training are described."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

FeatureKind = Literal["integer", "float"]


@dataclass(frozen=True, slots=True)
class KindRules:
    """Rules for all features of one kind; every kind's values are numbers."""

    json_type: Literal["integer", "number"]
    """Type in JSON schemas."""
    is_whole: bool
    """Whether values must be whole numbers."""
    least_margin: float
    """Least margin, in the feature's unit, by which a value may exceed the range of training."""
    quantile_method: Literal["inverted_cdf", "linear"]
    """NumPy's method for quantiles: values that occur, or interpolated ones."""


FEATURE_KINDS: Mapping[FeatureKind, KindRules] = {
    "integer": KindRules(
        json_type="integer", is_whole=True, least_margin=1.0, quantile_method="inverted_cdf"
    ),
    "float": KindRules(
        json_type="number", is_whole=False, least_margin=0.0, quantile_method="linear"
    ),
}
