"""Replaces a bundle in all workers: the supervisor's side."""

import logging
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from multiprocessing.connection import wait
from typing import Any

from app.model_source import ModelSource, of_role
from app.processes.channel import receive, send
from app.processes.engine_messages import CannotStart, Checked
from app.processes.logs import tell_swap
from app.processes.subprocesses import Child, child
from app.processes.worker_messages import (
    BundlePrepared,
    CanaryEnded,
    Discard,
    Done,
    EndAsked,
    EndCanary,
    LoadAsked,
    Prepare,
    TakeOver,
    TookOver,
)
from app.server.worker import Worker
from app.settings import Settings
from dubito.types import Identity

log = logging.getLogger("dubito")


@dataclass(frozen=True, slots=True)
class _Wish:
    """A model that is to be loaded anew, and who waits for it."""

    name: str
    asker: Worker | None = None
    ticket: int = 0
    is_last: bool = False
    """Whether it is not tried again if a worker ends meanwhile."""


@dataclass(slots=True, eq=False)
class _Swap:
    """A bundle that is about to take over."""

    wish: _Wish
    attempt: int
    settings: Settings
    """Name, version, digest and backend of the bundle."""
    workers: list[Worker]
    due: list[Worker] = field(default_factory=list)
    """Workers whose message is awaited."""
    is_prepared: bool = False
    """Whether all workers can serve the bundle, so that no fault can end the swap any more."""


@dataclass(slots=True, eq=False)
class _Check:
    """A bundle that a process checks, before workers open it."""

    wish: _Wish
    checker: Child
    stack: ExitStack
    """Ends the process."""

    def heard(self) -> Checked | CannotStart:
        """Return what the process has found, and end it."""
        try:
            found: Checked | CannotStart = receive(self.checker.line)
        except (EOFError, OSError):
            found = CannotStart("the process that checks the bundle has ended")
        self.end()
        return found

    def end(self) -> None:
        """End the process."""
        # It has said all, and by itself a process of low priority ends late.
        self.checker.process.kill()
        self.stack.close()


@dataclass(slots=True, eq=False)
class _Ending:
    """The end of a canary."""

    wish: _Wish
    due: list[Worker]
    """Workers that have not ended it."""


