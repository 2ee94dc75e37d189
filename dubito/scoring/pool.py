"""Processes that score chunks, one for each processor."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import wait as wait_for
from typing import ClassVar, Protocol, TypeVar

from msgspec import Struct

from dubito.errors import DataError
from dubito.scoring.chunk import Chunk
from dubito.scoring.counts import TableCounts
from dubito.scoring.folder import JobFolder
from dubito.scoring.job import BundleOpening
from dubito.scoring.part import AnswerFormat
from dubito.scoring.scorer import Scorer
from dubito.scoring.table import StreamedTable
from dubito.scoring.work import ChunkScorer

SPAWN = multiprocessing.get_context("spawn")
"""Start method: a fork of a process with threads may hang."""
WAITING = 2
"""Chunks for each process that are read ahead of it."""
Answered = TypeVar("Answered")


class Work(Struct, frozen=True):
    """What processes are for."""

    opening: BundleOpening
    table: StreamedTable
    folder: JobFolder
    answers: AnswerFormat


class Scorers(Protocol):
    """Scores chunks, in one process or several."""

    def fingerprint(self) -> str:
        """Return the numerical environment in which rows are predicted."""

    def score(self, chunk: Chunk) -> Iterator[TableCounts]:
        """Hand out a chunk as soon as there is room; yield the counts of those done meanwhile.

        Raises:
            DataError: a chunk cannot be scored, or a process ended.
        """

    def rest(self) -> Iterator[TableCounts]:
        """Yield the counts of all chunks that were handed out."""


class Alone:
    """Scores chunks in this process."""

    def __init__(self, work: Work) -> None:
        """Open the bundle."""
        self._scorer = opened_scorer(work)
        self._chunks = _chunk_scorer(work, self._scorer)

    def fingerprint(self) -> str:
        """Return the numerical environment of this process."""
        return self._scorer.bundle.environment.fingerprint

    def score(self, chunk: Chunk) -> Iterator[TableCounts]:
        """Score a chunk.

        Raises:
            DataError: it cannot be scored.
        """
        yield self._chunks.score(chunk)

    def rest(self) -> Iterator[TableCounts]:
        """Yield nothing: every chunk is scored at once."""
        yield from ()


class Pool:
    """Scores chunks in several processes."""

    def __init__(self, executor: ProcessPoolExecutor, processes: int) -> None:
        """Take the processes, and their number."""
        self._executor = executor
        self._most = WAITING * processes
        self._pending: set[Future[TableCounts]] = set()

    def fingerprint(self) -> str:
        """Return the numerical environment of a process."""
        return _answered(lambda: self._executor.submit(_fingerprint).result())

    def score(self, chunk: Chunk) -> Iterator[TableCounts]:
        """Hand out a chunk as soon as there is room; yield the counts of those done meanwhile."""
        while len(self._pending) >= self._most:
            yield from self._finished()
        self._pending.add(_answered(lambda: self._executor.submit(_score, chunk)))

    def rest(self) -> Iterator[TableCounts]:
        """Yield the counts of all chunks that were handed out."""
        while self._pending:
            yield from self._finished()

    def _finished(self) -> Iterator[TableCounts]:
        done, self._pending = wait(self._pending, return_when=FIRST_COMPLETED)
        for one in done:
            yield _answered(one.result)


@contextmanager
def scorers(work: Work, processes: int) -> Iterator[Scorers]:
    """Run processes for the duration of the block; chunks that none has begun are dropped then."""
    if processes == 1:
        yield Alone(work)
        return
    executor = ProcessPoolExecutor(processes, SPAWN, _begin, (work,))
    try:
        yield Pool(executor, processes)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _answered(ask: Callable[[], Answered]) -> Answered:
    """Return what processes answer."""
    try:
        return ask()
    except BrokenProcessPool as error:
        raise DataError("a process that scores ended: start again, to go on") from error


class _Process:
    """What a process of the pool is for, and what it has opened for it."""

    work: ClassVar[Work]

    @staticmethod
    @cache
    def scorer() -> Scorer:
        """Open the bundle, once."""
        return opened_scorer(_Process.work)

    @staticmethod
    @cache
    def chunks() -> ChunkScorer:
        """Build what scores chunks, once."""
        return _chunk_scorer(_Process.work, _Process.scorer())


def _begin(work: Work) -> None:
    """Prepare a process: it ends with the one that started it, which alone is interrupted."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Process.work = work
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def opened_scorer(work: Work) -> Scorer:
    """Open the bundle."""
    return Scorer(*work.opening.opened())


def _chunk_scorer(work: Work, scorer: Scorer) -> ChunkScorer:
    reader = work.table.reader(scorer.bundle.signature)
    return ChunkScorer(scorer, reader, work.folder, work.answers)


def _fingerprint() -> str:
    return _Process.scorer().bundle.environment.fingerprint


def _score(chunk: Chunk) -> TableCounts:
    return _Process.chunks().score(chunk)
