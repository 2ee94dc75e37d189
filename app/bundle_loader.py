"""Opens the bundle that the settings name and starts its engine, for as long as it is served."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from app.serving.compute import Compute, ComputeThread
from app.settings import Settings
from dubito.bundles.manifest import Manifest
from dubito.bundles.repository import find_version
from dubito.types import Cards, Environment


@dataclass(frozen=True, slots=True)
class LoadedBundle:
    """A validated bundle together with the engine that computes its predictions."""

    manifest: Manifest
    environment: Environment
    compute: Compute
    cards: Cards = field(default_factory=Cards)


Opening = Callable[[Settings], AbstractAsyncContextManager[LoadedBundle]]
"""Function from settings to an async context manager, inside which the bundle is open."""


@asynccontextmanager
async def open_in_thread(settings: Settings) -> AsyncIterator[LoadedBundle]:
    """Open the bundle; its engine runs in a thread of this process.

    Raises:
        BundleError: the bundle fails a check and must not be served.
    """
    # Imported late: a service whose engine runs in another process does not need these modules.
    from dubito.bundle import load

    folder = find_version(settings.models, settings.model, settings.version)
    bundle = await asyncio.to_thread(load, folder, pinned=settings.digest, threads=settings.threads)
    yield LoadedBundle(
        bundle.manifest, bundle.environment, ComputeThread(bundle.engine), bundle.cards
    )
