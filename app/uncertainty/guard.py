"""The guard: rows that are not like what training saw, or lack a value."""

import numpy as np

from app.values import Feature, Floats, Notice, Signature


def notices(rows: Floats, signature: Signature) -> list[list[Notice]]:
    """What to say about each of the rows `(N, F)`: a value that is missing or out of range."""
    minima = np.array([feature.seen.minimum for feature in signature.features])
    maxima = np.array([feature.seen.maximum for feature in signature.features])
    missing = np.isnan(rows)
    outside = (rows < minima) | (rows > maxima)
    found: list[list[Notice]] = [[] for _ in rows]
    for row, column in np.argwhere(missing | outside):
        found[row].append(_notice(signature.features[column], float(rows[row, column])))
    return found


def _notice(feature: Feature, value: float) -> Notice:
    missing = np.isnan(value)
    return Notice(
        kind="missing" if missing else "out_of_range",
        feature=feature.name,
        value=None if missing else value,
        seen_minimum=feature.seen.minimum,
        seen_maximum=feature.seen.maximum,
    )
