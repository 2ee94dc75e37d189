"""Runs several worker processes on one port: starts, replaces crashed ones, stops them in order."""

import logging
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from multiprocessing.connection import wait
from typing import Any

from app.errors import SettingsError, StartError
from app.model_source import ModelSource, of_role
from app.monitoring.multiprocess_dir import Shared, remove_worker
from app.processes.channel import EXIT_SECONDS
from app.processes.engine_messages import CannotStart
from app.processes.port import ANSWER_SECONDS, Started
from app.processes.worker_messages import EndAsked, Serving
from app.server.rollout import Rollout
from app.server.worker import Worker, begin
from app.settings import Settings
from app.watched_folder import WATCH_SECONDS, WatchedFolder
from dubito.cli.signals import CLOSED_SECONDS, Terminal, ending, reloading

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Shortest and longest pause before a crashed worker is replaced, seconds; each crash doubles the
pause, a successful start resets it."""
LOOK_SECONDS = 5.0
"""Seconds between two checks whether the workers' metrics folder still exists."""
SIGNALS = 64
"""Signals that are read at a time."""

log = logging.getLogger("dubito")


def supervise(
    settings: Settings,
    sources: Sequence[ModelSource],
    opened: socket.socket,
    started: Started,
) -> None:
    """Serve with the configured number of workers until SIGINT or SIGTERM.

    Args:
        settings: the settings.
        sources: the bundles of the models.
        opened: the bound socket.
        started: called with the bundles once the first worker serves.

    Raises:
        StartError: no worker could start; the sentence is the worker's own.
        SettingsError: several workers cannot write the configured records, or cannot share metrics.
    """
    _check_records(settings)
    with closing(Shared(settings.state)) as counts, _signals() as woken:
        Supervisor(settings, sources, opened, counts, started).run(woken)


