"""The shelf: the bundle that is served, and beside it one that answered before, for replays."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from app.api.answers import Answers
from app.api.bundles import Served
from app.errors import BundleError, Conflict, EngineLost, HostingError
from app.opening import Opened, Opening
from app.serving.batcher import Seen
from app.serving.capacity import capacity, memory
from app.serving.judge import Judge
from app.serving.predictor import Predictor
from app.settings import Settings


def served(opened: Opened, settings: Settings, seen: Seen = lambda *_: None) -> Served:
    """What answers for an open bundle; `seen` is told of every batch."""
    manifest = opened.manifest
    signature, calibration = manifest.signature, manifest.calibration
    judge = None if calibration is None else Judge(calibration, manifest.rules, signature)
    queue = min(settings.max_queue, capacity(memory() // settings.workers))
    return Served(
        manifest.identity,
        signature,
        opened.environment,
        Predictor(
            opened.compute,
            signature,
            queue=queue,
            judge=judge,
            seen=seen,
            # As long as a request waits that names no deadline.
            longest=settings.deadline_ms / 1e3,
        ),
        Answers(manifest.identity, signature.classes, calibration),
    )


class Shelf:
    """Has the bundles that records name; one at most is open beside the served one."""

    def __init__(self, current: Served | None, opening: Opening, settings: Settings) -> None:
        """Take the bundle that is served, if one is, and how others are opened."""
        self._current = current
        self._opening = opening
        self._settings = settings
        self._stack = AsyncExitStack()
        self._other: Served | None = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def of(self, model: Mapping[str, Any]) -> AsyncIterator[Served]:
        """The bundle that a record names, for the length of a block.

        Raises:
            Conflict: it is not there any more, or is not what it was.
        """
        if self._current is not None and self._current.identity.digest == model["digest"]:
            yield self._current
            return
        # One after the other: none is closed while something is computed with it.
        async with self._turn:
            if self._other is None or self._other.identity.digest != model["digest"]:
                await self.close()
                self._other = await self._opened(model)
            try:
                yield self._other
            except EngineLost:
                # Its process has ended; whoever asks next has another.
                await self.close()
                raise

    async def close(self) -> None:
        """Close what was opened here."""
        self._other = None
        await self._stack.aclose()

    async def _opened(self, model: Mapping[str, Any]) -> Served:
        name, version, digest = model["name"], model["version"], model["digest"]
        asked = replace(self._settings, model=name, version=version, digest=digest)
        try:
            opened = await self._stack.enter_async_context(self._opening(asked))
        except (BundleError, HostingError) as error:
            raise Conflict(f"{name}/{version} has answered, which is not there any more") from error
        found = served(opened, asked)
        self._stack.callback(found.predictor.close)
        return found
