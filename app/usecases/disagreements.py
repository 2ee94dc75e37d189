"""Notes what a shadow found: metrics, counts that are stored, and a record of each disagreement."""

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress

import numpy as np

from app.count_keys import CountKey, Family, key, summed
from app.errors import RecordingFailed
from app.monitoring.shadow_metrics import ShadowMetrics
from app.monitoring.shadow_report import counted_as, counts_of
from app.record_events import FORMAT, Entry, Event, Tally, now
from app.record_ports import Writer
from app.recorded_disagreement import (
    Disagreement,
    DisagreementKind,
    Side,
    write_disagreement,
)
from app.serving.comparison import Comparison
from app.serving.shadow import Compared
from dubito.prediction import JudgedRows
from dubito.targets import NumberTarget
from dubito.types import Booleans, Identity
from dubito.uncertainty.intervals import Intervals


class Disagreements:
    """Notes how the answers of a bundle compare with those of its shadow."""

    def __init__(
        self, served: Identity, shadow: Identity, metrics: ShadowMetrics, writer: Writer | None
    ) -> None:
        """Set both bundles, and where the notes go; nothing is recorded without a writer."""
        self._served = served
        self._shadow = shadow
        self._metrics = metrics
        self._writer = writer
        self._counts: dict[CountKey, int] = {}

    @property
    def is_written(self) -> bool:
        """Whether no count waits to be written."""
        return not self._counts

    def note(self, compared: Compared) -> None:
        """Note rows that were compared."""
        comparison = compared.comparison
        differences: list[float] = comparison.differences.tolist()
        flags = _flags(comparison)
        kinds = {kind: int(np.count_nonzero(one)) for kind, one in flags.items()}
        self._metrics.compared(differences, kinds)
        self._counts = summed((self._counts, counts_of(differences, kinds)))
        events = tuple(self._events(compared, flags))
        if self._writer is not None and events:
            # The comparison is no answer that anybody waits for.
            with suppress(RecordingFailed):
                self._writer.leave(Entry(events))

    def skip(self, rows: int) -> None:
        """Note rows that were not compared."""
        self._metrics.skipped(rows)
        self._counts = summed((self._counts, {key(Family.SKIPPED): rows}))

    async def write(self) -> None:
        """Write the counts since the last write; if that fails they are written later."""
        if self._writer is None or self._writer.trouble is not None or not self._counts:
            return
        counts, self._counts = self._counts, {}
        try:
            await self._writer.put(self._entry(counts))
        except RecordingFailed:
            self._counts = summed((counts, self._counts))

    def leave(self) -> None:
        """Queue the remaining counts in the writer."""
        if self._writer is not None and self._counts:
            with suppress(RecordingFailed):
                self._writer.leave(self._entry(self._counts))
                self._counts = {}

    def _entry(self, counts: dict[CountKey, int]) -> Entry:
        return Entry((), tally=Tally(counted_as(self._served, self._shadow), counts))

    def _events(
        self, compared: Compared, flags: Mapping[DisagreementKind, Booleans]
    ) -> Iterator[Event]:
        time = now()
        answered = [
            (one.judged, place)
            for one, rows in compared.places
            for place in range(rows.start, rows.stop)
        ]
        for at in compared.comparison.differing():
            body = Disagreement(
                FORMAT,
                self._served,
                self._shadow,
                [kind for kind, one in flags.items() if one[at]],
                float(compared.comparison.differences[at]),
                _side(*answered[at]),
                _side(compared.candidate, at),
            )
            yield Event("disagreement", compared.ids[at], time, write_disagreement(body))


def _flags(comparison: Comparison) -> dict[DisagreementKind, Booleans]:
    several: dict[DisagreementKind, Booleans | None] = {
        "class": comparison.classes,
        "decision": comparison.decisions,
        "set": comparison.sets,
    }
    return {kind: flags for kind, flags in several.items() if flags is not None}


def _side(judged: JudgedRows, place: int) -> Side:
    """Tell the answer to the row at a place."""
    mean, judgement = judged.estimate.summary.mean[place], judged.judgement
    action = None if judgement is None else judgement.decisions[place].action
    if isinstance(judged.target, NumberTarget):
        value = float(mean[judged.target.value_column])
        return Side(value, action, None if judgement is None else _bounds(judged, place))
    classes = judged.target.classes
    chosen = None if judgement is None else np.flatnonzero(judgement.sets.sets[place]).tolist()
    options: list[str | float | None] | None = None
    if chosen is not None:
        options = [classes[one] for one in chosen]
    return Side(classes[int(mean.argmax())], action, options)


def _bounds(judged: JudgedRows, place: int) -> list[str | float | None]:
    found = None if judged.judgement is None else judged.judgement.found
    if not isinstance(found, Intervals):
        return []
    bounds = (float(found.lower[place]), float(found.upper[place]))
    return [one if math.isfinite(one) else None for one in bounds]
