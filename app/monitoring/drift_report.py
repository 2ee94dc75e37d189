"""The drift report: what came beside what training saw, stream by stream."""

from collections.abc import Mapping
from dataclasses import asdict

from app.count_keys import Counts, Family, key, members
from app.monitoring.report import DriftReport, StreamDrift
from dubito.uncertainty.bins import Bins
from dubito.uncertainty.drift import drift


def drift_report(counts: Counts, streams: Mapping[str, Bins]) -> DriftReport:
    """How far the counts of a stretch of time lie from the reference, stream by stream."""
    seen = stream_counts(counts, len(streams))
    features = (
        StreamDrift(name, **asdict(drift(bins, rows)))
        for (name, bins), rows in zip(streams.items(), seen, strict=True)
    )
    return DriftReport(counts.get(key(Family.ROWS), 0), tuple(features))


def stream_counts(counts: Counts, count: int) -> list[dict[int, int]]:
    """The counts of the bins of every stream."""
    found: list[dict[int, int]] = [{} for _ in range(count)]
    for name, rows in members(counts, Family.STREAM).items():
        stream, _, place = name.partition(".")
        found[int(stream)][int(place)] = rows
    return found
