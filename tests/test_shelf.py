"""The shelf: bundles that answered before, one of which is open at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pytest

from app.errors import BundleError, Conflict, EngineLost
from app.network.inspection.archive import inspect
from app.opening import Opened
from app.settings import Settings
from app.shelf import Shelf, served
from app.values import Environment
from tests.service import ROOT

MANIFEST = inspect(ROOT / "models" / "loan-grade" / "4").manifest


class Compute:
    """Computes nothing."""

    trouble: str | None = None

    def submit(self, jobs: Any) -> "asyncio.Future[list[Any]]":
        raise NotImplementedError

    def close(self) -> None:
        """There is nothing to close."""


def bundle(version: int) -> Opened:
    manifest = replace(MANIFEST, version=version)
    return Opened(manifest, Environment("sha256:e", {}), Compute())


@dataclass
class Folder:
    """Opens the bundles it has, and notes which are open."""

    has: tuple[int, ...] = (1, 2, 3)
    events: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def opening(self, settings: Settings) -> AsyncIterator[Opened]:
        assert settings.version is not None
        if settings.version not in self.has:
            raise BundleError("it is not there")
        self.events.append(f"open {settings.version}")
        await asyncio.sleep(0)
        try:
            yield bundle(settings.version)
        finally:
            await asyncio.sleep(0)
            self.events.append(f"close {settings.version}")


def named(version: int) -> dict[str, Any]:
    """As a record names it."""
    return asdict(bundle(version).manifest.identity)


@pytest.fixture
def folder() -> Folder:
    return Folder()


Uses = Callable[[Shelf], Any]


def run(folder: Folder, uses: Uses) -> None:
    """Use a shelf on which version 3 is served."""

    async def whole() -> None:
        settings = Settings()
        shelf = Shelf(served(bundle(3), settings), folder.opening, settings)
        await uses(shelf)
        await shelf.close()

    asyncio.run(whole())


def test_the_served_bundle_is_not_opened_again(folder: Folder) -> None:
    """Another is opened once, and closed when a third is asked for or the service ends."""

    async def uses(shelf: Shelf) -> None:
        for version in (3, 1, 1, 3, 2):
            async with shelf.of(named(version)) as found:
                assert version == found.identity.version

    run(folder, uses)
    assert ["open 1", "close 1", "open 2", "close 2"] == folder.events


def test_none_is_closed_while_it_is_used(folder: Folder) -> None:
    """Many replays at once, of three versions in turn: each computes with its own."""

    async def use(shelf: Shelf, version: int) -> None:
        async with shelf.of(named(version)) as found:
            for _ in range(3):
                await asyncio.sleep(0)
                assert version == found.identity.version
                opened = [one.split()[1] for one in folder.events if one.startswith("open")]
                assert version == 3 or (opened[-1], f"open {version}") == (
                    str(version),
                    folder.events[-1],
                )

    async def uses(shelf: Shelf) -> None:
        await asyncio.gather(*(use(shelf, version) for version in (1, 2, 3) * 4))

    run(folder, uses)


def test_an_engine_that_was_lost_is_replaced(folder: Folder) -> None:
    """Whoever had it is told; the next has another."""

    async def uses(shelf: Shelf) -> None:
        with pytest.raises(EngineLost):
            async with shelf.of(named(1)):
                raise EngineLost
        for _ in range(2):
            async with shelf.of(named(1)):
                pass

    run(folder, uses)
    assert ["open 1", "close 1", "open 1", "close 1"] == folder.events


def test_what_fails_otherwise_closes_nothing(folder: Folder) -> None:
    """A request that is refused leaves the bundle open for others."""

    async def uses(shelf: Shelf) -> None:
        for _ in range(2):
            with pytest.raises(Conflict):
                async with shelf.of(named(1)):
                    raise Conflict("no")

    run(folder, uses)
    assert ["open 1", "close 1"] == folder.events


def test_a_bundle_that_is_gone_is_a_conflict(folder: Folder) -> None:
    """The sentence names it, and those that are there can be had afterwards."""
    folder.has = (1, 3)

    async def uses(shelf: Shelf) -> None:
        for version in (1, 2, 1):
            if version == 2:
                with pytest.raises(Conflict, match="loan-grade/2 has answered"):
                    async with shelf.of(named(2)):
                        pass
                continue
            async with shelf.of(named(version)) as found:
                assert version == found.identity.version

    run(folder, uses)
