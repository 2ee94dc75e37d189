"""The watch for drift: one alarm over all streams, without a look at outcomes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dubito.types import Indices
from dubito.uncertainty.bins import Bins, Counts
from dubito.uncertainty.martingale import Martingale

MOST_ROWS = 2_000
"""Of each stream and minute, that are looked at: any more would not be missed."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known of every stream.

    The alarm is raised when the martingale of one of S streams reaches S times the threshold. While
    nothing changes, each does so with a chance of 1% / S at most, and so any of them with one of 1%
    at most, however they depend on one another. Their average would look bolder, but promises less:
    each is a martingale in the light of its own p-values alone, and whoever sees the others' could
    choose by them when to look (Choe and Ramdas 2024, "Combining evidence across filtrations"). So
    the evidence of the watch is that of its strongest stream, divided by S. All streams count
    alike: mutual information, which sees what does not fit together, needs no favour for it.
    """

    streams: dict[str, Martingale]

    @classmethod
    def begin(cls, bins: Mapping[str, Bins]) -> "Watch":
        """Before the first row of any stream; there is at least one."""
        return cls({name: Martingale.begin(of) for name, of in bins.items()})

    @property
    def rows(self) -> int:
        """Rows that were looked at, of the stream that has most."""
        return max(stream.rows for stream in self.streams.values())

    @property
    def evidence(self) -> float:
        """Logarithm of the evidence now, see `dubito.uncertainty.alarm`."""
        return max(stream.evidence for stream in self.streams.values()) - self._share

    @property
    def largest(self) -> float:
        """Logarithm of the largest evidence so far."""
        return self.streams[self.foremost].largest - self._share

    @property
    def foremost(self) -> str:
        """The stream that had the largest evidence so far."""
        return max(self.streams, key=lambda name: self.streams[name].largest)

    def advance(self, counts: Mapping[str, Counts], random: np.random.Generator) -> "Watch":
        """After one more minute, of which the counts of each stream are known, but no order.

        One is drawn, which makes no difference to rows that are exchangeable; likewise which rows
        are looked at if there are more than `MOST_ROWS`.

        Raises:
            KeyError: a stream that is not watched.
            IndexError: a bin that is none.
        """
        moved = {}
        for name in sorted(counts):
            places = _drawn(counts[name], random)
            moved[name] = self.streams[name].advance(places, random.random(len(places)))
        return Watch({**self.streams, **moved})

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {name: stream.to_json() for name, stream in self.streams.items()}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> "Watch":
        """From what `to_json` gave."""
        return cls({name: Martingale.from_json(stream) for name, stream in state.items()})

    @property
    def _share(self) -> float:
        return math.log(len(self.streams))


def _drawn(counts: Counts, random: np.random.Generator) -> Indices:
    """At most `MOST_ROWS` bins `(M,)`, in an order drawn at random."""
    places = np.array(sorted(counts), dtype=np.intp)
    held = np.array([counts[at] for at in sorted(counts)], dtype=np.intp)
    return random.permutation(np.repeat(places, held))[:MOST_ROWS]
