"""Where batches are computed: in a thread of this process, or wherever else."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from app.serving.jobs import Engine, Job, results


class Compute(Protocol):
    """Computes one batch at a time, elsewhere than on the event loop."""

    def submit(self, jobs: Sequence[Job]) -> "asyncio.Future[list[Any]]":
        """Begin a batch; its results come in the jobs' order. Called on the event loop."""

    def close(self) -> None:
        """Let the batch in flight finish, and end."""


class Thread:
    """Computes in one thread of this process, which takes turns with the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dubito-engine")

    def submit(self, jobs: Sequence[Job]) -> "asyncio.Future[list[Any]]":
        """Begin a batch."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, results, self._engine, jobs)

    def close(self) -> None:
        """Let the batch in flight finish, and end the thread."""
        self._thread.shutdown()
