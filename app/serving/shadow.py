"""A shadow: a version that computes what another one has answered, so that both are compared.

It computes after the answers have left, with the same rows, seeds and passes. The masks of dropout
are then the same, and a difference is the network's, not the noise's.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from app.serving.comparison import Comparison, Place, compare
from app.serving.predictor import BATCH_WORK, Predictor
from dubito.prediction import JudgedRows, MonteCarloPrediction
from dubito.types import AnyCalibration, Query
from dubito.uncertainty.policy import PolicyOptions

PAUSE = 0.02
"""Seconds after an answer within which it leaves, and others gather to be compared with it."""
REST = 4.0
"""Seconds of rest for each second of comparing: of a busy processor a fifth."""
MOST_ROWS = 256
"""Most rows that are compared at once."""
MOST_WAITING = 16_384
"""Most rows that may wait; further ones are not compared."""


class Compared(NamedTuple):
    """Rows of answers that were compared, and what the candidate computed."""

    comparison: Comparison
    places: Sequence[Place]
    ids: Sequence[str]
    """`N` identifiers of the answers."""
    candidate: JudgedRows


@dataclass(frozen=True, slots=True, eq=False)
class Follower:
    """Compares what one bundle answers with what the shadow computes."""

    shadow: "Shadow"
    note: Callable[[Compared], None]
    """Called with what was compared."""
    skip: Callable[[int], None]
    """Called with the number of rows that are not, for want of time or because the shadow cannot
    be asked for the same."""

    def offer(
        self, prediction: MonteCarloPrediction, ids: Sequence[str], options: PolicyOptions | None
    ) -> None:
        """Compare the answers of a request soon, unless too many wait.

        Args:
            prediction: what was answered.
            ids: `N` identifiers of the answers.
            options: requested set or interval and decision.
        """
        self.shadow.offer(self, prediction, ids, options)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows of an answered request, of one number of passes."""

    follower: Follower
    prediction: MonteCarloPrediction
    rows: slice
    ids: Sequence[str]
    passes: int
    options: PolicyOptions | None

    @property
    def key(self) -> Hashable:
        return id(self.follower), self.options, self.passes

    @property
    def query(self) -> Query:
        query = self.prediction.query
        return Query(query.features[self.rows], self.passes, query.seed)

    @property
    def place(self) -> Place:
        start = self.prediction.start
        return self.prediction, slice(start + self.rows.start, start + self.rows.stop)


class Shadow:
    """Computes in the background what was answered."""

    def __init__(
        self,
        candidate: Predictor,
        members: int,
        calibration: AnyCalibration | None,
        share: float,
    ) -> None:
        """Set the candidate.

        Args:
            candidate: computes its predictions, and no others.
            members: networks of its bundle, of whose number passes are a multiple.
            calibration: its calibration, if it has one.
            share: part of the requests that are compared.
        """
        self._candidate = candidate
        self._members = members
        self._calibration = calibration
        self.share = share
        """Part of the requests that are compared."""
        self._is_over = False
        self._waiting = deque[_Piece]()
        self._rows = 0
        self._awake = asyncio.Event()

    def offer(
        self,
        follower: Follower,
        prediction: MonteCarloPrediction,
        ids: Sequence[str],
        options: PolicyOptions | None,
    ) -> None:
        """Compare the answers of a request soon, see `Follower.offer`."""
        if self._is_over or (self.share < 1 and random.random() >= self.share):  # noqa: S311 - a sample
            return
        if self._rows + len(ids) > MOST_WAITING:
            follower.skip(len(ids))
            return
        for piece in _pieces(follower, prediction, ids, options):
            if piece.passes % self._members or not self._knows(options):
                follower.skip(len(piece.ids))
                continue
            self._waiting.append(piece)
            self._rows += len(piece.ids)
        self._awake.set()

    async def run(self) -> None:
        """Compare what was offered, until cancelled; after a failure nothing is compared."""
        try:
            await self._run()
        finally:
            self._is_over = True
            self._waiting.clear()

    async def _run(self) -> None:
        while True:
            await self._awake.wait()
            await asyncio.sleep(PAUSE)
            self._awake.clear()
            while self._waiting:
                start = time.perf_counter()
                await self._compare(self._taken())
                await asyncio.sleep(REST * (time.perf_counter() - start))

    def _knows(self, options: PolicyOptions | None) -> bool:
        """Whether the candidate can be asked for the same set or interval and decision."""
        calibration = self._calibration
        if options is None or calibration is None:
            return True
        targets = {one.target for one in calibration.policy.promises}
        return options.method in calibration.scores and options.target in targets

    def _taken(self) -> list[_Piece]:
        """Take pieces with the options and passes of the first, the other ones wait."""
        first = self._waiting[0]
        most = min(MOST_ROWS, max(1, BATCH_WORK // first.passes))
        taken, left, rows = list[_Piece](), deque[_Piece](), 0
        while self._waiting and rows < most:
            piece = self._waiting.popleft()
            if piece.key == first.key:
                taken.append(piece)
                rows += len(piece.ids)
            else:
                left.append(piece)
        self._waiting.extendleft(reversed(left))
        self._rows -= rows
        return taken

    async def _compare(self, pieces: Sequence[_Piece]) -> None:
        queries, options, follower = (
            [one.query for one in pieces],
            pieces[0].options,
            pieces[0].follower,
        )
        judged = await self._candidate.judged(queries, options)
        ids = [one for piece in pieces for one in piece.ids]
        if judged is None:
            follower.skip(len(ids))
            return
        places = [piece.place for piece in pieces]
        comparison = await asyncio.to_thread(compare, places, judged)
        follower.note(Compared(comparison, places, ids, judged))


def _pieces(
    follower: Follower,
    prediction: MonteCarloPrediction,
    ids: Sequence[str],
    options: PolicyOptions | None,
) -> Iterator[_Piece]:
    """Divide an answered request into pieces of one number of passes, none too large."""
    start = 0
    for passes, rows in _runs(prediction):
        most = min(MOST_ROWS, max(1, BATCH_WORK // passes))
        for first in range(start, start + rows, most):
            part = slice(first, min(first + most, start + rows))
            yield _Piece(follower, prediction, part, ids[part], passes, options)
        start += rows


def _runs(prediction: MonteCarloPrediction) -> Iterator[tuple[int, int]]:
    """Yield the passes of neighbouring rows that have the same number, and how many these are."""
    if prediction.tolerance is None:
        yield prediction.query.passes, len(prediction.query.features)
        return
    passes = prediction.judged.estimate.passes[prediction.own]
    edges = [0, *(np.flatnonzero(np.diff(passes)) + 1).tolist(), len(passes)]
    for start, stop in pairwise(edges):
        yield int(passes[start]), stop - start
