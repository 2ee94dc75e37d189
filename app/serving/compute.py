"""Executors of batches: on the event loop, in a thread, or in another process."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from app.serving.jobs import Job, JobEngine, results, work_of
from dubito.engine.program import Program


class Compute(Protocol):
    """Computes one batch at a time; long computations run outside the event loop's thread."""

    def submit(self, jobs: Sequence[Job]) -> "asyncio.Future[list[Any]]":
        """Start a batch; its results are in the jobs' order. Must be called on the event loop."""

    @property
    def trouble(self) -> str | None:
        """Sentence on why no batch can be computed now, as known without waiting; or None."""

    def at_once(self, job: Job) -> Any:
        """Compute a small job on the event loop; None for one that takes too long for that."""

    def together(self, jobs: Sequence[Job]) -> list[Any] | None:
        """Compute a batch on the event loop; None if it would keep others waiting."""

    @property
    def near(self) -> int:
        """Maximum work of a batch that is computed on the event loop, rows × passes."""

    def close(self) -> None:
        """Start no other batch; one that runs may finish."""


NUMBERS, MULTIPLICATIONS = 1 << 15, 1 << 20
"""Largest lone batch, in numbers produced and multiplications, that is computed on the event loop:
about as long as handing it over to another thread or process takes."""


PROBE = 16
"""Number of jobs computed at once before one is handed over, to see whether others come."""


class Nearby:
    """Computes a small job that is alone on the event loop, and forwards all batches.

    Whether jobs are alone shows only while one is computed elsewhere: now and then one is handed
    over, and if others have come until it is done, so are all that follow, until one is alone.
    """

    def __init__(self, engine: JobEngine, beyond: Compute, most: int, several: int = 0) -> None:
        """Keep a local engine, and the executor of all batches.

        Both must give the same results, to the last bit.

        Args:
            engine: engine in this process.
            beyond: executor of all batches.
            most: maximum work of a small job that is alone, rows × passes.
            several: maximum work of a batch of several jobs, rows × passes: 0 if a job takes
                longer than its share of handing a batch over.
        """
        self._engine = engine
        self._beyond = beyond
        self._most = most
        self._several = several
        self._alone = True
        self._lone = 0

    @classmethod
    def of(cls, engine: JobEngine, programs: Sequence[Program], beyond: Compute) -> "Nearby":
        """Choose the maximum work by the programs whose passes the engine runs in turn."""
        light = min(program.light(NUMBERS, MULTIPLICATIONS) for program in programs)
        return cls(engine, beyond, light)

    @property
    def near(self) -> int:
        """Maximum work of a batch that is computed on the event loop, rows × passes."""
        return self._several

    def submit(self, jobs: Sequence[Job]) -> "asyncio.Future[list[Any]]":
        """Start a batch."""
        # If several jobs arrive together, the next ones probably will too; the event loop stays
        # free for them while they are computed elsewhere.
        self._alone, self._lone = len(jobs) == 1, 0
        return self._beyond.submit(jobs)

    def at_once(self, job: Job) -> Any:
        """Compute a small job that is alone; None for another one."""
        if not self._alone or self._lone >= PROBE or work_of(job) > self._most:
            return None
        self._lone += 1
        return results(self._engine, [job])[0]

    def together(self, jobs: Sequence[Job]) -> list[Any] | None:
        """Compute a batch of small jobs; None for another one."""
        if sum(map(work_of, jobs)) > self._several:
            return None
        self._alone, self._lone = len(jobs) == 1, 0
        return results(self._engine, jobs)

    @property
    def trouble(self) -> str | None:
        """Reason why most batches cannot be computed now, or None."""
        return self._beyond.trouble

    def close(self) -> None:
        """Close the executor of all batches."""
        self._beyond.close()


class ComputeThread:
    """Computes in one thread of this process, which shares the interpreter with the event loop."""

    def __init__(self, engine: JobEngine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="dubito-engine")

    def submit(self, jobs: Sequence[Job]) -> "asyncio.Future[list[Any]]":
        """Start a batch in the thread."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, results, self._engine, jobs)

    def at_once(self, job: Job) -> None:
        """Compute nothing on the event loop."""

    def together(self, jobs: Sequence[Job]) -> None:
        """Compute nothing on the event loop."""

    @property
    def near(self) -> int:
        """0: nothing is computed on the event loop."""
        return 0

    @property
    def trouble(self) -> str | None:
        """None: a thread lives as long as its process."""
        return None

    def close(self) -> None:
        """Let the running batch finish, and the thread with it."""
        self._thread.shutdown(wait=False)
