"""A shadow of a service's model, and what is noted of it."""

import logging
from collections.abc import Awaitable

from app.bundle_loader import OpenCandidate
from app.error_location import locate_error
from app.http.canary import CandidateDescription
from app.model_cache import served
from app.monitoring.shadow_metrics import ShadowMetrics
from app.monitoring.shadow_report import ShadowReport, shadow_report
from app.record_ports import Memory
from app.serving.shadow import Compared, Follower, Shadow
from app.settings import Settings
from app.usecases.disagreements import Disagreements
from dubito.types import Identity

NOTES = 2
"""Bundles whose notes are kept: the one that is served, and the one before it."""

log = logging.getLogger("dubito")


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
        """Notes beside each bundle that was served of late, the newest last."""

    def beside(self, identity: Identity) -> Follower:
        """Compare the answers of a bundle from now on; may be called in a thread."""
        writer = None if self._memory is None else self._memory.writer
        notes = Disagreements(identity, self.manifest.identity, self._metrics, writer)

        def note(compared: Compared) -> None:
            self._keep(notes)
            notes.note(compared)

        def skip(rows: int) -> None:
            self._keep(notes)
            notes.skip(rows)

        return Follower(self._shadow, note, skip)

    def _keep(self, notes: Disagreements) -> None:
        """Keep notes from when something is noted: a bundle that never answers has none."""
        if notes not in self._notes:
            self._notes.append(notes)

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
        for notes in list(self._notes):
            await notes.write()
        # What was answered before the last swap may still be compared.
        while len(self._notes) > NOTES and self._notes[0].is_written:
            del self._notes[0]

    def leave(self) -> None:
        """Queue the remaining counts, and end."""
        for notes in self._notes:
            notes.leave()
        self._predictor.close()
