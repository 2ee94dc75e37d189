"""The drift report: observed rows against the training data, for each stream."""

from collections.abc import Mapping
from dataclasses import asdict

from app.count_keys import Counts, Family, key, members
from app.monitoring.report import DriftReport, StreamDrift
from dubito.uncertainty.bins import Bins
from dubito.uncertainty.drift import drift


def drift_report(counts: Counts, streams: Mapping[str, Bins]) -> DriftReport:
    """Compare counts with the reference bins of every stream."""
    seen = stream_counts(counts, len(streams))
    features = (
        StreamDrift(name, **asdict(drift(bins, rows)))
        for (name, bins), rows in zip(streams.items(), seen, strict=True)
    )
    return DriftReport(counts.get(key(Family.ROWS), 0), tuple(features))


def stream_counts(counts: Counts, count: int) -> list[dict[int, int]]:
    """Return the counts by bin, for each of `count` streams."""
    found: list[dict[int, int]] = [{} for _ in range(count)]
    for name, rows in members(counts, Family.STREAM).items():
        stream, _, place = name.partition(".")
        found[int(stream)][int(place)] = rows
    return found
