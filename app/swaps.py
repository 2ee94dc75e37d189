"""Replaces the bundle of a model while it is served."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from app.bundle_loader import LoadedBundle, Opening
from app.errors import Conflict, StartError
from app.pinned_model import pin_model
from app.problem_codes import ProblemCode
from app.settings import Settings
from dubito.errors import BundleError
from dubito.types import Identity

TakeOver = Callable[[LoadedBundle, AsyncExitStack], Awaitable[None]]
"""Function that serves an open bundle from now on, and closes it once it is not served any more."""

log = logging.getLogger("dubito")


class Swaps:
    """Loads bundles beside those that are served; one at a time."""

    def __init__(self, settings: Settings, opening: Opening, take_over: TakeOver) -> None:
        """Set the settings, which name the models, and what opens and serves a bundle."""
        self._sources = {one.model: one for one in settings.for_each_model()}
        self._opening = opening
        self._take_over = take_over
        self._turn = asyncio.Lock()

    async def load(self, name: str, served: Identity | None) -> None:
        """Serve the bundle that the settings name for a model, as its files are now.

        The one that is served stays until the other one is checked, loaded and warm; a broken one
        changes nothing.

        Args:
            name: one of the models of the settings.
            served: the bundle that is served; None if there is none.

        Raises:
            Conflict: the bundle must not be served; the sentence says why.
        """
        async with self._turn:
            try:
                pinned = await asyncio.to_thread(pin_model, self._sources[name])
                found = pinned.source.settings
                if served is not None and found.digest == served.digest:
                    return
                stack = AsyncExitStack()
                opened = await stack.enter_async_context(self._opening(found))
            except (BundleError, StartError) as error:
                log.warning("%s is not replaced: %s", name, error)
                raise Conflict(ProblemCode.NOT_SERVABLE, str(error)) from error
            try:
                await self._take_over(opened, stack)
            except BaseException:
                await stack.aclose()
                raise
            identity = opened.manifest.identity
            log.info("serving %s/%d, %s, %s", name, identity.version, found.digest, pinned.computed)
