"""Opens the bundles that the settings name, and starts their engines, while they are served."""

import asyncio
import logging
import pickle
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from app.checked_bundle import CheckedBundle
from app.errors import StartError
from app.model_source import ModelSource, of_role
from app.serving.compute import Compute, ComputeThread, Nearby
from app.serving.jobs import SHARED
from app.settings import Settings
from dubito.bundles.manifest import Manifest
from dubito.bundles.repository import find_version
from dubito.engine.backends.choice import backend_of
from dubito.engine.blocks import PASSES
from dubito.errors import BundleError
from dubito.types import Cards, Environment, Query, Threads
from dubito.uncertainty.passes import balanced

if TYPE_CHECKING:
    from dubito.bundle import Bundle
    from dubito.engine.engine import Engine
    from dubito.engine.program import Program


log = logging.getLogger("dubito")

AT_ONCE_SECONDS = 0.0004
"""Seconds that a computation on the event loop may take."""
LIGHT_SECONDS = 0.00005
"""Seconds of a row's hundred passes up to which batches are computed on the event loop as well:
handing one over, and sharing the interpreter with another thread meanwhile, costs more."""
TOGETHER_SECONDS = 0.0004
"""Seconds that a batch on the event loop may take, alone."""
MEASURED = 9
"""Number of computations that are measured, of which the fastest counts."""


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
async def open_in_thread(
    settings: Settings, checked: CheckedBundle | None = None
) -> AsyncIterator[LoadedBundle]:
    """Open the bundle; its engine runs in this process, large batches in a thread of their own.

    Args:
        settings: the settings, which name the bundle.
        checked: the same bundle, if it has been checked already.

    Raises:
        BundleError: the bundle fails a check and must not be served.
    """
    bundle = await asyncio.to_thread(_loaded, settings, checked or CheckedBundle())
    compute = await asyncio.to_thread(_compute, bundle.engine)
    yield LoadedBundle(bundle.manifest, bundle.environment, compute, bundle.cards)


class OpenModel(NamedTuple):
    """The open bundle of a model."""

    bundle: LoadedBundle
    stack: AsyncExitStack
    """Closes the bundle."""


@asynccontextmanager
async def open_models(
    sources: Sequence[ModelSource], opening: Opening
) -> AsyncIterator[dict[str, OpenModel | str]]:
    """Open the bundles of all models for the duration of the block.

    Yields:
        Each model's bundle by name or, without a strict start, why it has none.

    Raises:
        BundleError: a bundle must not be served, or none of several can be.
        StartError: the same, found by its engine.
    """
    found: dict[str, OpenModel | str] = {}
    async with AsyncExitStack() as stack:
        served = of_role(sources, "served")
        for source in served:
            name = source.settings.model
            try:
                own = await stack.enter_async_context(AsyncExitStack())
                found[name] = OpenModel(await _opened(own, source, opening), own)
            except (BundleError, StartError) as error:
                # All workers must have the same models: what one alone finds ends it.
                is_own = source.settings.workers > 1 and source.fault is None
                if source.settings.strict_start or len(served) == 1 or is_own:
                    raise
                log.error("%s is not served: %s", name, error)  # noqa: TRY400 - the sentence says all
                found[name] = str(error)
        if all(isinstance(one, str) for one in found.values()):
            raise StartError("no model can be served: the log says why")
        yield found


class OpenCandidate(NamedTuple):
    """The open bundle of a canary or a shadow."""

    source: ModelSource
    bundle: LoadedBundle
    stack: AsyncExitStack
    """Closes the bundle."""


@asynccontextmanager
async def open_candidates(
    sources: Sequence[ModelSource], opening: Opening
) -> AsyncIterator[list[OpenCandidate]]:
    """Open the bundles of all candidates for the duration of the block.

    Without a strict start, those that cannot be opened are left out.

    Raises:
        BundleError: a bundle must not be served.
        StartError: the same, found by its engine.
    """
    found: list[OpenCandidate] = []
    async with AsyncExitStack() as stack:
        for source in of_role(sources, "canary", "shadow"):
            own = await stack.enter_async_context(AsyncExitStack())
            try:
                found.append(OpenCandidate(source, await _opened(own, source, opening), own))
            except (BundleError, StartError) as error:
                if source.settings.strict_start:
                    raise
                log.error("no %s of %s: %s", source.role, source.settings.model, error)  # noqa: TRY400 - the sentence says all
        yield found


async def _opened(stack: AsyncExitStack, source: ModelSource, opening: Opening) -> LoadedBundle:
    if source.fault is not None:
        raise BundleError(source.fault)
    return await stack.enter_async_context(opening(source.settings))


def _loaded(settings: Settings, checked: CheckedBundle) -> "Bundle":
    # Imported late: a service whose engine runs in another process does not need these modules.
    from dubito.bundle import load_inspected
    from dubito.bundles.validation.inspection import inspect

    folder = find_version(settings.models, settings.model, settings.version)
    return load_inspected(
        checked.take() or inspect(folder, pinned=settings.digest),
        folder,
        threads=Threads(settings.threads, SHARED),
        backend=settings.backend,
    )


@asynccontextmanager
async def open_checked(contents: bytes, settings: Settings) -> AsyncIterator[LoadedBundle]:
    """Open a bundle that another process of the service has checked; its engine runs in this one.

    Args:
        contents: pickled manifest, environment, programs and cards.
        settings: threads and backend.
    """
    yield await asyncio.to_thread(_built, contents, settings)


def _built(contents: bytes, settings: Settings) -> LoadedBundle:
    """Build what computes a checked bundle, and make it warm."""
    from dubito.bundles.golden import warm
    from dubito.engine.backends.choice import engine_for

    parts: tuple[Manifest, Environment, tuple[Program, ...], Cards] = pickle.loads(contents)  # noqa: S301 - by a process of this service
    manifest, environment, programs, cards = parts
    engine = engine_for(programs, settings.backend, Threads(settings.threads, SHARED))
    warm(engine, manifest.golden)
    return LoadedBundle(manifest, environment, _compute(engine), cards)


def _compute(engine: "Engine") -> Compute:
    """Compute in a thread; a few rows that are alone on the event loop with the native backend."""
    thread = ComputeThread(engine)
    if backend_of(engine.path) != "native":
        return thread
    rate = _rate(engine, engine.shape[0])
    is_light = rate * LIGHT_SECONDS >= 2 * PASSES
    several = int(rate * TOGETHER_SECONDS) if is_light else 0
    return Nearby(engine, thread, int(rate * AT_ONCE_SECONDS), several)


def _rate(engine: "Engine", features: int) -> float:
    """Measure how fast one row is computed, passes a second."""
    query = Query(np.ones((1, features)), balanced(2 * PASSES, engine.members), 0)
    seconds = []
    for _ in range(MEASURED):
        start = time.perf_counter()
        engine.summarise([query])
        seconds.append(time.perf_counter() - start)
    return query.passes / min(seconds)
