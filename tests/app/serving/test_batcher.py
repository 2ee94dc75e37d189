"""The batcher: what waits is gathered while one batch computes, and nothing is crossed."""

import asyncio
import itertools
import math
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from app.errors import Abandoned, DeadlinePassed, DeadlineUnmeetable, Overloaded
from app.serving.batcher import LONGEST_RETRY, Batcher, Handling
from app.serving.caller import Caller
from app.serving.fair_queue import FairQueue, Turn
from app.serving.limits import BatchLimits

Squares = Batcher[int, int]
PATIENCE = 5
UNLUCKY = -1


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as thread:
        yield thread


class Worker:
    """Squares numbers when it is let; remembers the batches it was given."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self.begun = threading.Event()
        self.let = threading.Event()
        self.let.set()

    def __call__(self, jobs: Sequence[int]) -> list[int]:
        self.batches.append(list(jobs))
        self.threads.add(threading.get_ident())
        self.begun.set()
        assert self.let.wait(PATIENCE)
        if UNLUCKY in jobs:
            raise ArithmeticError
        return [job * job for job in jobs]


@pytest.fixture
def worker() -> Worker:
    return Worker()


def batcher(
    worker: Callable[[Sequence[int]], Sequence[int]],
    thread: ThreadPoolExecutor,
    *,
    batch: int = 100,
    queue: int = 1000,
    most_of_a_slice: float = math.inf,
    work: Callable[[int], int] = lambda job: 1,
    turn: Turn | None = None,
) -> Squares:
    def elsewhere(jobs: Sequence[int]) -> "asyncio.Future[Sequence[int]]":
        return asyncio.get_running_loop().run_in_executor(thread, worker, jobs)

    limits = BatchLimits(batch, queue, slice=most_of_a_slice)
    return Squares(elsewhere, Handling(work, cut, joined), limits, turn=turn)


def cut(job: int, most: int) -> tuple[int, int | None]:
    return min(job, most), job - most if job > most else None


def joined(job: int, parts: list[int]) -> int:
    return sum(parts)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


async def waiting(batcher: Squares, worker: Worker, jobs: Sequence[int]) -> list[Any]:
    """The first job computes; the others wait, in order."""
    worker.begun.clear()
    worker.let.clear()
    tasks = [asyncio.create_task(batcher.submit(jobs[0]))]
    await asyncio.to_thread(worker.begun.wait, PATIENCE)
    for job in jobs[1:]:
        tasks.append(asyncio.create_task(batcher.submit(job)))
        await asyncio.sleep(0)
    return tasks


def test_a_job_alone_starts_at_once(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """Nothing waits for company: one job after the other, each is a batch."""

    async def each() -> list[int]:
        squares = batcher(worker, thread)
        return [await squares.submit(job) for job in range(200)]

    start = time.perf_counter()
    assert [job * job for job in range(200)] == run(each())
    assert [[job] for job in range(200)] == worker.batches
    assert time.perf_counter() - start < 1


def test_what_waits_is_gathered(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """While one batch computes, the next gathers all that comes, in order."""

    async def gathered() -> list[int]:
        squares = batcher(worker, thread)
        # By now it is known that all of it is soon done.
        await asyncio.gather(*(squares.submit(0) for _ in range(200)))
        tasks = await waiting(squares, worker, range(1, 21))
        worker.let.set()
        return list(await asyncio.gather(*tasks))

    assert [job * job for job in range(1, 21)] == run(gathered())
    assert [0] * 200 == [job for batch in worker.batches[:-2] for job in batch]
    assert [[1], list(range(2, 21))] == worker.batches[-2:]


def test_what_comes_in_one_turn_is_one_batch(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """Those who are about to ask anyway need not wait for the batch of the first."""

    async def use() -> list[int]:
        squares = batcher(worker, thread)
        return list(await asyncio.gather(*(squares.submit(job) for job in range(20))))

    assert [job * job for job in range(20)] == run(use())
    assert [list(range(20))] == worker.batches


@pytest.mark.parametrize("fails", [False, True])
def test_a_batch_may_be_computed_on_the_loop(fails: bool) -> None:
    """Without handing it over; an error is that of all its jobs, and the next is computed."""
    batches = list[Sequence[int]]()

    def together(jobs: Sequence[int]) -> list[int]:
        batches.append(jobs)
        if fails and len(jobs) > 1:
            raise ArithmeticError
        return [job * job for job in jobs]

    def elsewhere(_: Sequence[int]) -> "asyncio.Future[Sequence[int]]":
        raise AssertionError

    async def use() -> list[Any]:
        handling: Handling[int, int] = Handling(lambda _: 1, cut, joined)
        squares = Squares(elsewhere, handling, BatchLimits(8, 1000), together=together)
        asked = [asyncio.create_task(squares.submit(job)) for job in range(17)]
        return await asyncio.gather(*asked, return_exceptions=True)

    found = run(use())
    assert [8, 8, 1] == [len(batch) for batch in batches]
    assert 256 == found[16]
    wrong = [isinstance(one, ArithmeticError) for one in found[:16]]
    assert [fails] * 16 == wrong


def test_parts_of_a_job_may_be_computed_in_both_places() -> None:
    """They are joined in their order, although the last is there before the first is delivered."""
    begun = list[tuple[Sequence[int], asyncio.Future[Sequence[int]]]]()

    def elsewhere(jobs: Sequence[int]) -> "asyncio.Future[Sequence[int]]":
        begun.append((jobs, asyncio.get_running_loop().create_future()))
        return begun[-1][1]

    def together(jobs: Sequence[int]) -> list[int] | None:
        return [-job for job in jobs] if begun else None

    async def use() -> int:
        # A job is a number of parts; its result is that of each part, as digits.
        handling: Handling[int, int] = Handling(
            lambda job: job,
            lambda job, _: (1, job - 1) if job > 1 else (1, None),
            lambda _, parts: int("".join(str(abs(part)) for part in parts)),
        )
        squares = Squares(elsewhere, handling, BatchLimits(1, 1000, slice=1), together=together)
        answer = squares.put(3)
        await asyncio.sleep(0)
        begun[0][1].set_result([7])
        return await answer

    assert 711 == run(use())


def test_half_is_taken_where_all_takes_long() -> None:
    """Half of what waits and of what is being answered, so that both are always at work."""
    batches = list[tuple[Sequence[int], asyncio.Future[Sequence[int]]]]()

    def elsewhere(jobs: Sequence[int]) -> "asyncio.Future[Sequence[int]]":
        batches.append((jobs, asyncio.get_running_loop().create_future()))
        return batches[-1][1]

    async def computed() -> None:
        """The last batch is, in twenty milliseconds for each job."""
        jobs, done = batches[-1]
        await asyncio.sleep(0.02 * len(jobs))
        done.set_result([job * job for job in jobs])
        await asyncio.sleep(0)

    async def use() -> list[int]:
        handling: Handling[int, int] = Handling(lambda _: 1, cut, joined)
        squares = Squares(elsewhere, handling, BatchLimits(1000, 1000))
        asked = [squares.put(0)]
        await asyncio.sleep(0)
        asked += [squares.put(job) for job in range(1, 20)]
        for _ in range(3):
            await computed()
        asked += [squares.put(job) for job in range(20, 24)]
        await asyncio.sleep(0)
        while not all(one.done() for one in asked):
            await computed()
        return list(await asyncio.gather(*asked))

    assert [job * job for job in range(24)] == run(use())
    # (19 + 1) / 2, then (9 + 10) / 2; later half of four, and what is left.
    assert [1, 10, 9, 2, 2] == [len(jobs) for jobs, _ in batches]


def test_a_batch_is_bounded(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """A batch holds at most its work, in order; a job that is more comes alone."""
    jobs = [1, 4, 3, 3, 4, 50, 2, 8, 1, 1]

    async def bounded() -> list[int]:
        tasks = await waiting(batcher(worker, thread, batch=10, work=int), worker, jobs)
        worker.let.set()
        return list(await asyncio.gather(*tasks))

    assert [job * job for job in jobs] == run(bounded())
    assert [[1], [4, 3, 3], [4], [50], [2, 8], [1, 1]] == worker.batches


def test_the_event_loop_stays_free(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """The jobs run in the worker thread and in no other."""

    async def free() -> int:
        tasks = await waiting(batcher(worker, thread), worker, [1, 2])
        turns = 0
        for _ in range(50):
            await asyncio.sleep(0)
            turns += 1
        worker.let.set()
        await asyncio.gather(*tasks)
        return turns

    assert 50 == run(free())
    assert 1 == len(worker.threads)
    assert threading.get_ident() not in worker.threads


def test_a_failure_is_of_its_batch(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """What computes fails exactly those that wait for it; the batches before and after do not."""

    async def failing() -> list[Any]:
        squares = batcher(worker, thread, batch=3)
        tasks = await waiting(squares, worker, [1, 2, UNLUCKY, 4, 5, 6, 7, 8])
        worker.let.set()
        found = list(await asyncio.gather(*tasks, return_exceptions=True))
        return [*found, await squares.submit(9)]

    found = run(failing())
    assert [1, 25, 36, 49, 64, 81] == [one for one in found if isinstance(one, int)]
    assert ["ArithmeticError"] * 3 == [type(one).__name__ for one in found[1:4]]


@pytest.mark.parametrize("more", [-1, 1, 2])
def test_a_wrong_number_of_results_fails(thread: ThreadPoolExecutor, more: int) -> None:
    """A runner that answers too few or too many is an error for those who wait, not silence."""

    def runner(jobs: Sequence[int]) -> list[int]:
        return [0] * (len(jobs) + more * (jobs[0] in range(1, 4)))

    async def wrong() -> list[Any]:
        squares = batcher(runner, thread)
        tasks = [asyncio.create_task(squares.submit(0))]
        await asyncio.sleep(0.01)
        tasks += [asyncio.create_task(squares.submit(job)) for job in range(1, 4)]
        found = list(await asyncio.gather(*tasks, return_exceptions=True))
        return [*found, await squares.submit(9)]

    found = run(wrong())
    assert 0 == found[0] == found[4]
    assert [True] * 3 == [isinstance(one, Exception) for one in found[1:4]]


def test_a_job_whose_client_has_gone_is_not_computed(
    worker: Worker, thread: ThreadPoolExecutor
) -> None:
    """Cancelled while it waits: never handed to the runner, and no neighbour is crossed."""

    async def cancelled() -> list[Any]:
        squares = batcher(worker, thread)
        tasks = await waiting(squares, worker, [1, 2, 3, 4, 5])
        tasks[1].cancel()
        tasks[3].cancel()
        await asyncio.sleep(0)
        worker.let.set()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    found = run(cancelled())
    assert [1, 9, 25] == [one for one in found if isinstance(one, int)]
    assert [[1], [3, 5]] == worker.batches


def test_a_job_cancelled_while_it_computes_harms_nobody(
    worker: Worker, thread: ThreadPoolExecutor
) -> None:
    """Its result is thrown away; its neighbours get theirs, and the next batch starts."""

    async def cancelled() -> list[Any]:
        squares = batcher(worker, thread)
        tasks = await waiting(squares, worker, [1, 2, 3, 4])
        tasks[0].cancel()
        await asyncio.sleep(0)
        worker.let.set()
        found = list(await asyncio.gather(*tasks, return_exceptions=True))
        return [*found[1:], await squares.submit(5)]

    assert [4, 9, 16, 25] == run(cancelled())


def test_all_may_go(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """A queue of cancelled jobs alone starts nothing, and what comes later is computed."""

    async def gone() -> int:
        squares = batcher(worker, thread)
        tasks = await waiting(squares, worker, [1, 2, 3])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        worker.let.set()
        return await squares.submit(6)

    assert 36 == run(gone())
    assert [[1], [6]] == worker.batches


def test_a_full_queue_refuses(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """Beyond the queue a job is refused before any compute, with a time to come again."""

    async def full() -> tuple[list[int], Overloaded]:
        squares = batcher(worker, thread, queue=10, work=int)
        tasks = await waiting(squares, worker, [5, 6, 4])
        with pytest.raises(Overloaded) as refused:
            await squares.submit(1)
        worker.let.set()
        found = list(await asyncio.gather(*tasks))
        return [*found, await squares.submit(1)], refused.value

    found, refused = run(full())
    assert [25, 36, 16, 1] == found
    assert 1 <= refused.retry_after <= LONGEST_RETRY
    # How many jobs a batch takes goes by the time that the first one took.
    assert [5, 6, 4, 1] == [job for batch in worker.batches for job in batch]


def test_the_largest_job_finds_a_place(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """A job larger than a batch and the queue is computed when nothing waits."""

    async def large() -> list[int]:
        squares = batcher(worker, thread, batch=5, queue=10, work=int)
        tasks = await waiting(squares, worker, [1, 50])
        worker.let.set()
        return list(await asyncio.gather(*tasks))

    assert [1, 2500] == run(large())


def test_retry_after_follows_the_rate(thread: ThreadPoolExecutor) -> None:
    """The time to come again is the backlog's, at the rate of the last batch, at most a minute."""
    let = threading.Event()

    def slow(jobs: Sequence[int]) -> list[int]:
        if len(jobs) == 1 and jobs[0] == 10:
            time.sleep(0.1)
        else:
            assert let.wait(PATIENCE)
        return list(jobs)

    async def told(backlog: int) -> int:
        let.clear()
        squares = batcher(slow, thread, batch=1, queue=backlog, work=int)
        await squares.submit(10)  # ten in a tenth of a second
        tasks = [asyncio.create_task(squares.submit(1)) for _ in range(1)]
        await asyncio.sleep(0.01)
        tasks += [asyncio.create_task(squares.submit(backlog))]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            await squares.submit(1)
        let.set()
        await asyncio.gather(*tasks)
        return refused.value.retry_after

    assert 1 == run(told(20))
    assert run(told(500)) in {5, 6}
    assert LONGEST_RETRY == run(told(10**9))


