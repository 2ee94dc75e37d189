"""Verifies the chains: that no event was changed, removed, added or reordered."""

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from app.record_events import Event
from app.records.chain import ChainHead, genesis, link_of, personal_digest
from app.records.tables import chains, events

FETCHED_ROWS = 1_000
"""Rows fetched at a time."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a verification."""

    events: int
    heads: tuple[ChainHead, ...]
    """Last position and link of each chain: a checkpoint to store elsewhere."""
    faults: tuple[str, ...]
    """Faults found, one sentence each; empty if everything is as it was written."""
    given_up: tuple[str, ...] = ()
    """Warnings about chains whose key was lost, as a later verified chain states, one sentence
    each."""


def verify(
    connection: Connection,
    key: bytes,
    checkpoint: Mapping[str, ChainHead],
    earlier: Sequence[bytes] = (),
) -> Verdict:
    """Verify all chains.

    Args:
        connection: connection to the records.
        key: key of the newest chain.
        checkpoint: heads of an earlier verification, by chain, stored out of reach of the database.
        earlier: keys of older chains.
    """
    faults: list[str] = []
    heads: dict[str, ChainHead] = {}
    claims: dict[tuple[str, int], bytes] = {}
    for head in checkpoint.values():
        claims[head.chain, head.sequence] = head.link
    rows = connection.execute(select(chains).order_by(chains.c.chain)).all()
    for row in rows:
        claims.update(_claims(row.heads))
    erased = _Erased(connection)
    count, lost, given_up = 0, dict[str, ChainHead](), dict[str, str]()
    for row in rows:
        own = _key_of(connection, row, (key, *earlier))
        walk = _Walk(own, row, claims, erased)
        faults += walk.faults(connection)
        heads[row.chain] = walk.head
        if own is None:
            given_up[row.chain] = f"{walk.head.sequence:,} events of chain {row.chain}"
        else:
            count += walk.head.sequence
            lost.update(walk.lost)
    faults += _unverified(given_up, heads, lost)
    faults += _beyond(claims, heads)
    faults += _homeless(connection, set(heads))
    told = [
        f"{told} cannot be verified: their key was lost, as a later chain says"
        for chain, told in given_up.items()
        if chain in lost
    ]
    return Verdict(count, tuple(heads.values()), tuple(faults), tuple(told))


def _key_of(connection: Connection, row: Row[Any], keys: Sequence[bytes]) -> bytes | None:
    """Return the key of a chain; None if it is none of `keys`.

    If the data that the genesis link covers was changed, the first event still identifies the key.
    """
    for key in keys:
        if genesis(key, row.chain, row.started, row.heads) == row.genesis:
            return key
    mine = select(events).where(events.c.chain == row.chain).order_by(events.c.sequence).limit(1)
    first = connection.execute(mine).first()
    if first is None:
        return None
    before = ChainHead(row.chain, first.sequence - 1, row.genesis)
    fits = (key for key in keys if link_of(key, before, _event(first), first.digest) == first.link)
    return next(fits, None)


def _event(row: Row[Any]) -> Event:
    return Event(row.kind, row.prediction, row.time, row.body, row.personal, row.reference)


def _unverified(
    given_up: Mapping[str, str], heads: Mapping[str, ChainHead], lost: Mapping[str, ChainHead]
) -> Iterator[str]:
    """Yield faults of chains whose unknown key is not declared lost, or that went on since."""
    for chain, told in given_up.items():
        if chain not in lost:
            yield f"{told} cannot be verified: their key is not in the key file"
        elif heads[chain] != lost[chain]:
            yield f"chain {chain} has changed since its key was declared lost"


def _claims(heads: str) -> dict[tuple[str, int], bytes]:
    """Parse the earlier heads that a chain covers; empty if invalid, which is a fault elsewhere."""
    with suppress(ValueError, TypeError):
        return {
            (chain, sequence): bytes.fromhex(link) for chain, sequence, link in json.loads(heads)
        }
    return {}


