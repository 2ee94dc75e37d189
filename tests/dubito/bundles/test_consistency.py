"""What is seen of any column can be what a manifest says: real bundles are never refused for it."""

from typing import Any, Literal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dubito.bundles.consistency import signature_faults
from dubito.features import NumberFeature
from dubito.targets import ClassTarget
from dubito.training.feature_stats import number_stats
from dubito.types import Signature

MOST = 1e12
FLOATS = st.floats(-MOST, MOST, allow_subnormal=True)
FEW = st.sampled_from([0.0, 1.0, 2.5, -7.0, MOST])
COUNTS = st.integers(-50, 50).map(float) | st.sampled_from([MOST, -MOST])


def faults(values: list[float | None], kind: Literal["integer", "float"]) -> list[str]:
    column: Any = np.array([np.nan if value is None else value for value in values])
    found = number_stats(column, kind)
    feature = NumberFeature(
        "a", "", (), kind, "", nullable=True, imputed=0, minimum=-MOST, maximum=MOST, seen=found
    )
    return list(signature_faults(Signature((feature,), ClassTarget(("Y", "N")))))


@given(st.lists(FLOATS | FEW | st.none(), min_size=1, max_size=300))
def test_floats(values: list[float | None]) -> None:
    """Of any size and number, many of them equal, some of them missing."""
    assert [] == faults([*values, 1.0], "float")


@given(st.lists(COUNTS | st.none(), min_size=1, max_size=300))
def test_integers(values: list[float | None]) -> None:
    """Likewise, whole."""
    assert [] == faults([*values, 1.0], "integer")


@given(st.integers(0, 2**32), st.integers(1, 5_000))
def test_samples(seed: int, rows: int) -> None:
    """Smooth and skewed ones of many rows, with quantiles between two of them."""
    random = np.random.default_rng(seed)
    for values in (random.normal(size=rows), random.exponential(1e4, rows).round(2)):
        assert [] == faults(values.tolist(), "float")
