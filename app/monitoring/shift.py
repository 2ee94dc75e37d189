"""Shift: what came beside what training saw, stream by stream."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from app.monitoring.figures import numbered
from app.uncertainty.bins import Bins
from app.uncertainty.drift import drift


def shift(counts: Mapping[str, int], streams: Mapping[str, Bins]) -> dict[str, Any]:
    """How far the counts of a stretch of time lie from the reference."""
    return {
        "rows": counts.get("rows", 0),
        "features": [
            {"feature": name, **asdict(drift(bins, seen))}
            for (name, bins), seen in zip(
                streams.items(), stream_counts(counts, len(streams)), strict=True
            )
        ],
    }


def stream_counts(counts: Mapping[str, int], count: int) -> list[dict[int, int]]:
    """The counts of the bins of every stream."""
    return [numbered(counts, f"stream.{at}") for at in range(count)]
