"""The reading desk: a database that stands still holds a few threads, and nobody for long."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from app.errors import RecordsUnavailable
from app.records.read_pool import MOST_WAITING, THREADS, Desk
from tests.service import environment

SECONDS = 0.3


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk(SECONDS)
    yield desk
    desk.close()


def test_what_is_read_comes_back(desk: Desk) -> None:
    """Each its own, its errors too, in threads that are not asyncio's."""

    async def run() -> list[int | BaseException]:
        async def divided(at: int) -> int:
            return await desk.read(lambda: 100 // at)

        return await asyncio.gather(*map(divided, range(20)), return_exceptions=True)

    found = asyncio.run(run())
    assert isinstance(found[0], ZeroDivisionError)
    assert [100 // at for at in range(1, 20)] == found[1:]


def test_a_read_that_hangs_holds_nobody_else(desk: Desk) -> None:
    """Told in time, then at once; other threads go on; afterwards all is read again."""
    let, held = threading.Event(), set[int]()

    def hang() -> None:
        held.add(threading.get_ident())
        let.wait()

    async def run() -> None:
        start = time.monotonic()
        hanging = (desk.read(hang) for _ in range(3 * THREADS))
        found = await asyncio.gather(*hanging, return_exceptions=True)
        assert {RecordsUnavailable} == {type(one) for one in found}
        assert SECONDS <= time.monotonic() - start < SECONDS + 0.3
        assert THREADS == len(held)

        await asyncio.sleep(SECONDS / 10)
        start = time.monotonic()
        with pytest.raises(RecordsUnavailable):
            await desk.read(let.wait)
        assert 1 == await asyncio.to_thread(lambda: 1)
        assert time.monotonic() - start < SECONDS / 2

        let.set()
        while True:
            try:
                assert held >= {await desk.read(threading.get_ident)}
            except RecordsUnavailable:
                await asyncio.sleep(0.01)
            else:
                break

    asyncio.run(run())


def test_a_turn_that_nobody_waits_for_any_more_is_not_taken(desk: Desk) -> None:
    """What has waited in vain is never read."""
    let, begun = threading.Event(), list[int]()

    def read(at: int) -> None:
        begun.append(at)
        let.wait()

    async def run() -> None:
        turns = (desk.read(partial(read, at)) for at in range(2 * THREADS))
        await asyncio.gather(*turns, return_exceptions=True)
        let.set()
        while True:
            try:
                await desk.read(lambda: None)
            except RecordsUnavailable:
                await asyncio.sleep(0.01)
            else:
                break

    asyncio.run(run())
    assert list(range(THREADS)) == sorted(begun)


def test_few_may_wait(desk: Desk) -> None:
    """Who comes when enough wait is refused at once."""
    let = threading.Event()

    async def run() -> None:
        tasks = [asyncio.create_task(desk.read(let.wait)) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        start = time.monotonic()
        with pytest.raises(RecordsUnavailable):
            await desk.read(let.wait)
        assert time.monotonic() - start < SECONDS
        let.set()
        assert [True] * MOST_WAITING == await asyncio.gather(*tasks)

    asyncio.run(run())


HANGS = """
import asyncio, threading
from app.errors import RecordsUnavailable
from app.records.read_pool import Desk
async def run():
    try:
        await Desk(0.1).read(threading.Event().wait)
    except RecordsUnavailable:
        print("told", flush=True)
asyncio.run(run())
"""


def test_a_read_that_hangs_keeps_no_process_from_ending() -> None:
    """The service ends though its database stands still."""
    done = subprocess.run(
        [sys.executable, "-c", HANGS],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (0, "told\n", "") == (done.returncode, done.stdout, done.stderr)
