"""The connections of a server: room for one more, what waits too long, what nobody takes."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from app.server.connections import LINGER_SECONDS, ConnectionLimits, Connections, Wait
from app.settings import Settings

LIMITS = replace(ConnectionLimits.of(Settings()), connections=3, unread_bytes=1_000)


@dataclass(eq=False)
class Guest:
    """A connection that notes how it was ended."""

    unsent: int = 0
    ended: list[str] = field(default_factory=list)

    def expire(self, wait: Wait) -> None:
        self.ended.append(f"after {wait.seconds:g} s")

    def abort(self) -> None:
        self.ended.append("at once")


def full(connections: Connections) -> list[Guest]:
    """As many guests as may be, one second after the other."""
    guests = [Guest() for _ in range(LIMITS.connections)]
    for at, guest in enumerate(guests):
        assert connections.enter(guest, float(at))
    return guests


def test_the_longest_idle_makes_room() -> None:
    """Where there is no room, the connection that has been idle for longest is closed for it."""
    connections = Connections(LIMITS)
    first, second, third = full(connections)
    connections.idle.begin(second, 3.0)
    connections.idle.begin(first, 4.0)
    assert connections.enter(Guest(), 5.0)
    assert [[], ["at once"], []] == [first.ended, second.ended, third.ended]


def test_who_is_being_answered_is_not_closed_for_another() -> None:
    """Where nobody waits for anything, one more is refused."""
    connections = Connections(LIMITS)
    guests = full(connections)
    assert not connections.enter(Guest(), 9.0)
    assert [[], [], []] == [guest.ended for guest in guests]


def test_a_head_that_has_just_begun_is_left_alone() -> None:
    """A connection whose head is under way makes room only once it has taken a while."""
    connections = Connections(LIMITS)
    slow, *_ = full(connections)
    connections.head.begin(slow, 9.0)
    assert not connections.enter(Guest(), 9.5)
    assert connections.enter(Guest(), 10.5)
    assert ["at once"] == slow.ended


def test_who_has_left_is_in_nobodys_way() -> None:
    """A connection that has ended takes no room, and is not ended again."""
    connections = Connections(LIMITS)
    gone, *_ = full(connections)
    connections.idle.begin(gone, 3.0)
    connections.leave(gone)
    assert connections.enter(Guest(), 4.0)
    connections.look(1e9)
    assert [] == gone.ended


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("idle", LIMITS.idle_seconds),
        ("head", LIMITS.header_seconds),
        ("drain", LIMITS.body_seconds),
        ("deaf", LIMITS.unread_seconds),
        ("linger", LINGER_SECONDS),
    ],
)
def test_each_wait_has_its_limit(name: str, seconds: float) -> None:
    """A connection is ended once it has waited as long as it may, and not before."""
    connections, guest = Connections(LIMITS), Guest()
    connections.enter(guest, 0.0)
    getattr(connections, name).begin(guest, 0.0)
    connections.look(seconds - 0.01)
    assert [] == guest.ended
    connections.look(seconds)
    assert [f"after {seconds:g} s"] == guest.ended


def test_what_nobody_takes_is_bounded() -> None:
    """Of those that take nothing the longest are ended, until the others hold what they may."""
    connections = Connections(LIMITS)
    guests = full(connections)
    for at, guest in enumerate(guests):
        guest.unsent = 600
        connections.deaf.begin(guest, float(at))
    connections.look(5.0)
    assert [["at once"], ["at once"], []] == [guest.ended for guest in guests]


def test_who_has_just_filled_its_buffer_is_no_deaf_one() -> None:
    """A client that was written much a moment ago is given time to take it."""
    connections, guest = Connections(LIMITS), Guest(unsent=10_000)
    connections.enter(guest, 0.0)
    connections.deaf.begin(guest, 0.0)
    connections.look(0.5)
    assert [] == guest.ended


def test_the_watch_looks_often_enough() -> None:
    """A limit of a tenth of a second is kept to within as much again."""

    async def watched() -> list[str]:
        connections, guest = Connections(replace(LIMITS, idle_seconds=0.1)), Guest()
        watching = asyncio.create_task(connections.watch())
        connections.idle.begin(guest, asyncio.get_running_loop().time())
        await asyncio.sleep(0.2)
        watching.cancel()
        return guest.ended

    assert asyncio.run(watched())