def _check_records(settings: Settings) -> None:
    """Reject settings with which several processes would write one file.

    Raises:
        SettingsError: the records are in a file.
    """
    if settings.records == "off":
        return
    # Importing the records takes time that a service without them does not need to spend.
    from app.records.address import DATABASES, database_at, url_of

    database = database_at(url_of(settings.records_url, settings.state))
    if not database.is_shared:
        shared = " or ".join(kind.title for kind in DATABASES if kind.is_shared)
        raise SettingsError(
            f"several workers cannot write one {database.title} file: name a {shared} database in "
            "DUBITO_RECORDS_URL, or set DUBITO_RECORDS to off"
        )


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Yield a socket from which the numbers of signals can be read, a byte each."""
    woken, waking = socket.socketpair()
    waking.settimeout(0)
    numbers = [*ending(), *reloading()]
    handlers = [signal.signal(number, lambda *_: None) for number in numbers]
    before = signal.set_wakeup_fd(waking.fileno())
    try:
        yield woken
    finally:
        signal.set_wakeup_fd(before)
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
        woken.close()
        waking.close()


class Supervisor:
    """Manages the workers of one service."""

    def __init__(
        self,
        settings: Settings,
        sources: Sequence[ModelSource],
        opened: socket.socket,
        counts: Shared,
        started: Started,
    ) -> None:
        """Take what the workers share, and what is called once the first of them serves.

        Args:
            settings: the settings.
            sources: the bundles of the models.
            opened: the bound socket.
            counts: the metrics folder that all workers share.
            started: called with the bundles once the first worker serves.
        """
        self._started = started
        self._settings = settings
        self._rollout = Rollout(settings, sources)
        versions = {
            one.settings.model: one.settings.version or 0
            for one in of_role(sources, "served")
            if one.fault is None
        }
        self._watched = WatchedFolder(settings, versions) if settings.watch else None
        self._look_due = 0.0
        self._terminal = Terminal()
        self._opened = opened
        self._counts = counts
        self._workers: list[Worker] = []
        self._due: list[float] = []
        self._up: list[Worker] = []
        """Workers that serve."""
        self._blind: list[Worker] = []
        """Workers that write metrics to a folder that was removed."""
        self._pause = FIRST_PAUSE
        self._serving = False

    def run(self, woken: socket.socket) -> None:
        """Run the workers until a signal ends the service.

        Args:
            woken: socket on which the numbers of signals arrive.

        Raises:
            StartError: no worker could start.
        """
        self._workers = [self._begun() for _ in range(self._settings.workers)]
        try:
            while not (woken in (events := self._events(woken)) and self._is_ending(woken)):
                for worker in list(self._workers):
                    if worker.line in events:
                        self._hear(worker)
                self._restore()
                self._follow()
                # One that cannot start must not keep the others from what would cure it.
                if self._up and len(self._up) == len(self._workers):
                    self._rollout.proceed(self._up)
                if not self._rollout.is_preparing:
                    self._replace()
        finally:
            self._end()

    def _begun(self) -> Worker:
        rollout = self._rollout
        return begin(self._settings, rollout.sources, self._opened, rollout.generation)

    def _is_ending(self, woken: socket.socket) -> bool:
        """Read the signals; whether one ends the service. SIGHUP loads all models anew."""
        numbers = set(woken.recv(SIGNALS))
        if numbers.isdisjoint(reloading()):
            return True
        time.sleep(CLOSED_SECONDS)
        if self._terminal.is_gone():
            return True
        self._rollout.want()
        return not numbers.isdisjoint(ending())

    def _follow(self) -> None:
        """Load the models whose bundle is another one now, if the folder is watched."""
        now = time.monotonic()
        if self._watched is not None and now >= self._look_due:
            self._look_due = now + WATCH_SECONDS
            if names := list(self._watched.changed()):
                self._rollout.want(*names)

    def _events(self, woken: socket.socket) -> list[Any]:
        now = time.monotonic()
        seconds = LOOK_SECONDS if self._watched is None else WATCH_SECONDS
        waiting = [] if self._rollout.is_preparing else self._due
        due = min([*waiting, now + seconds])
        lines: list[Any] = [woken, *self._rollout.lines]
        lines += [worker.line for worker in self._workers]
        return wait(lines, max(0.0, due - now))

    def _hear(self, worker: Worker) -> None:
        """Process a worker's message, or notice that the worker has ended."""
        try:
            said = worker.line.recv()
        except (EOFError, OSError):
            self._ended(worker, None)
            return
        if isinstance(said, CannotStart):
            self._ended(worker, said.sentence)
            return
        if isinstance(said, EndAsked):
            self._rollout.end_canary(said, worker, self._workers)
            return
        if not isinstance(said, Serving):
            self._rollout.hear(worker, said)
            return
        self._pause = FIRST_PAUSE
        if not self._serving:
            self._started(said.identities)
        self._serving = True
        self._up.append(worker)
        log.info("worker %d serves", worker.process.pid)

    def _ended(self, worker: Worker, sentence: str | None) -> None:
        """Schedule a worker's replacement; if no worker ever served, the start has failed."""
        for several in (self._workers, self._up, self._blind):
            if worker in several:
                several.remove(worker)
        self._rollout.lose(worker)
        worker.line.close()
        worker.process.join()
        remove_worker(worker.process.pid)
        told = sentence or f"a worker ended with code {worker.process.exitcode}"
        if not self._serving:
            raise StartError(told)
        log.error("%s; a replacement starts in %g s", told, self._pause)
        self._due.append(time.monotonic() + self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _replace(self) -> None:
        now = time.monotonic()
        for due in [due for due in self._due if due <= now]:
            self._due.remove(due)
            self._workers.append(self._begun())

    def _restore(self) -> None:
        """Recreate the metrics folder if it was removed, and replace the workers one by one."""
        try:
            was_removed = self._counts.restore()
        except OSError as error:
            log.error("the workers' counts cannot be stored: %s", error.strerror)  # noqa: TRY400
            return
        if was_removed:
            log.error("the workers' counts were removed: counts and workers start again")
            self._blind = list(self._workers)
        if self._blind and len(self._up) == self._settings.workers:
            worker = self._blind.pop()
            # The next worker follows once this one's replacement serves.
            self._up.remove(worker)
            worker.process.terminate()

    def _end(self) -> None:
        """Stop all workers; kill those that exceed the time of an orderly end."""
        self._rollout.end()
        for worker in self._workers:
            worker.process.terminate()
        end = time.monotonic() + self._settings.drain_seconds + ANSWER_SECONDS + EXIT_SECONDS
        for worker in self._workers:
            worker.process.join(max(0.0, end - time.monotonic()))
            if worker.process.is_alive():
                log.error("worker %d did not stop in time", worker.process.pid)
                worker.process.kill()
                worker.process.join()
            worker.line.close()
