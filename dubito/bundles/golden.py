"""Golden rows: predictions stored with a bundle, which the engine must reproduce at every start.

They reveal faults that files alone cannot show: an output without softmax, a wrong number of
features or classes, and above all false certainty because dropout has no effect.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from dubito.bundles.manifest import GoldenRow
from dubito.engine.engine import Engine
from dubito.targets import ClassTarget, Target
from dubito.types import Floats, Query
from dubito.uncertainty.decomposition import summarise

TOLERANCE = 1e-4
"""Largest difference from a stored answer, see `_scales`; arithmetic differs between processors."""

LEAST_STD = 1e-3
"""Least value of the golden rows' largest Monte-Carlo std, see `_scales`; below it, dropout has no
effect."""


def golden_rows(engine: Engine, rows: Floats, passes: int, seed: int = 0) -> tuple[GoldenRow, ...]:
    """Predict rows `(N, F)` and return the answers to store; row `i` uses seed `seed + i`."""
    return tuple(_answered(engine, row, passes, seed + at) for at, row in enumerate(rows))


def golden_faults(engine: Engine, golden: Sequence[GoldenRow], target: Target) -> Iterator[str]:
    """Yield faults of the engine's answers, as parts of a sentence about the network."""
    wanted = (len(golden[0].features), len(target.outputs))
    if engine.shape != wanted:
        noun = "classes" if isinstance(target, ClassTarget) else "outputs"
        yield "maps {} features to {} {} where the signature has {} and {}".format(
            *engine.shape, noun, *wanted
        )
        return
    deviations, scales = [], _scales(target)
    for at, stored in enumerate(golden):
        query = Query(_row(stored), stored.passes, stored.seed)
        draws, plain = engine.draws(query), engine.predict(query.features)
        if not (np.isfinite(draws).all() and np.isfinite(plain).all()):
            yield f"answers golden row {at} with numbers that are not finite"
        yield from (f"answers golden row {at} with {f}" for f in _odd_outputs(draws, plain, target))
        deviations.append(_deviations(engine, draws, scales))
        again = _answered(engine, query.features[0], stored.passes, stored.seed)
        if _differs(again, stored, scales):
            yield f"does not give the answer stored for golden row {at}"
    # Of each member: the deviation between members is there without any dropout.
    if np.max(deviations, axis=0).min() < LEAST_STD:
        yield "has no Monte-Carlo deviation: its dropout is gone and its certainty would be false"


def _deviations(engine: Engine, draws: Floats, scales: Floats) -> Floats:
    """Return the largest std among the outputs `(K,)` of each member, for draws `(T, 1, C)`."""
    apart = draws.reshape(-1, engine.members, draws.shape[-1])
    deviations: Floats = (summarise(apart).std / scales).max(axis=1)
    return deviations


def _scales(target: Target) -> Floats:
    """Return the scale of each output: 1 for probabilities, for a number its values' deviation."""
    if isinstance(target, ClassTarget):
        return np.ones(len(target.outputs))
    scales = {"variance": target.std**2}
    return np.array([scales.get(name, target.std) for name in target.outputs])


def _odd_outputs(draws: Floats, plain: Floats, target: Target) -> Iterator[str]:
    if isinstance(target, ClassTarget):
        if not (_are_probabilities(draws) and _are_probabilities(plain)):
            yield "numbers that are not probabilities"
    elif "variance" in target.outputs:
        at = target.outputs.index("variance")
        if min(draws[..., at].min(), plain[..., at].min()) < 0:
            yield "a variance below 0"


def warm(engine: Engine, golden: Sequence[GoldenRow]) -> None:
    """Trigger an engine's compilation for several rows, by predicting the golden rows together."""
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


def _differs(answer: GoldenRow, stored: GoldenRow, scales: Floats) -> bool:
    """Return whether an answer differs from the stored one by more than `TOLERANCE` of a scale."""
    pairs = (
        (answer.deterministic, stored.deterministic),
        (answer.mean, stored.mean),
        (answer.std, stored.std),
    )
    return any(
        not np.allclose(ours / scales, theirs / scales, rtol=0, atol=TOLERANCE)
        for ours, theirs in pairs
    )
