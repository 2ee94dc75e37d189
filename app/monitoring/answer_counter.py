"""Counts answers, and their outcomes, into the tallies that statistics are computed from.

All counts are integers that are added up, so that any number of processes gives the same result as
one. Sums are in millionths. What is counted of classes and of numbers is in `class_counter` and
`number_counter`.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from app.count_keys import CountKey, Family, key
from app.record_events import (
    AnyMonteCarloPart,
    AnyPart,
    MonteCarloNumberPart,
    MonteCarloPart,
    Tally,
)
from app.recorded_prediction import Body
from app.watched_bundle import WatchedBundle
from dubito.answer import AnyResult, MonteCarloAnyResult, kind_of
from dubito.types import Floats
from dubito.uncertainty.bins import epistemic_stream

MILLION = 1_000_000
ROWS, PASSES = key(Family.ROWS), key(Family.PASSES)
Pair = tuple[CountKey, int]
"""A count's key, and the number to add to the count."""
CountsByKey = Counter[CountKey]


class AnswerCounter(ABC):
    """Counts the answers of one bundle."""

    of_bundle: ClassVar[tuple[str, ...]]
    """Prefixes of the counts that only the bundle that made the prediction can compute."""
    has_classes: ClassVar[bool]
    """Whether outcomes are classes, rather than numbers."""

    def __init__(self, watched: WatchedBundle) -> None:
        """Set the bundle, whose signature and calibration supply reference bins and policy."""
        self.digest = watched.identity.digest
        """Digest of the bundle."""
        streams = {
            name: (bins, [key(Family.STREAM, stream, index) for index in range(bins.size)])
            for stream, (name, bins) in enumerate(watched.streams.items())
        }
        self._features = [
            (np.array(streams[name][0].edges), streams[name][1]) for name in watched.signature.names
        ]
        """Edges of each feature's bins, and the keys of their counts."""
        self._epistemic = streams.get(epistemic_stream(watched.signature))
        calibration = watched.calibration
        self._passes = 0 if calibration is None else calibration.passes
        self._policy = None if calibration is None else calibration.policy

    @abstractmethod
    def came_out(self, body: Body, truth: str | float) -> Tally:
        """Count the true class or number of a recorded prediction."""

    @abstractmethod
    def _count_answers(self, counts: CountsByKey, results: Sequence[AnyResult]) -> None:
        """Add the counts that all results have."""

    @abstractmethod
    def _count_results(self, counts: CountsByKey, results: Sequence[MonteCarloAnyResult]) -> None:
        """Add the counts that only Monte-Carlo results have."""

    @abstractmethod
    def _epistemic_of(self, result: MonteCarloAnyResult) -> float:
        """Return the epistemic uncertainty of a result, which is watched for drift."""

    def answered(self, parts: Sequence[AnyPart], rows: Floats) -> Tally:
        """Count the answers of parts; `rows` `(N, F)` are what all their rows are watched by.

        The epistemic uncertainty of a part's first row is watched for drift if its seed was drawn
        for it: further rows of a request have the same seed, and seeds chosen by callers may be
        shared with other requests.
        """
        answers = [one for part in parts for one in part.answers]
        counts = CountsByKey({ROWS: len(answers)})
        warnings = Counter(kind_of(one) for answer in answers for one in answer.warnings)
        self._count_answers(counts, [one.result for one in answers])
        count_members(counts, Family.WARNING, warnings)
        self._count_features(counts, rows)
        doubtful = [
            part for part in parts if isinstance(part, MonteCarloPart | MonteCarloNumberPart)
        ]
        if doubtful:
            results = [one.result for part in doubtful for one in part.answers]
            _count_decisions(counts, results)
            self._count_results(counts, results)
            counts.update(self._epistemic_keys(doubtful))
        return Tally(self.digest, counts)

    def _count_features(self, counts: CountsByKey, rows: Floats) -> None:
        for (edges, keys), column in zip(self._features, rows.T, strict=True):
            found = np.bincount(edges.searchsorted(column, "right"), minlength=len(keys))
            # NaN sorts after all edges: it is missing, not above them.
            missing = np.count_nonzero(np.isnan(column))
            found[-2:] = found[-2] - missing, missing
            counts.update(CountsByKey({keys[at]: int(found[at]) for at in found.nonzero()[0]}))

    def _epistemic_keys(self, parts: Sequence[AnyMonteCarloPart]) -> Iterator[CountKey]:
        """Yield the bins of the uncertainty of each part's first row, where it is watched.

        It is comparable with the calibration rows' only at their number of passes.
        """
        if self._epistemic is None:
            return
        bins, keys = self._epistemic
        for part in parts:
            first = part.answers[0].result
            if part.is_drawn and first.passes == self._passes:
                yield keys[bins.index(self._epistemic_of(first))]


def count_members(counts: CountsByKey, family: Family, found: Counter[str] | Counter[int]) -> None:
    """Add counts by member of a family."""
    counts.update({key(family, name): more for name, more in found.items()})


def _count_decisions(counts: CountsByKey, results: Sequence[MonteCarloAnyResult]) -> None:
    decisions = [one.decision for one in results if one.decision is not None]
    count_members(counts, Family.ACTION, Counter[str](one.action for one in decisions))
    reasons = Counter(reason for decision in decisions for reason in decision.reasons)
    count_members(counts, Family.REASON, reasons)
    counts[PASSES] += sum(one.passes for one in results)