class _Walk:
    """Verifies one chain from its first event to its last."""

    def __init__(
        self,
        key: bytes | None,
        row: Row[Any],
        claims: Mapping[tuple[str, int], bytes],
        erased: "_Erased",
    ) -> None:
        self._key = key
        self._row = row
        self._claims = claims
        self._erased = erased
        self.head = ChainHead(row.chain, 0, row.genesis)
        self.lost: dict[str, ChainHead] = {}
        """Heads of chains that this chain declares lost."""

    def faults(self, connection: Connection) -> Iterator[str]:
        row = self._row
        key = self._key
        if key and genesis(key, row.chain, row.started, row.heads) != row.genesis:
            yield f"chain {row.chain} does not begin as it was written"
        mine = select(events).where(events.c.chain == row.chain).order_by(events.c.sequence)
        found = connection.execution_options(yield_per=FETCHED_ROWS).execute(mine)
        for one in found:
            yield from self._step(one)
        if (row.sequence, row.link) != (self.head.sequence, self.head.link):
            yield f"chain {row.chain} ends at {self.head.sequence}, not at {row.sequence}"

    def _step(self, row: Row[Any]) -> Iterator[str]:
        place = f"event {row.sequence} of chain {row.chain}"
        if row.sequence != self.head.sequence + 1:
            yield f"{place} does not follow the one before it, which is {self.head.sequence}"
        before = ChainHead(row.chain, row.sequence - 1, self.head.link)
        if self._key is None:
            pass
        elif link_of(self._key, before, _event(row), row.digest) != row.link:
            yield f"{place} is not as it was written"
        elif row.kind == "key":
            for chain, sequence, link in json.loads(row.body)["lost"]:
                self.lost[chain] = ChainHead(chain, sequence, bytes.fromhex(link))
        yield from self._personal(place, row)
        claimed = self._claims.get((row.chain, row.sequence), row.link)
        if claimed != row.link:
            yield f"{place} is not the one that was there before"
        self.head = ChainHead(row.chain, row.sequence, row.link)

    def _personal(self, place: str, row: Row[Any]) -> Iterator[str]:
        if row.digest is None:
            if row.personal is not None or row.salt is not None or row.reference is not None:
                yield f"{place} has a personal part that was not written with it"
        elif row.personal is None:
            if not self._erased.covers(row):
                yield f"the personal part of {place} is gone, and no erasure says so"
        elif personal_digest(row.salt or b"", row.personal) != row.digest:
            yield f"the personal part of {place} is not as it was written"
        elif json.loads(row.personal).get("reference") != row.reference:
            yield f"the reference of {place} is not as it was written"


class _Erased:
    """Events whose erasure is recorded.

    Erasures of an older Dubito name predictions, or a time before which everything was erased;
    newer ones list exactly the events concerned.
    """

    def __init__(self, connection: Connection) -> None:
        self._before = 0
        self._predictions: set[str] = set()
        self._ranges: dict[str, list[tuple[int, int]]] = {}
        for body in connection.scalars(select(events.c.body).where(events.c.kind == "erasure")):
            # A tampered erasure is reported when its chain is verified.
            with suppress(ValueError, TypeError, AttributeError):
                self._take(json.loads(body))
        for ranges in self._ranges.values():
            ranges.sort()

    def _take(self, said: Mapping[str, Any]) -> None:
        listed = said.get("events")
        if listed is None:
            self._predictions.update(said.get("predictions", ()))
            self._before = max(self._before, said.get("before", 0))
            return
        for chain, ranges in listed.items():
            found = [(int(first), int(last)) for first, last in ranges]
            self._ranges.setdefault(chain, []).extend(found)

    def covers(self, row: Row[Any]) -> bool:
        """Whether the personal part of an event may be missing."""
        ranges = self._ranges.get(row.chain, [])
        at = bisect_right(ranges, row.sequence, key=lambda one: one[0])
        is_listed = at > 0 and row.sequence <= ranges[at - 1][1]
        return is_listed or row.time < self._before or row.prediction in self._predictions


def _beyond(
    claims: Mapping[tuple[str, int], bytes], heads: Mapping[str, ChainHead]
) -> Iterator[str]:
    """Yield a fault for each head that was recorded elsewhere but no longer exists."""
    for chain, sequence in sorted(claims):
        if chain not in heads:
            yield f"chain {chain} is missing: it had reached event {sequence}"
        elif sequence > heads[chain].sequence:
            yield f"chain {chain} was cut: it had reached event {sequence}"


def _homeless(connection: Connection, known: set[str]) -> Iterator[str]:
    """Yield a fault for each chain that has events but no row in the table of chains."""
    for chain in sorted(set(connection.scalars(select(events.c.chain).distinct())) - known):
        yield f"chain {chain} has events, but is missing in the table of chains"
