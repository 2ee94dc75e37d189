"""Prometheus metrics of a shadow: how often it disagrees with what was answered."""

from collections.abc import Mapping, Sequence
from typing import get_args

from app.monitoring.instruments import Instruments
from app.recorded_disagreement import DisagreementKind


class ShadowMetrics:
    """Counts the rows that were compared with those of a shadow."""

    def __init__(self, instruments: Instruments, model: str, version: str) -> None:
        """Initialise all series, so that each starts at 0.

        Args:
            instruments: the instruments of the service.
            model: name of the model.
            version: the shadow's version.
        """
        self._buffer = instruments.buffer
        self._rows = instruments.shadow_rows.labels(model, version)
        self._skipped = instruments.shadow_skipped.labels(model, version)
        self._differences = instruments.differences.labels(model, version)
        kinds = get_args(DisagreementKind)
        self._kinds = {
            kind: instruments.disagreements.labels(model, version, kind) for kind in kinds
        }
        for counter in (self._rows, self._skipped, *self._kinds.values()):
            counter.inc(0)

    def compared(self, differences: Sequence[float], kinds: Mapping[DisagreementKind, int]) -> None:
        """Count rows that were compared: their differences, and how many disagree by kind."""
        self._buffer.count(self._rows, len(differences))
        for difference in differences:
            self._buffer.observe(self._differences, difference)
        for kind, count in kinds.items():
            self._buffer.count(self._kinds[kind], count)

    def skipped(self, rows: int) -> None:
        """Count rows that were not compared."""
        self._buffer.count(self._skipped, rows)
