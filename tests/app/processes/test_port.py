"""The port: an address that cannot be had is a sentence."""

import asyncio
import socket
from collections import Counter

import pytest
import uvloop

from app.errors import StartError
from app.processes.port import AT_ONCE, address, bound, handles, listen

MANY = 40
"""Clients that connect before any is taken."""


@pytest.mark.parametrize(
    "host", ["a" * 70, "a..b", "nowhere.invalid", "203.0.113.7", "2001:db8::7", "[::1]", " "]
)
def test_an_address_that_is_not_this_machines_is_a_sentence(host: str) -> None:
    """No name, a name of no machine, or an interface that is another's; the sentence names it."""
    with pytest.raises(StartError, match="cannot listen on") as refused:
        bound(host, 0)
    assert f" {host} port 0: " in str(refused.value)
    assert "None" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_port_in_use_is_a_sentence() -> None:
    """Whether another process listens there already or begins to in the meantime."""
    with bound("127.0.0.1", 0) as first, bound("127.0.0.1", first.getsockname()[1]) as second:
        listen(first)
        with pytest.raises(StartError, match="in use"):
            listen(second)
        with pytest.raises(StartError, match="in use"):
            bound("127.0.0.1", first.getsockname()[1])


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_address_is_written_as_a_browser_takes_it() -> None:
    """An IPv6 one in brackets."""
    try:
        opened = bound("::1", 0)
    except StartError:
        pytest.skip("this machine has no IPv6")
    with opened:
        assert f"http://[::1]:{opened.getsockname()[1]}" == address(opened)


async def _taken(workers: int) -> list[int]:
    """How many of `MANY` connections are taken in each turn of the event loop that takes any."""
    loop = asyncio.get_running_loop()
    turn, turns = 0, Counter[int]()

    class Guest(asyncio.Protocol):
        def connection_made(self, _transport: asyncio.BaseTransport) -> None:
            turns[turn] += 1

    with bound("127.0.0.1", 0) as opened:
        listen(opened)
        clients = [socket.create_connection(opened.getsockname()) for _ in range(MANY)]
        servers = [await loop.create_server(Guest, sock=one) for one in handles(opened, workers)]
        while turns.total() < MANY:
            turn += 1
            await asyncio.sleep(0)
        for server in servers:
            server.close()
        for client in clients:
            client.close()
    return list(turns.values())


@pytest.mark.parametrize(("workers", "most"), [(1, AT_ONCE), (2, 1)])
def test_a_burst_of_clients_is_taken_in_few_turns(workers: int, most: int) -> None:
    """One process takes several at a time; where others take some too, each takes one."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert most == max(runner.run(_taken(workers)))
