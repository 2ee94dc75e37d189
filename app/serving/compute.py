"""Where batches are computed: at hand, in a thread of this process, or wherever else."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from app.serving.jobs import Engine, Job, results, work_of


class Compute(Protocol):
    """Computes one batch at a time; what takes long, elsewhere than on the event loop."""

    def submit(self, jobs: Sequence[Job]) -> "asyncio.Future[list[Any]]":
        """Begin a batch; its results come in the jobs' order. Called on the event loop."""

    @property
    def trouble(self) -> str | None:
        """Why no batch would be computed now, in a sentence, as far as is known at once."""

    def close(self) -> None:
        """Let the batch in flight finish, and end."""


class Nearby:
    """Computes a small job that is alone on the event loop itself, and hands on all others."""

    def __init__(self, engine: Engine, beyond: Compute, most: int) -> None:
        """Take an engine at hand, what computes all else, and what work (rows × passes) is small.

        Both must give the same answers, to the last bit.
        """
        self._engine = engine
        self._beyond = beyond
        self._most = most
        self._alone = True

    def submit(self, jobs: Sequence[Job]) -> "asyncio.Future[list[Any]]":
        """Begin a batch, or have done with it."""
        # Where others come at the same time, the next will, and they go on meanwhile.
        was_alone, self._alone = self._alone, len(jobs) == 1
        if not (was_alone and self._alone) or work_of(jobs[0]) > self._most:
            return self._beyond.submit(jobs)
        future = asyncio.get_running_loop().create_future()
        try:
            future.set_result(results(self._engine, jobs))
        except Exception as error:  # noqa: BLE001 - it is raised where the results are awaited
            future.set_exception(error)
        return future

    @property
    def trouble(self) -> str | None:
        """Why most batches would not be computed now."""
        return self._beyond.trouble

    def close(self) -> None:
        """Let the batch in flight finish, and end."""
        self._beyond.close()


class Thread:
    """Computes in one thread of this process, which takes turns with the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dubito-engine")

    def submit(self, jobs: Sequence[Job]) -> "asyncio.Future[list[Any]]":
        """Begin a batch."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, results, self._engine, jobs)

    @property
    def trouble(self) -> str | None:
        """None: a thread lives as long as its process."""
        return None

    def close(self) -> None:
        """Let the batch in flight finish, and end the thread."""
        self._thread.shutdown()