def test_batchers_share_a_thread(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """Two batchers on one thread take turns; neither starves, and both stay right."""

    async def both() -> list[int]:
        one = batcher(worker, thread, batch=2)
        other = batcher(worker, thread, batch=3)
        jobs = [(one, 2), (other, 3)] * 50
        return list(await asyncio.gather(*(which.submit(job) for which, job in jobs)))

    assert [4, 9] * 50 == run(both())
    assert 1 == len(worker.threads)


@pytest.mark.parametrize("seed", range(10))
def test_results_are_never_crossed(thread: ThreadPoolExecutor, seed: int) -> None:
    """Random jobs, sizes, times, cancellations and failures: each gets its own result or none."""
    random = np.random.default_rng(seed)
    seen: list[int] = []

    def slow(jobs: Sequence[int]) -> list[int]:
        time.sleep(float(random.random()) * 1e-3)
        seen.extend(jobs)
        if any(job % 97 == 0 for job in jobs):
            raise ArithmeticError
        return [job * job for job in jobs]

    async def client(squares: Squares, job: int, delay: float, *, leaves: bool) -> Any:
        await asyncio.sleep(delay)
        try:
            async with asyncio.timeout(1e-4 if leaves else PATIENCE):
                return await squares.submit(job)
        except (TimeoutError, ArithmeticError, Overloaded) as error:
            return error

    async def many() -> list[Any]:
        squares = batcher(slow, thread, batch=40, queue=400, work=lambda job: 1 + job % 60)
        delays, leaves = random.random(400) * 0.05, random.random(400) < 0.2
        return list(
            await asyncio.gather(
                *(
                    client(squares, job, float(delays[job]), leaves=bool(leaves[job]))
                    for job in range(400)
                )
            )
        )

    found = run(many())
    assert {None} == {
        None if isinstance(one, Exception) or one == job * job else job
        for job, one in enumerate(found)
    }
    assert sum(isinstance(one, int) for one in found) > 10
    assert len(seen) == len(set(seen))
    refused = {job for job, one in enumerate(found) if isinstance(one, Overloaded)}
    assert set() == refused & set(seen)


def test_who_has_gone_costs_nothing(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """Of a thousand clients that hang up while they wait, not one is computed."""

    async def hung_up() -> list[Any]:
        squares = batcher(worker, thread, queue=10**6)
        tasks = await waiting(squares, worker, [1])
        gone = Caller(gone=lambda: True)
        tasks += [asyncio.create_task(squares.submit(job, gone)) for job in range(2, 1002)]
        tasks += [asyncio.create_task(squares.submit(7))]
        await asyncio.sleep(0)
        worker.let.set()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    found = run(hung_up())
    assert [[1], [7]] == worker.batches
    assert {Abandoned} == {type(one) for one in found[1:-1]}
    assert 49 == found[-1]


def test_who_has_gone_leaves_room(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """A queue that is full of clients who have gone takes the next one."""

    async def full() -> list[Any]:
        squares = batcher(worker, thread, queue=10)
        tasks = await waiting(squares, worker, [1])
        gone = Caller(gone=lambda: True)
        tasks += [asyncio.create_task(squares.submit(job, gone)) for job in range(10)]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(squares.submit(5))]
        await asyncio.sleep(0)
        worker.let.set()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    assert 25 == run(full())[-1]


def test_a_deadline_that_passes_is_an_error(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """A job whose deadline passes while it waits or computes ends with DeadlinePassed."""

    async def late() -> list[Any]:
        squares = batcher(worker, thread)
        soon = Caller(asyncio.get_running_loop().time() + 0.05)
        worker.let.clear()
        tasks = [asyncio.create_task(squares.submit(1, soon))]
        await asyncio.to_thread(worker.begun.wait, PATIENCE)
        tasks.append(asyncio.create_task(squares.submit(2, soon)))
        await asyncio.sleep(0.1)
        worker.let.set()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    assert [DeadlinePassed, DeadlinePassed] == [type(one) for one in run(late())]
    assert [[1]] == worker.batches


def test_nobody_waits_for_a_batch_that_stands_still(
    worker: Worker, thread: ThreadPoolExecutor
) -> None:
    """Who computes and who waits is told at the deadline, and what waits is let go of."""

    async def stuck() -> None:
        squares, loop = batcher(worker, thread), asyncio.get_running_loop()
        worker.let.clear()
        start = loop.time()
        soon = Caller(start + 0.1)
        asked = [squares.put(job, soon) for job in (1, 2, 3)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert {DeadlinePassed} == {type(one) for one in found}
        assert 0.1 <= loop.time() - start < 0.2
        assert 0 == squares.backlog
        assert squares.seconds >= 0.1
        worker.let.set()
        assert 16 == await squares.submit(4)
        assert 0 == squares.seconds

    run(stuck())


def test_a_deadline_that_cannot_be_met_is_refused(
    worker: Worker, thread: ThreadPoolExecutor
) -> None:
    """Once the rate is known, a job that would take longer than there is time is refused."""

    async def refused() -> int:
        squares = batcher(worker, thread, work=int)
        await squares.submit(10)
        now = asyncio.get_running_loop().time()
        with pytest.raises(DeadlineUnmeetable):
            await squares.submit(10**12, Caller(now + 0.001))
        return await squares.submit(10, Caller(now + 60))

    assert 100 == run(refused())


def test_a_wrong_rate_is_found_out(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """One slow batch does not have everything refused for ever: after some one is let through."""

    async def refused() -> int:
        squares = batcher(worker, thread, work=int)
        worker.let.clear()
        asyncio.get_running_loop().call_later(0.2, worker.let.set)
        await squares.submit(10)
        count = 0
        while True:
            now = asyncio.get_running_loop().time()
            try:
                await squares.submit(10, Caller(now + 0.1))
            except DeadlineUnmeetable:
                count += 1
            else:
                return count

    assert 1 <= run(refused()) <= 20


def test_slices_of_large_jobs_do_not_hold_up_small_ones(
    worker: Worker, thread: ThreadPoolExecutor
) -> None:
    """A batch takes a slice of the first large job, and small ones for the other half of it."""

    async def mixed() -> list[int]:
        squares = batcher(worker, thread, batch=4, most_of_a_slice=2, work=int)
        tasks = await waiting(squares, worker, [1, 5, 1, 7, 1, 1, 1])
        worker.let.set()
        return list(await asyncio.gather(*tasks))

    assert [1, 4 + 4 + 1, 1, 3 * 4 + 1, 1, 1, 1] == run(mixed())
    assert [[1], [2, 1, 1], [2, 1, 1], [1, 1], [2], [2], [2]] == worker.batches


def test_a_large_job_that_nobody_waits_for_is_computed_no_further(
    worker: Worker, thread: ThreadPoolExecutor
) -> None:
    """Of a job whose client hangs up in the midst of it no further slice is taken."""
    gone = threading.Event()

    async def left() -> list[Any]:
        squares = batcher(worker, thread, batch=2, most_of_a_slice=2, work=int)
        worker.let.clear()
        large = asyncio.create_task(squares.submit(100, Caller(gone=gone.is_set)))
        await asyncio.to_thread(worker.begun.wait, PATIENCE)
        small = asyncio.create_task(squares.submit(1))
        gone.set()
        worker.let.set()
        return list(await asyncio.gather(large, small, return_exceptions=True))

    abandoned, one = run(left())
    assert isinstance(abandoned, Abandoned)
    assert 1 == one
    assert [[2], [1]] == worker.batches


def test_one_that_is_flooded_delays_another_by_a_batch(
    worker: Worker, thread: ThreadPoolExecutor
) -> None:
    """Whoever comes to an idle batcher is next, however many wait for the other."""
    queue = FairQueue()

    async def use() -> None:
        flooded = batcher(worker, thread, batch=1, turn=queue.add())
        other = batcher(worker, thread, batch=1, turn=queue.add())
        worker.let.clear()
        many = [asyncio.create_task(flooded.submit(job)) for job in range(1, 51)]
        await asyncio.to_thread(worker.begun.wait, PATIENCE)
        single = asyncio.create_task(other.submit(100))
        await asyncio.sleep(0.01)
        worker.let.set()
        assert 10_000 == await single
        assert [100] in worker.batches[:4]
        assert [job * job for job in range(1, 51)] == await asyncio.gather(*many)

    run(use())


def test_a_batch_that_fails_ends_the_turn(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """So does one whose callers have all gone."""
    queue = FairQueue()

    async def use() -> None:
        unlucky = batcher(worker, thread, turn=queue.add())
        other = batcher(worker, thread, turn=queue.add())
        for at in range(5):
            failing = asyncio.create_task(unlucky.submit(UNLUCKY))
            gone = asyncio.create_task(unlucky.submit(3, Caller(gone=lambda: True)))
            assert at * at == await other.submit(at)
            with pytest.raises(ArithmeticError):
                await failing
            with pytest.raises(Abandoned):
                await gone
        assert 49 == await unlucky.submit(7)

    run(use())


def test_batches_of_the_event_loop_leave_it_to_others_in_between(
    worker: Worker, thread: ThreadPoolExecutor
) -> None:
    """However many slices of a large job are computed there, none is lost, and the loop goes on."""
    queue, most, whole, count = FairQueue(), 700, 300_000, itertools.count(1)

    def together(jobs: Sequence[int]) -> Sequence[int] | None:
        # Now and then one is computed elsewhere.
        return list(jobs) if sum(jobs) <= 800 and next(count) % 7 else None

    running = 0

    def elsewhere(jobs: Sequence[int]) -> "asyncio.Future[Sequence[int]]":
        nonlocal running
        running += 1
        assert 1 == running
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[int]] = loop.run_in_executor(thread, list, jobs)
        future.add_done_callback(ended)
        return future

    def ended(_: object) -> None:
        nonlocal running
        running -= 1

    async def use() -> None:
        limits = BatchLimits(most, 10 * whole, slice=most)
        large = Squares(
            elsewhere,
            Handling(lambda job: job, cut, joined),
            limits,
            together=together,
            turn=queue.add(),
            near=800,
        )
        other = batcher(worker, thread, turn=queue.add())
        waiting = asyncio.create_task(large.submit(whole))
        rounds = 0
        while not waiting.done():
            assert rounds * rounds == await other.submit(rounds)
            await asyncio.sleep(0)
            rounds += 1
        assert whole == await waiting
        assert rounds > 20

    run(use())


def test_an_executor_that_takes_nothing_fails_the_batch(
    worker: Worker, thread: ThreadPoolExecutor
) -> None:
    """Its callers get the error, and another batcher computes."""
    queue = FairQueue()

    def ended(_: Sequence[int]) -> "asyncio.Future[Sequence[int]]":
        raise RuntimeError("closed")

    async def use() -> None:
        limits = BatchLimits(100, 1_000)
        broken = Squares(ended, Handling(lambda _: 1, cut, joined), limits, turn=queue.add())
        other = batcher(worker, thread, turn=queue.add())
        for at in range(5):
            failing = asyncio.create_task(broken.submit(1))
            assert at * at == await other.submit(at)
            with pytest.raises(RuntimeError, match="closed"):
                await failing

    run(use())


def test_who_waits_for_a_turn_is_no_faster_for_refusing(
    worker: Worker, thread: ThreadPoolExecutor
) -> None:
    """A rate is doubted only if nothing waits: then no measurement would correct it."""
    queue = FairQueue()

    async def use() -> None:
        one, other = batcher(worker, thread, turn=queue.add()), queue.add()
        for job in range(20):
            await one.submit(job)
        other.take(lambda: None)
        waiting = asyncio.create_task(one.submit(3))
        await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        rate = one.affordable(1, Caller(loop.time() + 1e6))
        for _ in range(30):
            with pytest.raises(DeadlineUnmeetable):
                one.admit(500, Caller(loop.time() + 1e-9))
        assert rate == pytest.approx(one.affordable(1, Caller(loop.time() + 1e6)), rel=1e-3)
        other.end()
        assert 9 == await waiting

    run(use())


def test_a_deadline_is_planned_with_the_share(worker: Worker, thread: ThreadPoolExecutor) -> None:
    """While another computes as well, half as much is affordable by a deadline."""
    queue = FairQueue()

    async def use() -> None:
        one = batcher(worker, thread, turn=queue.add())
        other = queue.add()
        for job in range(20):
            await one.submit(job)
        caller = Caller(asyncio.get_running_loop().time() + 1e6)
        alone = one.affordable(1, caller)
        other.take(lambda: None)
        assert 0.5 == pytest.approx(one.affordable(1, caller) / alone, rel=1e-3)
        other.end()
        assert 1.0 == pytest.approx(one.affordable(1, caller) / alone, rel=1e-3)

    run(use())
