"""The shelf: bundles that answered before, a few of which are open at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bundle_loader import LoadedBundle
from app.errors import Abandoned, Conflict, DeadlinePassed, EngineLost, TooManyWaiting
from app.model_cache import MOST_OPEN, MOST_WAITING, Shelf, served
from app.problem_codes import ProblemCode
from app.serving.caller import PATIENT, Caller
from app.settings import Settings
from dubito.bundles.validation.inspection import inspect
from dubito.errors import BundleError
from dubito.types import Environment, Identity
from tests.service import ROOT

GONE = "^bundle loan-grade/2, which produced this prediction, is no longer available$"
MANIFEST = inspect(ROOT / "models" / "loan-grade" / "4").manifest


class Compute:
    """Computes nothing."""

    trouble: str | None = None
    near = 0

    def submit(self, jobs: Any) -> "asyncio.Future[list[Any]]":
        raise NotImplementedError

    def together(self, jobs: Any) -> None:
        """Compute nothing."""

    def at_once(self, job: Any) -> None:
        """Compute nothing."""

    def close(self) -> None:
        """There is nothing to close."""


def bundle(version: int, compute: Compute | None = None) -> LoadedBundle:
    manifest = replace(MANIFEST, version=version)
    return LoadedBundle(manifest, Environment("sha256:e", {}), compute or Compute())


@dataclass
class Folder:
    """Opens the bundles it has, and notes which are open."""

    has: tuple[int, ...] = (1, 2, 3)
    seconds: float = 0.0
    """That opening one takes."""
    faults: list[Exception] = field(default_factory=list)
    """Of the next openings."""
    opened: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    computes: list[Compute] = field(default_factory=list)
    most_open: int = 0

    @asynccontextmanager
    async def opening(self, settings: Settings) -> AsyncIterator[LoadedBundle]:
        assert settings.version is not None
        if self.faults:
            raise self.faults.pop()
        if settings.version not in self.has:
            raise BundleError("it is not there")
        self.opened.append(settings.version)
        self.most_open = max(self.most_open, len(self.opened) - len(self.closed))
        self.computes.append(Compute())
        try:
            await asyncio.sleep(self.seconds)
            yield bundle(settings.version, self.computes[-1])
        finally:
            await asyncio.sleep(0)
            self.closed.append(settings.version)


@cache
def named(version: int) -> Identity:
    """As a record names it."""
    return bundle(version).manifest.identity


@pytest.fixture
def folder() -> Folder:
    return Folder()


Uses = Callable[[Shelf], Any]


def run(folder: Folder, uses: Uses, idle_seconds: float = 60.0) -> None:
    """Use a shelf on which version 9 is served."""

    async def whole() -> None:
        chosen = Settings()
        shelf = Shelf([served(bundle(9), chosen)], folder.opening, chosen, idle_seconds)
        await uses(shelf)
        await shelf.close()

    asyncio.run(asyncio.wait_for(whole(), 20))
    assert folder.most_open <= MOST_OPEN
    assert sorted(folder.opened) == sorted(folder.closed)


async def use(shelf: Shelf, version: int, client: Caller = PATIENT) -> None:
    """Use a bundle for a moment."""
    async with shelf.of(named(version), client) as found:
        assert version == found.identity.version
        await asyncio.sleep(0.001)
        assert version == found.identity.version


def test_a_backend_that_does_not_run_the_bundle_is_replaced(folder: Folder) -> None:
    """A record's own backend may be missing here: then any other computes it, and says so."""
    folder.faults.append(BundleError("the native backend does not run it"))

    async def uses(shelf: Shelf) -> None:
        async with shelf.of(named(1), PATIENT, "numpy") as found:
            assert 1 == found.identity.version

    run(folder, uses)
    assert [1] == folder.opened


def test_the_served_bundle_is_not_opened_again(folder: Folder) -> None:
    """Two others stay open beside it; the one not used for longest makes room for a third."""

    async def uses(shelf: Shelf) -> None:
        for version in (9, 1, 2, 1, 9, 2, 1, 3, 1, 2):
            await use(shelf, version)

    run(folder, uses)
    assert [1, 2, 3, 2] == folder.opened
    assert [2, 3] == folder.closed[:2]


@settings(max_examples=15)
@given(st.lists(st.tuples(st.sampled_from((1, 2, 3, 9)), st.booleans()), max_size=25))
def test_none_is_closed_while_it_is_used(asked: list[tuple[int, bool]]) -> None:
    """Whatever is asked for at once, of more bundles than may be open: each uses its own.

    Who has gone before anything was done for them starts nothing.
    """
    folder = Folder()

    async def one(shelf: Shelf, version: int, *, has_gone: bool) -> None:
        client = Caller(gone=lambda: has_gone and version != 9)
        with suppress(Abandoned):
            await use(shelf, version, client)

    async def uses(shelf: Shelf) -> None:
        await asyncio.gather(*(one(shelf, version, has_gone=gone) for version, gone in asked))

    run(folder, uses)
    assert set(folder.opened) <= {version for version, gone in asked if not gone}


