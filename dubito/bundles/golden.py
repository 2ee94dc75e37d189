"""Golden rows: answers stored with a bundle, which a start must be able to give again.

They find what a file alone cannot show: a linear output, another width, and above all certainty
that is false because the dropout is gone.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from dubito.bundles.manifest import GoldenRow
from dubito.engine.engine import Engine
from dubito.types import Floats, Query
from dubito.uncertainty.decomposition import summarise

TOLERANCE = 1e-4
"""How far an answer may be from the stored one: processors differ."""

LEAST_STD = 1e-3
"""The golden rows' largest Monte-Carlo std is above this, or there is none."""


def golden_rows(engine: Engine, rows: Floats, passes: int, seed: int = 0) -> tuple[GoldenRow, ...]:
    """The engine's answers for rows `(N, F)`, to be stored."""
    return tuple(_answered(engine, row, passes, seed + at) for at, row in enumerate(rows))


def faults(engine: Engine, golden: Sequence[GoldenRow]) -> Iterator[str]:
    """Yield what is wrong with the engine's answers, as parts of a sentence about the network."""
    wanted = (len(golden[0].features), len(golden[0].mean))
    if engine.shape != wanted:
        yield "maps {} features to {} classes where the signature has {} and {}".format(
            *engine.shape, *wanted
        )
        return
    deviations = []
    for at, stored in enumerate(golden):
        query = Query(_row(stored), stored.passes, stored.seed)
        draws, plain = engine.draws(query), engine.predict(query.features)
        if not (np.isfinite(draws).all() and np.isfinite(plain).all()):
            yield f"answers golden row {at} with numbers that are not finite"
        elif not (_are_probabilities(draws) and _are_probabilities(plain)):
            yield f"answers golden row {at} with numbers that are no probabilities"
        deviations.append(summarise(draws).std.max())
        if _furthest(_answered(engine, query.features[0], stored.passes, stored.seed), stored):
            yield f"does not give the answer stored for golden row {at}"
    if max(deviations) < LEAST_STD:
        yield "has no Monte-Carlo deviation: its dropout is gone and its certainty would be false"


def warm(engine: Engine, golden: Sequence[GoldenRow]) -> None:
    """Have an engine begin to compile what several rows are sooner done with."""
    engine.predict(np.concatenate([_row(stored) for stored in golden]))


def _answered(engine: Engine, row: Floats, passes: int, seed: int) -> GoldenRow:
    (summary,) = engine.summarise([Query(row[None], passes, seed)])
    return GoldenRow(
        features=tuple(None if np.isnan(value) else float(value) for value in row),
        passes=passes,
        seed=seed,
        deterministic=tuple(map(float, engine.predict(row[None])[0])),
        mean=tuple(map(float, summary.mean[0])),
        std=tuple(map(float, summary.std[0])),
    )


def _row(golden: GoldenRow) -> Floats:
    return np.array([[np.nan if value is None else value for value in golden.features]])


def _are_probabilities(values: Floats) -> bool:
    return bool(
        ((values >= 0) & (values <= 1)).all() and (abs(values.sum(-1) - 1) < TOLERANCE).all()
    )


def _furthest(answer: GoldenRow, stored: GoldenRow) -> bool:
    """Whether an answer is further from the stored one than processors explain."""
    pairs = (
        (answer.deterministic, stored.deterministic),
        (answer.mean, stored.mean),
        (answer.std, stored.std),
    )
    return any(not np.allclose(ours, theirs, rtol=0, atol=TOLERANCE) for ours, theirs in pairs)
