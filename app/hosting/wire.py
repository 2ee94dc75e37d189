"""The wire between a service and its other processes: whole messages over a local socket.

Batches are packed as few large arrays: pickling each row's handful of numbers by itself would cost
more than the network does.
"""

import pickle
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from app.memory import Trouble
from app.network.manifest import Manifest
from app.network.program import Program
from app.serving.jobs import Engine, Job, Statistics, results
from app.values import Cards, Environment, Floats, Query, Summary

LENGTH = struct.Struct("<Q")
"""What every message begins with: how many bytes follow."""
READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Ready:
    """What an engine says once it has loaded its bundle."""

    manifest: Manifest
    environment: Environment
    program: Program | None
    """Its network, where a process without Keras can run it."""
    cards: Cards


@dataclass(frozen=True, slots=True)
class Beat:
    """What an engine says now and then, also while it computes: its process runs."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What a recorder says once the records are open."""

    notes: tuple[str, ...] = ()
    """What an operator should know of them, a sentence each."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a recorder says now and then: whether it can write."""

    trouble: Trouble | None


@dataclass(frozen=True, slots=True)
class Failed:
    """What a process says that cannot begin."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs: queries for statistics as columns, then all others."""

    features: Floats
    """`(N, F)` of all queries, one after the other."""
    rows: tuple[int, ...]
    """Of each query."""
    passes: tuple[int, ...]
    seeds: tuple[int, ...]
    firsts: tuple[int, ...]
    others: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of a batch."""

    statistics: Floats
    """`(N, 2 C + 4)` of all rows of all queries, as `Summary` has them."""
    others: tuple[Any, ...]


def packed(jobs: Sequence[Job]) -> Batch:
    """Jobs for the wire."""
    queries = [job.query for job in jobs if isinstance(job, Statistics)]
    return Batch(
        features=np.concatenate([query.features for query in queries]) if queries else np.empty(0),
        rows=tuple(len(query.features) for query in queries),
        passes=tuple(query.passes for query in queries),
        seeds=tuple(query.seed for query in queries),
        firsts=tuple(query.first for query in queries),
        others=tuple(job for job in jobs if not isinstance(job, Statistics)),
    )


def worked_off(engine: Engine, batch: Batch) -> Answers:
    """What comes of a batch."""
    queries = [
        Statistics(Query(batch.features[start:stop], passes, seed, first))
        for (start, stop), passes, seed, first in zip(
            _bounds(batch.rows), batch.passes, batch.seeds, batch.firsts, strict=True
        )
    ]
    found = results(engine, [*queries, *batch.others])
    return Answers(_columns(found[: len(queries)]), tuple(found[len(queries) :]))


def unpacked(jobs: Sequence[Job], batch: Batch, answers: Answers) -> list[Any]:
    """The results of jobs, in their order."""
    whole, others = answers.statistics, iter(answers.others)
    parts = (_summary(whole[start:stop]) for start, stop in _bounds(batch.rows))
    return [next(parts) if isinstance(job, Statistics) else next(others) for job in jobs]


def _columns(summaries: Sequence[Summary]) -> Floats:
    """Summaries side by side in one array."""
    if not summaries:
        return np.empty((0, 0))
    classes = summaries[0].mean.shape[1]
    found = np.empty((sum(len(one.mean) for one in summaries), 2 * classes + 4))
    start = 0
    for one in summaries:
        part = found[start : start + len(one.mean)]
        part[:, :classes], part[:, classes:-4] = one.mean, one.std
        part[:, -4], part[:, -3] = one.predictive_entropy, one.expected_entropy
        part[:, -2], part[:, -1] = one.mutual_information, one.variation_ratio
        start += len(part)
    return found


def _summary(columns: Floats) -> Summary:
    classes = columns.shape[1] // 2 - 2
    last = (columns[:, at] for at in range(-4, 0))
    return Summary(columns[:, :classes], columns[:, classes:-4], *last)


def _bounds(rows: Sequence[int]) -> list[tuple[int, int]]:
    return list(pairwise(accumulate(rows, initial=0)))


def framed(message: Any) -> bytes:
    """A message as it goes over the wire."""
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(content)) + content


def send(line: socket.socket, message: Any) -> None:
    """Send a message, waiting until all of it is on its way."""
    line.sendall(framed(message))


def receive(line: socket.socket) -> Any:
    """Wait for a message.

    Raises:
        EOFError: the other side has ended.
    """
    (length,) = LENGTH.unpack(_exactly(line, LENGTH.size))
    return pickle.loads(_exactly(line, length))  # noqa: S301 - from our own process alone


def _exactly(line: socket.socket, size: int) -> bytearray:
    content = bytearray()
    while len(content) < size:
        part = line.recv(min(READ_BYTES, size - len(content)))
        if not part:
            raise EOFError
        content += part
    return content


class Frames:
    """Puts messages together from pieces as they arrive."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def whole(self, data: bytes) -> Iterator[Any]:
        """Yield the messages that are complete with these bytes."""
        self._pending += data
        while len(self._pending) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._pending)
            end = LENGTH.size + length
            if len(self._pending) < end:
                return
            content = bytes(memoryview(self._pending)[LENGTH.size : end])
            del self._pending[:end]
            yield pickle.loads(content)  # noqa: S301 - from our own process alone
