"""The parts of the service that answer for one model: predictor, routes, metrics and alarms."""

from collections.abc import Callable, Iterator
from dataclasses import asdict

from fastapi import APIRouter

from app.bundle_loader import LoadedBundle
from app.http.access import Access
from app.http.alarms import alarms
from app.http.information import describe, information
from app.http.predict import grading
from app.http.statistics import uncertainty
from app.inference.inference import Inference
from app.inference.model import ServedModel
from app.model_cache import served
from app.monitoring.alarms import Sentry
from app.monitoring.counters import answer_counter
from app.monitoring.metrics import Metrics
from app.monitoring.monitor import USUAL, Monitor, Present
from app.monitoring.report import Report
from app.record_ports import Memory
from app.serving.fair_queue import Turn
from app.serving.readiness import Readiness
from app.serving.shadow import Follower
from app.settings import Settings
from app.usecases.idempotency import Recorder
from app.usecases.predict import Predict
from app.watched_bundle import WatchedBundle


class ModelService:
    """Answers for one model."""

    def __init__(
        self,
        opened: LoadedBundle,
        settings: Settings,
        metrics: Metrics,
        recorder: Recorder,
        is_serving: Callable[[], bool],
        models: int = 1,
        turn: Turn | None = None,
        follower: Follower | None = None,
    ) -> None:
        """Assemble the parts.

        Args:
            opened: the open bundle.
            settings: the settings of the service.
            metrics: where requests and answers are counted.
            recorder: records answers, for all models of the service.
            is_serving: whether the service is not stopping.
            models: number of models that share the queue.
            turn: place among the models that compute in turn; None if there is no other.
            follower: compares the answers with those of a shadow; None without one.
        """
        self._settings = settings
        self._cards = opened.cards
        self.manifest = manifest = opened.manifest
        self.environment = opened.environment
        self.watched = WatchedBundle(
            manifest.identity,
            manifest.signature,
            manifest.calibration,
            opened.environment.fingerprint,
        )
        self.counter = answer_counter(self.watched)
        self._predictions = predictions = metrics.predictions(manifest.identity, manifest.target)
        inferences = metrics.inferences(manifest.identity)

        def count_batch(work: int, seconds: float) -> None:
            predictions.batch(work, seconds)
            inferences.batch()

        self.served = served(opened, settings, count_batch, models, turn)
        predictor = self.served.predictor
        troubles, memory = [lambda: predictor.trouble], recorder.memory
        if memory is not None:
            writer = memory.writer
            troubles.append(lambda: writer.trouble)
        self.readiness = Readiness(*troubles, is_serving=is_serving)
        self.is_current = True
        """Whether the bundle is served, and was not replaced."""
        self._predict = Predict(
            predictor,
            self.served.answers,
            predictions,
            len(manifest.target.outputs),
            settings.max_work,
            self.served.users,
            follower,
        )
        self._recorder = recorder
        self.inference = ServedModel(
            manifest,
            Inference(manifest, self._predict, settings),
            self._recorder,
            self.readiness,
            inferences,
            settings,
        )
        self._watching = None if memory is None else Watching(self, memory)

    @property
    def name(self) -> str:
        """Name of the bundle."""
        return self.manifest.identity.name

    def routers(self) -> Iterator[APIRouter]:
        """Create the routes of the model, with the addresses of a service that has only this."""
        manifest, settings = self.manifest, self._settings
        yield grading(self._predict, self._recorder, self.readiness, manifest, settings)
        yield self._information()
        if self._watching is not None:
            yield from self._watching.routers(settings)

    def end(self, *, is_gone: bool) -> None:
        """Say that this does not answer any more; event streams about it end.

        Args:
            is_gone: whether nothing else answers with the same bundle.
        """
        self.is_current = False
        if is_gone:
            self._predictions.end()

    def latest(self) -> Report | None:
        """Return the newest report of the answers; None without one, or if none are recorded."""
        return None if self._watching is None else self._watching.monitor.latest

    async def look(self) -> None:
        """Evaluate the alarms and the usual report."""
        if self._watching is not None:
            await self._watching.look()

    def _information(self) -> APIRouter:
        manifest = self.manifest
        card = {
            "metrics": manifest.metrics,
            "metrics_on": "unknown" if manifest.trained.is_conversion else "held_out",
            "trained": asdict(manifest.trained),
        }
        about = describe(
            manifest.identity,
            manifest.signature,
            manifest.members,
            manifest.passes,
            manifest.calibration,
            card,
            self.environment,
            self._settings,
        )
        return information(about, manifest.target, self._cards)


class Watching:
    """The statistics and alarms of one model, which exist only when answers are recorded."""

    def __init__(self, model: ModelService, memory: Memory) -> None:
        """Set the model, and the source of counts."""
        self._model = model
        predictor, readiness = model.served.predictor, model.readiness
        present = Present(lambda: predictor.backlog, lambda: readiness.trouble)
        self._sentry = Sentry(memory.reader, memory.writer, model.watched)
        self.monitor = Monitor(memory.reader, self._sentry, model.watched, present)

    def routers(self, settings: Settings) -> Iterator[APIRouter]:
        """Create the routes of the statistics and alarms."""
        model = self._model

        def is_told() -> bool:
            return model.is_current and model.readiness.is_serving()

        yield uncertainty(self.monitor, model.manifest.target, Access(settings), is_told)
        yield alarms(self._sentry, settings)

    async def look(self) -> None:
        """Evaluate the alarms and the usual report."""
        await self._sentry.look()
        await self.monitor.content(USUAL)
