"""A shadow: a version that computes what another one has answered, so that both are compared.

It computes after the answers have left, with the same rows, seeds and passes. The masks of dropout
are then the same, and a difference is the network's, not the noise's.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
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
MOST_NUMBERS = 1 << 23
"""Most numbers of the rows that may wait, 64 MiB: a tensor has many."""
COMPUTE_SECONDS = 60.0
"""Seconds after which a candidate that computes a batch is stuck."""


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
        """What pieces have in common that are computed and judged together."""
        return id(self.follower), self.options, self.passes

    @property
    def numbers(self) -> int:
        width: int = self.prediction.query.features.shape[1]
        return len(self.ids) * width

    @property
    def has_enough(self) -> bool:
        """Whether the answers had as many passes as their bundle's calibration."""
        judgement = self.prediction.judged.judgement
        return judgement is not None and judgement.enough[self.place[1].start]

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
        self._waiting: dict[Hashable, deque[_Piece]] = {}
        """Pieces that are computed and judged together, by their key; the first are next."""
        self._rows = self._numbers = 0
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
        if prediction.draws is not None:
            # They are many, and not compared.
            prediction = replace(prediction, draws=None)
        for piece in _pieces(follower, prediction, ids, options):
            if self._is_full(piece) or not self._can_compute(piece):
                follower.skip(len(piece.ids))
                continue
            self._waiting.setdefault(piece.key, deque()).append(piece)
            self._rows += len(piece.ids)
            self._numbers += piece.numbers
        self._awake.set()

    def _is_full(self, piece: _Piece) -> bool:
        rows, numbers = self._rows + len(piece.ids), self._numbers + piece.numbers
        return rows > MOST_WAITING or numbers > MOST_NUMBERS

    def _can_compute(self, piece: _Piece) -> bool:
        """Whether the candidate can be asked for the same.

        A candidate whose calibration needs more passes would refer every row, and that difference
        would not be the network's.
        """
        if piece.passes % self._members or not self._knows(piece.options):
            return False
        calibration = self._calibration
        is_short = calibration is not None and piece.passes < calibration.passes
        return not (is_short and piece.has_enough)

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
                # One key after another, so that none waits for ever.
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
        """Take pieces of one key; the rest of them are behind those of all others."""
        key = next(iter(self._waiting))
        alike = self._waiting.pop(key)
        most = min(MOST_ROWS, max(1, BATCH_WORK // alike[0].passes))
        taken, rows = list[_Piece](), 0
        while alike and rows < most:
            piece = alike.popleft()
            taken.append(piece)
            rows += len(piece.ids)
            self._numbers -= piece.numbers
        if alike:
            self._waiting[key] = alike
        self._rows -= rows
        return taken

    async def _compare(self, pieces: Sequence[_Piece]) -> None:
        queries, options, follower = (
            [one.query for one in pieces],
            pieces[0].options,
            pieces[0].follower,
        )
        async with asyncio.timeout(COMPUTE_SECONDS):
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