def test_an_engine_is_started_once_for_all_who_wait(folder: Folder) -> None:
    """Those who wished for a bundle together have it together, whoever wished between them."""

    async def uses(shelf: Shelf) -> None:
        await asyncio.gather(*(use(shelf, version) for version in (1, 2, 3) * 4))

    run(folder, uses)
    assert [1, 2, 3] == folder.opened


def test_a_bundle_that_is_used_is_not_waited_for_for_ever(folder: Folder) -> None:
    """A third bundle has its turn though two are asked for again and again."""

    async def uses(shelf: Shelf) -> None:
        over = asyncio.Event()

        async def ever(version: int) -> None:
            while not over.is_set():
                await asyncio.gather(use(shelf, version), use(shelf, version))

        others = [asyncio.create_task(ever(version)) for version in (1, 2)]
        await asyncio.sleep(0.01)
        await use(shelf, 3)
        over.set()
        await asyncio.gather(*others)

    run(folder, uses)


def test_few_may_wait(folder: Folder) -> None:
    """Who comes when enough wait is refused at once, and those who wait have their turn."""

    async def uses(shelf: Shelf) -> None:
        waiting = [asyncio.create_task(use(shelf, 1 + at % 2)) for at in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyWaiting) as refused:
            await use(shelf, 3)
        assert 1 <= refused.value.retry_after
        await asyncio.gather(*waiting)

    run(folder, uses)
    assert [1, 2] == folder.opened


def test_nobody_waits_longer_than_they_said(folder: Folder) -> None:
    """A bundle that takes long to open is opened all the same, for who comes later."""
    folder.seconds = 0.3

    async def uses(shelf: Shelf) -> None:
        soon = Caller(asyncio.get_running_loop().time() + 0.05)
        with pytest.raises(DeadlinePassed):
            await use(shelf, 1, soon)
        await use(shelf, 1)

    run(folder, uses)
    assert [1] == folder.opened


def test_who_is_cancelled_leaves_nothing_in_use(folder: Folder) -> None:
    """At whatever moment: the bundle can be closed, and others have it."""

    async def uses(shelf: Shelf) -> None:
        for turns in range(12):
            task = asyncio.create_task(use(shelf, 1 + turns % 3))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for version in (1, 2, 3):
            await use(shelf, version)

    run(folder, uses)


def test_an_idle_bundle_is_closed(folder: Folder) -> None:
    """After a stated time without use, and not before."""

    async def uses(shelf: Shelf) -> None:
        await use(shelf, 1)
        await asyncio.sleep(0.1)
        await use(shelf, 1)
        await asyncio.sleep(0.1)
        assert [] == folder.closed
        await asyncio.sleep(0.2)
        assert [1] == folder.closed

    run(folder, uses, idle_seconds=0.15)
    assert [1] == folder.opened


def test_an_engine_that_was_lost_is_replaced(folder: Folder) -> None:
    """Whoever had it is told; the next has another."""

    async def uses(shelf: Shelf) -> None:
        with pytest.raises(EngineLost):
            async with shelf.of(named(1)):
                raise EngineLost
        for _ in range(2):
            await use(shelf, 1)

    run(folder, uses)
    assert [1, 1] == folder.opened


def test_an_engine_that_stands_still_is_replaced(folder: Folder) -> None:
    """Nobody who comes later waits for it."""

    async def uses(shelf: Shelf) -> None:
        async with shelf.of(named(1)):
            folder.computes[-1].trouble = "it is silent"
            task = asyncio.create_task(use(shelf, 1))
            await asyncio.sleep(0.01)
        await task

    run(folder, uses)
    assert [1, 1] == folder.opened


def test_what_fails_otherwise_closes_nothing(folder: Folder) -> None:
    """A request that is refused leaves the bundle open for others."""

    async def uses(shelf: Shelf) -> None:
        for _ in range(2):
            with pytest.raises(Conflict):
                async with shelf.of(named(1)):
                    raise Conflict(ProblemCode.BUNDLE_GONE, "no")

    run(folder, uses)
    assert [1] == folder.opened


def test_a_bundle_that_is_gone_is_a_conflict(folder: Folder) -> None:
    """The sentence names it, and those that are there can be had afterwards."""
    folder.has = (1, 9)

    async def uses(shelf: Shelf) -> None:
        for version in (1, 2, 1):
            if version == 2:
                with pytest.raises(Conflict, match=GONE):
                    await use(shelf, 2)
                continue
            await use(shelf, version)

    run(folder, uses)
    assert [1] == folder.opened


def test_what_cannot_be_started_is_told_to_who_waits(folder: Folder) -> None:
    """The machine has no room for another process: the next one may succeed."""
    folder.faults = [OSError("no more processes")]

    async def uses(shelf: Shelf) -> None:
        found = await asyncio.gather(*(use(shelf, 1) for _ in range(3)), return_exceptions=True)
        assert [OSError] * 3 == [type(one) for one in found]
        await use(shelf, 1)

    run(folder, uses)
