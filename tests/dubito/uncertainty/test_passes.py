"""How many passes are enough: the looks, the half-width, and what it is worth on held-out rows."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubito.bundle import load
from dubito.bundles.repository import find_version
from dubito.loans.columns import LAYOUT
from dubito.training.data import read_table
from dubito.training.split import split_rows
from dubito.types import Query, Summary
from dubito.uncertainty.adaptive_passes import RowStatistics
from dubito.uncertainty.passes import HALF_WIDTH, PROBABILITIES, checkpoints
from tests.dubito.uncertainty.driven import driven
from tests.service import ROOT

MOST = 10_000
FINE = 0.004
Record = Callable[[str, object], None]


@pytest.mark.parametrize(
    ("most", "looks"),
    [
        (1, [1]),
        (63, [63]),
        (64, [64]),
        (65, [64, 65]),
        (512, [64, 128, 256, 512]),
        (1000, [64, 128, 256, 512, 1000]),
        (10_000, [64, 128, 256, 512, 1024, 2048, 4096, 8192, 10_000]),
    ],
)
def test_the_looks_double(most: int, looks: list[int]) -> None:
    """64, 128, 256, … and at last the most, once."""
    assert looks == list(checkpoints(most))


@given(
    draws=st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=40
    )
)
def test_the_half_width_is_the_formula_written_out(draws: list[tuple[float, ...]]) -> None:
    """The largest over classes of 2·√(s²/T + 1/(4T)²), s with ddof=1, and at most 1."""
    count, widths = len(draws), []
    for values in zip(*draws, strict=True):
        mean = math.fsum(values) / count
        square = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
        widths.append(2 * math.sqrt(square / count + 1 / (4 * count) ** 2))
    (found,) = PROBABILITIES.half_widths(np.array(draws).std(axis=0)[None], count)
    assert found == pytest.approx(min(1, max(widths)), rel=1e-9)


@pytest.mark.parametrize("passes", [1, 2, 3, 64, 199, 200, 10_000])
def test_equal_passes_are_not_certain(passes: int) -> None:
    """T equal passes read as 1/(2T), the floor; one pass as 1."""
    widths = PROBABILITIES.half_widths(np.zeros((3, 7)), passes)
    assert [pytest.approx(1 / (2 * passes) if passes > 1 else 1)] * 3 == widths.tolist()
    assert widths[0] == PROBABILITIES.floor(passes)


@pytest.mark.parametrize("passes", [10, 64, 100, 1000])
def test_the_floor_bounds_what_was_not_seen(passes: int) -> None:
    """What moves the mean by more than 1/(2T) from 1/6 away is unseen with less than 5%."""
    probability = PROBABILITIES.floor(passes) / (1 / 6)
    assert probability == pytest.approx(3 / passes)
    assert (1 - probability) ** passes < 0.05


@pytest.mark.claim("enough passes", test=200, proof=2_000)
@pytest.mark.parametrize("tolerance", [HALF_WIDTH, FINE])
def test_the_mean_is_as_near_as_was_asked(
    tolerance: float, count: int, record_property: Record
) -> None:
    """`passes=auto`: held-out rows lie within the tolerance of 10,000 passes of another seed.

    Each row has a seed of its own, since rows of one seed share their masks and so their luck. The
    fine tolerance is one at which fixed passes are dear: auto takes a fifth of them on average.
    """
    bundle = load(find_version(ROOT / "models", "loan-grade"))
    table = read_table(None, LAYOUT)
    rows = table.features[split_rows(table.labels, 0).test][:count]

    def computed(query: Query) -> Summary:
        (summary,) = bundle.engine.summarise([query])
        return summary

    found = RowStatistics.joined(
        [
            driven(computed, Query(row[None], MOST, seed), tolerance)[0]
            for seed, row in enumerate(rows)
        ]
    )
    (reference,) = bundle.engine.summarise([Query(rows, MOST, 2**40)])
    near = np.abs(found.summary.mean - reference.mean).max(axis=1) <= tolerance
    moving = reference.std.max(axis=1) > 0.01
    fixed = next(
        at
        for at in checkpoints(MOST)
        if np.mean(PROBABILITIES.half_widths(reference.std, at) <= tolerance) >= 0.95
    )
    record_property(
        "figure",
        f"{near.mean():.1%} of all rows, {near[moving].mean():.1%} of {moving.sum():,} with a std "
        f"above 0.01; mean passes {found.passes.mean():.0f}, where {fixed:,} would be needed for "
        f"95% of rows; {bundle.manifest.identity.name}/{bundle.manifest.version}",
    )
    assert near.mean() >= 0.93
    assert near[moving].mean() >= 0.93
    # Few rows scatter: there a quarter will do.
    assert tolerance != FINE or found.passes.mean() <= fixed / (5 if count == 2_000 else 4)
