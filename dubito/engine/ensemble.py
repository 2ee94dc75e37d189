"""Ensembles: several networks as one engine, whose passes belong to its members in turn.

Deep ensembles (Lakshminarayanan et al. 2017) of networks that each have Monte-Carlo dropout: pass
`t` is pass `t div K` of member `t mod K`, for `K` members. The passes are an even sample of the
members' mixture if their number is a multiple of `K`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from dubito.engine.engine import Engine, queries_of
from dubito.types import SEED_BITS, Floats, Query, Summary
from dubito.uncertainty.decomposition import OVERFLOWING, over_passes

PART_NUMBERS = 1 << 22
"""Most numbers of draws at a time, which bounds the memory of any request."""


class Ensemble:
    """Predicts with several networks of one signature. Threads may share it, as its members."""

    def __init__(self, networks: Sequence[Engine]) -> None:
        """Take the engines of the members, in order."""
        self._networks = tuple(networks)
        self.members = len(self._networks)
        self.path = ", ".join(dict.fromkeys(one.path for one in self._networks))
        self.shape, self.alignment = self._networks[0].shape, 1
        every = all(one.programs for one in self._networks)
        self.programs = tuple(each for one in self._networks for each in one.programs if every)

    @OVERFLOWING
    def predict(self, rows: Floats) -> Floats:
        """Compute the mean `(N, C)` of the members' deterministic passes over rows `(N, F)`."""
        return over_passes(np.array([one.predict(rows) for one in self._networks])) / self.members

    def draws(self, query: Query) -> Floats:
        """Compute outputs `(T, N, C)` of every pass."""
        found = np.empty((query.passes, len(query.features), self.shape[1]))
        for member in range(min(self.members, query.first + query.passes)):
            # The member's own passes, from the first that the query has.
            start = -(-(query.first - member) // self.members)
            stop = -(-(query.first + query.passes - member) // self.members)
            if start < stop:
                place = start * self.members + member - query.first
                found[place :: self.members] = self._drawn(member, query, start, stop)
        return found

    def _drawn(self, member: int, query: Query, start: int, stop: int) -> Floats:
        """Compute some of a member's passes, `(T, N, C)`, with masks of its own.

        The seed has `SEED_BITS` of the 64 bits of its place in the random stream's key, and the
        member the others: see `dubito.numerics.rng`.
        """
        network, seed = self._networks[member], query.seed + (member << SEED_BITS)
        first = start // network.alignment * network.alignment
        own = replace(query, seed=seed, first=first, passes=stop - first)
        return network.draws(own)[start - first :]

    def summarise(self, queries: Sequence[Query]) -> list[Summary]:
        """Compute statistics over the passes for the rows of every query, in order.

        Raises:
            ValueError: the passes of a query are not a multiple of the members.
        """
        return [
            Summary.joined([self.reduced(self.draws(part)) for part in self._parts(query)])
            for query in queries
        ]

    def summarise_rows(self, rows: Floats, seeds: Sequence[int], passes: int) -> Summary:
        """Compute statistics over the passes for rows `(N, F)` that have a seed each.

        Raises:
            ValueError: the passes are not a multiple of the members.
        """
        return Summary.joined(self.summarise(queries_of(rows, seeds, passes)))

    @OVERFLOWING
    def reduced(self, draws: Floats) -> Summary:
        """Compute the statistics of draws `(T, N, C)`, with the bits that `summarise` gives.

        The mutual information has two parts: what the members' means say of the class, and the mean
        of what each member's passes say of it (the chain rule of mutual information).

        Raises:
            ValueError: the passes are not a multiple of the members.
        """
        passes, rows, outputs = draws.shape
        if passes % self.members:
            raise ValueError(f"passes must be a multiple of {self.members}")
        network = self._networks[0]
        # Of rows and members together: calls cost more than their array sizes.
        apart = draws.reshape(passes // self.members, self.members * rows, outputs)
        each = network.reduced(apart)
        means, stds = (
            values.reshape(self.members, rows, outputs) for values in (each.mean, each.std)
        )
        return replace(
            network.reduced(draws),
            within_std=np.sqrt(over_passes(np.square(stds)) / self.members),
            between_members=network.reduced(means).mutual_information,
        )

    def _parts(self, query: Query) -> Iterator[Query]:
        """Split a query by rows into parts of bounded size."""
        step = max(1, PART_NUMBERS // (query.passes * self.shape[1]))
        for start in range(0, max(1, len(query.features)), step):
            yield replace(query, features=query.features[start : start + step])


def combined(networks: Sequence[Engine]) -> Engine:
    """Return the engine of an ensemble; of one network, its own."""
    return networks[0] if len(networks) == 1 else Ensemble(networks)
