"""A connection is asked what it has, and loses nothing by being asked."""

import asyncio
from typing import Any

from app.http.connection import arrived, hung_up


def test_nothing_is_lost_by_asking() -> None:
    """A queue that is asked before, between and after its messages hands over each of them once."""

    async def asked() -> list[Any]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        found = [arrived(queue.get)]
        await queue.put({"type": "http.request"})
        found += [arrived(queue.get), arrived(queue.get)]
        await queue.put({"type": "http.disconnect"})
        return [*found, await queue.get()]

    none, first, still_none, last = asyncio.run(asked())
    assert none is None
    assert {"type": "http.request"} == first
    assert still_none is None
    assert {"type": "http.disconnect"} == last


def test_a_client_that_hangs_up_is_seen() -> None:
    """Gone is asked any number of times, before and after the client has gone."""

    async def asked() -> list[bool]:
        left = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await left.wait()
            return {"type": "http.disconnect"}

        gone = hung_up(receive)
        before = [gone(), gone()]
        left.set()
        return [*before, gone(), gone()]

    assert [False, False, True, True] == asyncio.run(asked())
