"""Replaces the bundle of a model while it is served."""

import asyncio
import ctypes
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import NamedTuple

from app.bundle_loader import LoadedBundle, Opening
from app.errors import Conflict, StartError
from app.inference.repository import Loads
from app.model_service import ModelService
from app.problem_codes import ProblemCode
from app.processes.logs import tell_swap
from app.published_routes import PublishedRoutes
from app.settings import Settings
from dubito.errors import BundleError

log = logging.getLogger("dubito")


class Candidate(NamedTuple):
    """A bundle that is open, checked and warm, and all parts that will answer for it."""

    model: ModelService
    routes: PublishedRoutes
    stack: AsyncExitStack
    """Closes the bundle."""


Assemble = Callable[[LoadedBundle], tuple[ModelService, PublishedRoutes]]
"""Function that makes what answers for a bundle, in the place of the one that is served."""


class Swaps:
    """Opens bundles beside those that are served, one at a time, and lets them take over."""

    def __init__(
        self,
        opening: Opening,
        assemble: Assemble,
        served: Callable[[str], str | None],
        take_over: Callable[[Candidate], bool],
        leave: Callable[[ModelService], None],
        end_canary: Callable[[str], None],
    ) -> None:
        """Set what a swap consists of.

        Args:
            opening: opens a bundle.
            assemble: makes what answers for it.
            served: returns the digest of the bundle that is served for a model, None if none is.
            take_over: serves a candidate from now on; returns whether its model's canary has
                ended, as it does not fit.
            leave: takes note that a model does not answer.
            end_canary: ends the canary of a model, if it has one.
        """
        self._opening = opening
        self._assemble = assemble
        self._take_over = take_over
        self._leave = leave
        self.end_canary = end_canary
        self._served = served
        self.generation = 0
        """Number of swaps since the service was started, the same in all its workers."""

    async def prepare(self, settings: Settings, opening: Opening | None = None) -> Candidate | None:
        """Check, load and warm a bundle beside the one that is served.

        What takes long is done in a thread or another process: requests are answered meanwhile.

        Args:
            settings: the settings, which name the bundle.
            opening: opens it, if not as usual.

        Returns:
            The candidate; None if the bundle is the one that is served.

        Raises:
            BundleError: the bundle must not be served.
            StartError: the same, found by its engine.
        """
        async with AsyncExitStack() as stack:
            bundle = await stack.enter_async_context((opening or self._opening)(settings))
            identity = bundle.manifest.identity
            if identity.digest == self._served(identity.name):
                bundle.compute.close()
                return None
            model, routes = await asyncio.to_thread(self._assemble, bundle)
            return Candidate(model, routes, stack.pop_all())

    def take_over(self, candidate: Candidate, generation: int) -> bool:
        """Serve a candidate from now on; the bundle before it answers what it was asked.

        Returns:
            Whether the model's canary has ended, as it does not fit to the bundle.
        """
        self.generation = generation
        return self._take_over(candidate)

    async def discard(self, candidate: Candidate) -> None:
        """Close a candidate that is not to be served."""
        self._leave(candidate.model)
        candidate.model.served.predictor.close()
        await candidate.stack.aclose()


class Changes(NamedTuple):
    """Changes of what a service serves, in all its workers."""

    load: Loads
    """Serves a model's bundle as its files are now; raises `Conflict` if it must not be served,
    which changes nothing."""
    end_canary: Callable[[str], Awaitable[None]]
    """Ends the canary of a model."""


Joining = Callable[[Settings, Swaps], Changes]
"""Function that returns what changes a service, from its settings and the swaps of a worker."""


def release_free_memory() -> None:
    """Return to the system what glibc keeps of memory that was freed; other libraries keep less.

    Each thread has an arena of its own, where what remains in use is scattered between what was
    freed: without this a service grows with each bundle that it replaces.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def join_alone(settings: Settings, swaps: Swaps) -> Changes:
    """Return what changes a service that has no other worker."""
    sources = {one.model: one for one in settings.for_each_model()}
    turn = asyncio.Lock()

    async def load(name: str) -> None:
        async with turn:
            try:
                candidate = await swaps.prepare(sources[name])
            except (BundleError, StartError) as error:
                log.warning("%s is not replaced: %s", name, error)
                raise Conflict(ProblemCode.NOT_SERVABLE, str(error)) from error
            if candidate is not None:
                swaps.take_over(candidate, swaps.generation + 1)
                tell_swap(swaps.generation, candidate.model.manifest.identity)

    async def end_canary(name: str) -> None:
        swaps.end_canary(name)

    return Changes(load, end_canary)
