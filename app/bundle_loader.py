"""Opens the bundle that the settings name and starts its engine, for as long as it is served."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.serving.compute import Compute, ComputeThread, Nearby
from app.settings import Settings
from dubito.bundles.manifest import Manifest
from dubito.bundles.repository import find_version
from dubito.engine.backends.choice import backend_of
from dubito.types import Cards, Environment

if TYPE_CHECKING:
    from dubito.engine.engine import Engine


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
    """Open the bundle; its engine runs in this process, large batches in a thread of their own.

    Raises:
        BundleError: the bundle fails a check and must not be served.
    """
    # Imported late: a service whose engine runs in another process does not need these modules.
    from dubito.bundle import load

    folder = find_version(settings.models, settings.model, settings.version)
    bundle = await asyncio.to_thread(
        load,
        folder,
        pinned=settings.digest,
        threads=settings.threads,
        backend=settings.backend,
    )
    yield LoadedBundle(bundle.manifest, bundle.environment, _compute(bundle.engine), bundle.cards)


def _compute(engine: "Engine") -> Compute:
    """Compute in a thread; small batches of the native backend on the event loop, in no time."""
    thread = ComputeThread(engine)
    is_native = backend_of(engine.path) == "native"
    return Nearby.of(engine, engine.program, thread) if is_native and engine.program else thread
