"""Shift: what came beside what training saw, stream by stream."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from app.count_keys import Counts, Family, key, members
from dubito.uncertainty.bins import Bins
from dubito.uncertainty.drift import drift


def shift(counts: Counts, streams: Mapping[str, Bins]) -> dict[str, Any]:
    """How far the counts of a stretch of time lie from the reference."""
    return {
        "rows": counts.get(key(Family.ROWS), 0),
        "features": [
            {"feature": name, **asdict(drift(bins, seen))}
            for (name, bins), seen in zip(
                streams.items(), stream_counts(counts, len(streams)), strict=True
            )
        ],
    }


def stream_counts(counts: Counts, count: int) -> list[dict[int, int]]:
    """The counts of the bins of every stream."""
    found: list[dict[int, int]] = [{} for _ in range(count)]
    for name, rows in members(counts, Family.STREAM).items():
        stream, _, place = name.partition(".")
        found[int(stream)][int(place)] = rows
    return found