class Rollout:
    """Has all workers replace a bundle, one bundle after another.

    A swap begins only while none is starting, and one that starts later opens `sources`. So all
    workers have the same bundles, but for the moment in which they take over.
    """

    def __init__(self, settings: Settings, sources: Sequence[ModelSource]) -> None:
        """Set the settings, which name the models, and the bundles that workers start with."""
        self._wanted = {one.model: one for one in settings.for_each_model()}
        self.sources = list(sources)
        """The bundles that a new worker opens."""
        self.generation = 0
        """Number of bundles that all workers have replaced."""
        self._wishes = deque[_Wish]()
        self._check: _Check | None = None
        self._swap: _Swap | None = None
        self._endings: list[_Ending] = []
        self._attempts = count(1)

    def want(self, *names: str) -> None:
        """Load models anew, by default all, once no worker is starting."""
        self._wishes.extend(_Wish(name) for name in names or self._wanted)

    def hear(self, worker: Worker, message: Any) -> None:
        """Process a worker's message about a swap."""
        swap = self._swap
        if isinstance(message, LoadAsked):
            self._wishes.append(_Wish(message.name, worker, message.ticket))
        elif isinstance(message, CanaryEnded):
            self._end(worker, message.name)
        elif swap is None or worker not in swap.due:
            return
        elif isinstance(message, BundlePrepared | TookOver) and message.attempt == swap.attempt:
            if isinstance(message, BundlePrepared) and message.fault is not None:
                self._give_up(swap, message.fault)
                return
            if isinstance(message, TookOver) and message.has_ended_canary:
                self._forget_canary(swap.wish.name)
            swap.due.remove(worker)
            self._go_on(swap)

    def end_canary(self, asked: EndAsked, asker: Worker, everyone: Sequence[Worker]) -> None:
        """Have all workers end a canary, also those that are starting."""
        self._forget_canary(asked.name)
        for worker in everyone:
            _tell(worker, EndCanary(asked.name))
        wish = _Wish(asked.name, asker, asked.ticket)
        self._endings.append(_Ending(wish, list(everyone)))

    def _forget_canary(self, name: str) -> None:
        """Have workers that start later open no canary of a model."""
        canary = ("canary", name)
        self.sources = [one for one in self.sources if (one.role, one.settings.model) != canary]

    @property
    def is_preparing(self) -> bool:
        """Whether a worker that starts now would open what is about to be replaced."""
        return self._swap is not None and not self._swap.is_prepared

    def end(self) -> None:
        """Answer all who wait: the service ends."""
        fault = "the service is stopping"
        if self._check is not None:
            self._wishes.append(self._check.wish)
            self._check.end()
        if self._swap is not None:
            self._wishes.append(self._swap.wish)
        for wish in [*self._wishes, *(ending.wish for ending in self._endings)]:
            _answer(wish, fault)

    def _end(self, worker: Worker, name: str | None) -> None:
        """Take note that a worker has ended the canary of a model, or of all as it is gone."""
        for ending in list(self._endings):
            if worker in ending.due and name in (None, ending.wish.name):
                ending.due.remove(worker)
                if not ending.due:
                    self._endings.remove(ending)
                    _answer(ending.wish, None)

    def lose(self, worker: Worker) -> None:
        """Take note that a worker has ended."""
        self._end(worker, None)
        swap = self._swap
        if swap is None or worker not in swap.workers:
            return
        swap.workers.remove(worker)
        if not swap.is_prepared and swap.wish.asker is None and not swap.wish.is_last:
            # Nobody would ask again, and the bundle may be innocent.
            self._wishes.appendleft(replace(swap.wish, is_last=True))
            self._discard(swap)
        elif not swap.is_prepared:
            self._give_up(swap, "a worker ended while it loaded the bundle")
        elif worker in swap.due:
            # The worker that replaces it opens the new bundle.
            swap.due.remove(worker)
            self._go_on(swap)

    @property
    def lines(self) -> list[socket.socket]:
        """Sockets on which something about a swap will arrive."""
        return [] if self._check is None else [self._check.checker.line]

    def proceed(self, workers: Sequence[Worker]) -> None:
        """Begin the next swap if there is one, with all workers, every one of which serves."""
        while self._swap is None:
            if self._check is None and self._wishes:
                self._check = self._begun(self._wishes.popleft())
            if self._check is None or not wait([self._check.checker.line], 0):
                return
            (found, wish), self._check = (self._check.heard(), self._check.wish), None
            if isinstance(found, CannotStart):
                _refuse(wish, found.sentence)
            elif found.settings.digest == self._source(wish.name).settings.digest:
                _answer(wish, None)
            else:
                self._swap = swap = _Swap(wish, next(self._attempts), found.settings, list(workers))
                self._send(swap, Prepare(swap.attempt, found.settings, found.contents))

    def _begun(self, wish: _Wish) -> _Check:
        """Have a process check the bundle that the settings name."""
        stack = ExitStack()
        checker = stack.enter_context(child("check"))
        with suppress(OSError):
            send(checker.line, self._wanted[wish.name])
        return _Check(wish, checker, stack)

    def _source(self, name: str) -> ModelSource:
        served = of_role(self.sources, "served")
        return next(one for one in served if one.settings.model == name)

    def _send(self, swap: _Swap, message: Any) -> None:
        """Send a message to all workers, each of which answers it."""
        swap.due = list(swap.workers)
        for worker in swap.workers:
            _tell(worker, message)

    def _go_on(self, swap: _Swap) -> None:
        """Begin the next step of a swap once no worker is awaited."""
        if swap.due:
            return
        settings = swap.settings
        if not swap.is_prepared:
            swap.is_prepared = True
            self.generation += 1
            at = self.sources.index(self._source(swap.wish.name))
            self.sources[at] = ModelSource(settings)
            self._send(swap, TakeOver(swap.attempt, self.generation))
        if not swap.due:
            self._swap = None
            _answer(swap.wish, None)
            digest = settings.digest or ""
            tell_swap(self.generation, Identity(settings.model, settings.version or 0, digest))

    def _give_up(self, swap: _Swap, fault: str) -> None:
        """End a swap that one worker cannot make; all others go on with what they serve."""
        self._discard(swap)
        _refuse(swap.wish, fault)

    def _discard(self, swap: _Swap) -> None:
        self._swap = None
        for worker in swap.workers:
            _tell(worker, Discard(swap.attempt))


def _refuse(wish: _Wish, fault: str) -> None:
    log.warning("%s is not replaced: %s", wish.name, fault)
    _answer(wish, fault)


def _answer(wish: _Wish, fault: str | None) -> None:
    if wish.asker is not None:
        _tell(wish.asker, Done(wish.ticket, fault))


def _tell(worker: Worker, message: Any) -> None:
    # A worker that has just ended is noticed by the end of its line.
    with suppress(OSError):
        worker.line.send(message)
