"""Candidates: other versions of a service's models, which answer a share or are compared."""

import logging
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

from starlette.routing import BaseRoute

from app.bundle_loader import OpenCandidate
from app.error_location import locate_error
from app.http.canary import CanarySplit, CandidateDescription
from app.http.route import LeanRoute
from app.inference.model import OtherVersion
from app.model_cache import served
from app.model_service import ModelService
from app.monitoring.prediction_metrics import MONTE_CARLO, PLAIN
from app.monitoring.shadow_metrics import ShadowMetrics
from app.monitoring.shadow_report import ShadowReport, shadow_report
from app.record_ports import Memory
from app.serving.shadow import Follower, Shadow
from app.settings import Settings
from app.usecases.canary import Canary, canary_key
from app.usecases.disagreements import Disagreements
from dubito.bundles.manifest import Manifest
from dubito.types import Identity

log = logging.getLogger("dubito")


class RunningCanary(NamedTuple):
    """A canary, and everything that answers for it."""

    choice: Canary
    model: ModelService
    stack: AsyncExitStack
    """Closes its bundle."""

    @property
    def other(self) -> OtherVersion:
        """What the Open Inference Protocol knows of it."""
        return OtherVersion(self.choice, self.model.inference)

    def describe(self) -> CandidateDescription:
        """Describe it."""
        identity = self.model.manifest.identity
        return CandidateDescription(
            version=identity.version, digest=identity.digest, share=self.choice.share
        )

    def split(self, routes: Sequence[BaseRoute], settings: Settings) -> None:
        """Have the routes of the served version give it its share of the requests."""
        found = (route for router in self.model.routers() for route in router.routes)
        own = {
            one.path: one
            for one in found
            if isinstance(one, LeanRoute) and one.path in (PLAIN, MONTE_CARLO)
        }
        for route in routes:
            if isinstance(route, LeanRoute) and route.path in own:
                route.split = CanarySplit(self.choice, own[route.path], settings)


def run_canary(candidate: OpenCandidate, model: ModelService, secret: bytes) -> RunningCanary:
    """Make a canary of an open bundle and what answers for it."""
    identity = candidate.bundle.manifest.identity
    key = canary_key(secret, identity.name, identity.digest)
    choice = Canary(candidate.source.share, key, lambda: model.served.predictor.trouble is None)
    return RunningCanary(choice, model, candidate.stack)


class RunningShadow:
    """A shadow, and what is noted of its disagreements with each bundle that was served."""

    def __init__(
        self,
        candidate: OpenCandidate,
        settings: Settings,
        metrics: ShadowMetrics,
        memory: Memory | None,
    ) -> None:
        """Set the open bundle, and where its disagreements are noted."""
        self.manifest = manifest = candidate.bundle.manifest
        self._metrics = metrics
        self._memory = memory
        self._predictor = served(candidate.bundle, settings).predictor
        share = candidate.source.share
        self._shadow = Shadow(self._predictor, manifest.members, manifest.calibration, share)
        self._notes: list[Disagreements] = []
        """Notes beside the bundle that is served, and before it beside the one before."""

    def beside(self, identity: Identity) -> Follower:
        """Compare the answers of a bundle from now on."""
        writer = None if self._memory is None else self._memory.writer
        notes = Disagreements(identity, self.manifest.identity, self._metrics, writer)
        for older in self._notes[:-1]:
            older.leave()
        self._notes = [*self._notes[-1:], notes]
        return Follower(self._shadow, notes.note, notes.skip)

    def describe(self) -> CandidateDescription:
        """Describe it."""
        identity = self.manifest.identity
        return CandidateDescription(
            version=identity.version, digest=identity.digest, share=self._shadow.share
        )

    def report(self, identity: Identity) -> Awaitable[ShadowReport] | None:
        """Read what is known of it beside a bundle; None if nothing is recorded."""
        if self._memory is None:
            return None
        reader, own = self._memory.reader, self.manifest.identity
        return shadow_report(reader, identity, own, self._shadow.share)

    async def run(self) -> None:
        """Compare until cancelled; a shadow that fails compares nothing any more."""
        try:
            await self._shadow.run()
        except Exception as error:  # noqa: BLE001 - the service goes on without it
            name = self.manifest.name
            log.error("the shadow of %s has ended: %s", name, locate_error(error))  # noqa: TRY400

    async def write(self) -> None:
        """Write the counts since the last write."""
        for notes in self._notes:
            await notes.write()

    def leave(self) -> None:
        """Queue the remaining counts, and end."""
        for notes in self._notes:
            notes.leave()
        self._predictor.close()


def misfit(manifest: Manifest, served: Manifest | None) -> str | None:
    """Return why a bundle cannot be a candidate beside the served one; None if it can."""
    if served is None:
        return "no bundle of this model is served"
    if manifest.identity.digest == served.identity.digest:
        return "it is the bundle that is served"
    return served.signature.difference(manifest.signature)
