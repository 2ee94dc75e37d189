"""Alarm for drift: one sequential test over all streams of inputs, without outcomes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dubito.types import Indices
from dubito.uncertainty.bins import BinCounts, Bins
from dubito.uncertainty.martingale import Martingale

MOST_ROWS = 2_000
"""Most rows tested of each stream and minute; more would add little evidence."""


@dataclass(frozen=True, slots=True)
class Watch:
    """State of the tests of all streams.

    The alarm is raised when the martingale of one of S streams reaches S times the threshold. While
    nothing changes, each does so with a probability of at most 1% / S, and so any of them with at
    most 1%, however they depend on each other. Their average would reach the threshold sooner, but
    without this guarantee: each is a martingale in the filtration of its own p-values alone, and
    the other streams could inform when to stop (Choe and Ramdas 2024, "Combining evidence across
    filtrations"). The evidence is therefore that of the strongest stream, divided by S. All streams
    have equal weight: mutual information, which detects unusual combinations of values, needs no
    larger one.
    """

    streams: dict[str, Martingale]

    @classmethod
    def begin(cls, bins: Mapping[str, Bins]) -> "Watch":
        """Return the state before the first row of any stream; there is at least one stream."""
        return cls({name: Martingale.begin(of) for name, of in bins.items()})

    @property
    def rows(self) -> int:
        """Number of rows tested, in the stream with the most."""
        return max(stream.rows for stream in self.streams.values())

    @property
    def evidence(self) -> float:
        """Logarithm of the current evidence, see `dubito.uncertainty.alarm_threshold`."""
        return max(stream.evidence for stream in self.streams.values()) - self._share

    @property
    def largest(self) -> float:
        """Logarithm of the largest evidence so far."""
        return self.streams[self.foremost].largest - self._share

    @property
    def foremost(self) -> str:
        """Name of the stream with the largest evidence so far."""
        return max(self.streams, key=lambda name: self.streams[name].largest)

    def advance(self, counts: Mapping[str, BinCounts], random: np.random.Generator) -> "Watch":
        """Return the state after one more minute, given as counts of each stream.

        The order of rows within the minute is unknown. A random one is drawn, which makes no
        difference to exchangeable rows; so are the rows tested if there are more than `MOST_ROWS`.

        Raises:
            KeyError: a stream is not monitored.
            IndexError: a bin does not exist.
        """
        moved = {}
        for name in sorted(counts):
            places = _drawn(counts[name], random)
            moved[name] = self.streams[name].advance(places, random.random(len(places)))
        return Watch({**self.streams, **moved})

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON values."""
        return {name: stream.to_json() for name, stream in self.streams.items()}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> "Watch":
        """Restore from the values of `to_json`."""
        return cls({name: Martingale.from_json(stream) for name, stream in state.items()})

    @property
    def _share(self) -> float:
        return math.log(len(self.streams))


def _drawn(counts: BinCounts, random: np.random.Generator) -> Indices:
    """Draw a random order of the counted bins `(M,)`, and keep at most `MOST_ROWS`."""
    places = np.array(sorted(counts), dtype=np.intp)
    held = np.array([counts[at] for at in sorted(counts)], dtype=np.intp)
    return random.permutation(np.repeat(places, held))[:MOST_ROWS]
