"""Candidates: other versions of a service's models, which answer a share or are compared."""

import asyncio
import logging
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import APIRouter
from starlette.routing import BaseRoute

from app.bundle_loader import LoadedBundle, OpenCandidate, OpenModel
from app.errors import StartError
from app.http.canary import CandidateDescription, canary_routes
from app.http.shadow import shadow_routes
from app.inference.model import OtherVersion
from app.model_service import ModelService
from app.monitoring.metrics import Metrics
from app.monitoring.request_counts import WRITE_SECONDS
from app.monitoring.shadow_report import ShadowReport
from app.periodic_task import repeat
from app.record_ports import Memory
from app.running_canary import RunningCanary, run_canary
from app.running_shadow import RunningShadow
from app.serving.shadow import Follower
from app.settings import Settings
from dubito.bundles.manifest import Manifest

log = logging.getLogger("dubito")

SAME = "it is the bundle that is served"
"""Reason why a bundle has nothing to be compared with; a candidate that took over has it."""
ServedManifest = Callable[[str], Manifest | None]
"""Function that returns the manifest of the bundle that is served for a model."""


class Candidates:
    """The shadows and the canaries of a service, one of each for a model at most."""

    def __init__(
        self,
        found: Sequence[OpenCandidate],
        settings: Settings,
        metrics: Metrics,
        memory: Memory | None,
        served: ServedManifest,
    ) -> None:
        """Run the shadows; canaries follow, see `add_canaries`.

        Args:
            found: open bundles, all of which fit to what is served.
            settings: the settings.
            metrics: where disagreements are counted.
            memory: where they are recorded; None if nothing is.
            served: returns what is served for a model now.
        """
        self._settings = settings
        self._memory = memory
        self._served = served
        self._waiting = [one for one in found if one.source.role == "canary"]
        self._shadows = {
            one.source.settings.model: RunningShadow(
                one, settings, metrics.shadow(one.bundle.manifest.identity), memory
            )
            for one in found
            if one.source.role == "shadow"
        }
        self._canaries: dict[str, RunningCanary] = {}
        self.others: dict[str, OtherVersion] = {}
        """Other version of each model with a canary, by its name."""
        self.count = len(self._waiting)
        """Number of canaries, which share the queue with the models."""

    def add_canaries(self, assemble: Callable[[LoadedBundle], ModelService], secret: bytes) -> None:
        """Have the canaries answer; the secret of the service chooses their requests."""
        for one in self._waiting:
            running = run_canary(one, assemble(one.bundle), secret)
            name = one.source.settings.model
            self._canaries[name], self.others[name] = running, running.other

    @property
    def answering(self) -> list[ModelService]:
        """What answers for the canaries."""
        return [one.model for one in self._canaries.values()]

    def follower(self, manifest: Manifest) -> Follower | None:
        """Compare the answers of a bundle with those of its model's shadow, if that can be."""
        shadow = self._shadows.get(manifest.name)
        if shadow is None or misfit(shadow.manifest, manifest) is not None:
            return None
        return shadow.beside(manifest.identity)

    def routes(self, name: str, end: Callable[[str], Awaitable[None]]) -> Iterator[APIRouter]:
        """Create the routes of a model's candidates; `end` ends its canary in all workers."""
        described = partial(self._described, self._canaries, name)
        yield canary_routes(described, partial(end, name), self._settings)
        if self._memory is not None:
            yield shadow_routes(partial(self._report, name), self._settings)

    def split(self, model: ModelService, routes: Sequence[BaseRoute]) -> None:
        """Have the routes of a model give its canary, if it has one, its share of the requests."""
        if model.name in self._canaries:
            self._canaries[model.name].split(routes, model.served.users, self._settings)

    def described(
        self, name: str
    ) -> tuple[CandidateDescription | None, CandidateDescription | None]:
        """Describe the canary and the shadow of a model."""
        return self._described(self._canaries, name), self._described(self._shadows, name)

    def end_canary(self, name: str) -> RunningCanary | None:
        """End the canary of a model; return it, if there was one."""
        running = self._canaries.pop(name, None)
        if running is not None:
            running.choice.end()
            del self.others[name]
            log.info("canary of %s: version %d has ended", name, running.model.manifest.version)
        return running

    def is_misfit(self, name: str) -> bool:
        """Whether a model has a canary that does not fit to what is served now."""
        canary, served = self._canaries.get(name), self._served(name)
        return canary is not None and misfit(canary.model.manifest, served) is not None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Compare within the block."""
        async with AsyncExitStack() as stack:
            for shadow in self._shadows.values():
                stack.callback(shadow.leave)
                for work in (shadow.run(), repeat(shadow.write, WRITE_SECONDS)):
                    stack.callback(asyncio.create_task(work).cancel)
            yield

    def _described(
        self, candidates: Mapping[str, RunningCanary | RunningShadow], name: str
    ) -> CandidateDescription | None:
        return candidates[name].describe() if name in candidates else None

    def _report(self, name: str) -> Awaitable[ShadowReport] | None:
        """Read what is known of a model's shadow; None if it has none."""
        shadow, served = self._shadows.get(name), self._served(name)
        if shadow is None or served is None or misfit(shadow.manifest, served) is not None:
            return None
        return shadow.report(served.identity)


def fitting_candidates(
    candidates: Iterable[OpenCandidate],
    opened: Mapping[str, OpenModel | str],
    *,
    is_strict: bool,
) -> Iterator[OpenCandidate]:
    """Yield the candidates that can take the requests of their models.

    Args:
        candidates: open bundles.
        opened: each model's open bundle, or why it has none, by name.
        is_strict: whether one that cannot is an error; otherwise the log says why.

    Raises:
        StartError: one cannot.
    """
    for one in candidates:
        role, name = one.source.role, one.source.settings.model
        found = opened.get(name)
        manifest = found.bundle.manifest if isinstance(found, OpenModel) else None
        why = misfit(one.bundle.manifest, manifest)
        if why is None:
            version, share = one.bundle.manifest.version, one.source.share
            log.info("%s of %s: version %d, share %g", role, name, version, share)
            yield one
        elif is_strict and why != SAME:
            raise StartError(f"no {role} of {name}: {why}")
        else:
            log.error("no %s of %s: %s", role, name, why)


def misfit(manifest: Manifest, served: Manifest | None) -> str | None:
    """Return why a bundle cannot be a candidate beside the served one; None if it can."""
    if served is None:
        return "no bundle of this model is served"
    if manifest.identity.digest == served.identity.digest:
        return SAME
    return served.signature.difference(manifest.signature)
