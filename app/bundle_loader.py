"""Opening: how the bundle of some settings is had, for as long as it is needed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from app.serving.compute import Compute, Thread
from app.settings import Settings
from dubito.bundles.manifest import Manifest
from dubito.bundles.repository import find
from dubito.types import Cards, Environment


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle that may be served, and what computes for it."""

    manifest: Manifest
    environment: Environment
    compute: Compute
    cards: Cards = field(default_factory=Cards)


Opening = Callable[[Settings], AbstractAsyncContextManager[Opened]]
"""How the bundle of some settings is opened, for as long as it is served."""


@asynccontextmanager
async def in_this_process(settings: Settings) -> AsyncIterator[Opened]:
    """The bundle, computed in a thread.

    Raises:
        BundleError: it must not be served.
    """
    # A service whose engine is another process does without what this imports.
    from dubito.bundle import load

    folder = find(settings.models, settings.model, settings.version)
    bundle = await asyncio.to_thread(load, folder, pinned=settings.digest, threads=settings.threads)
    yield Opened(bundle.manifest, bundle.environment, Thread(bundle.engine), bundle.cards)
