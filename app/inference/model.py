"""A served model, as the Open Inference Protocol asks for it, whatever the transport."""

import hashlib
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import Struct

from app.errors import NotFound, NotReady
from app.inference.inference import Inference, ValidatedRequest
from app.inference.metadata import model_config, model_metadata
from app.inference.options import REFERENCE
from app.inference.request import InferenceRequest
from app.inference.response import InferenceResponse
from app.monitoring.inference_metrics import InferenceMetrics, ModelStatistics, Stopwatch
from app.problem_codes import ProblemCode
from app.serving.caller import Caller
from app.serving.readiness import Readiness
from app.settings import Settings
from app.usecases.canary import Canary
from app.usecases.idempotency import Recorder, RequestName
from dubito.bundles.manifest import Manifest

EncodeResponse = Callable[[InferenceResponse, ValidatedRequest], Sequence[bytes]]
"""Function from a response, and what was asked for, to the parts of its body."""


class ReceivedRequest(Struct, frozen=True):
    """A request as it arrived."""

    request: InferenceRequest
    whole: Callable[[], bytes]
    """Function that returns the bytes of all of it, with which an idempotency key is compared."""
    since: float
    """Time at which it arrived, seconds of the event loop's clock."""
    until: float = math.inf
    """Deadline that the transport has of its own, on the same clock."""
    reference: str | None = None
    """Name of the case that the transport has, unless a parameter names it; `key` likewise."""
    key: str | None = None
    gone: Callable[[], bool] = lambda: False
    """Whether its client has disconnected."""


class InferenceBody(Struct, frozen=True):
    """The body of a response."""

    parts: Sequence[bytes]
    is_repeated: bool
    """Whether an earlier answer to the same idempotency key is repeated, in one part."""


class ServedModel:
    """A model: its metadata, and the answers to requests for inferences."""

    def __init__(
        self,
        manifest: Manifest,
        inference: Inference,
        recorder: Recorder,
        readiness: Readiness,
        metrics: InferenceMetrics,
        settings: Settings,
    ) -> None:
        """Keep the parts that answer, and build what is told of the bundle."""
        self.name, self.version = inference.name, inference.version
        self.readiness = readiness
        self.metrics = metrics
        self.metadata = model_metadata(manifest, inference.outputs)
        self.config = model_config(manifest, inference.outputs, settings.max_rows)
        self.expect = inference.expect
        self.users = inference.users
        self._inference = inference
        self._recorder = recorder

    async def infer(
        self, given: ReceivedRequest, encode: EncodeResponse, watch: Stopwatch
    ) -> InferenceBody:
        """Answer a request, record the answer, and return the body of the response.

        Raises:
            InvalidInput: the request is not valid; the error names the member, input or parameter.
            Conflict: its idempotency key is in use, or was used for another request.
            Unavailable: the queue is full, the deadline cannot be met, or the service has trouble.
            DeadlinePassed: the deadline passed after the request was accepted.
            Abandoned: the client has disconnected.
        """
        watch.metrics = self.metrics
        validated = self._inference.validate(given.request)
        deadline = min(given.since + validated.options.deadline_ms / 1e3, given.until)
        caller = Caller(deadline, given.gone)
        key = validated.key or given.key
        digest = b"" if key is None else hashlib.sha256(given.whole()).digest()
        name = RequestName(validated.reference or given.reference, key, digest)
        with self._recorder.of(name, caller.deadline) as record:
            watch.lap()
            if (earlier := await record.earlier()) is not None:
                self.metrics.repeated(watch)
                return InferenceBody([earlier], is_repeated=True)
            response = await self._inference.answer(validated, caller, record)
            watch.lap()
            written = encode(response, validated)
            kept = await record.keep(written)
            watch.lap()
            self.metrics.succeeded(watch, response.rows)
            return InferenceBody(kept, is_repeated=kept is not written)


class OtherVersion(NamedTuple):
    """A version that answers a share of the requests to a model."""

    canary: Canary
    model: ServedModel


def not_loaded() -> NotReady:
    """Create the error about a model whose bundle could not be loaded; the log says why."""
    return NotReady("the bundle of this model could not be loaded; the log says why")


@dataclass(frozen=True, slots=True)
class ServedModels:
    """The served models, by name."""

    by_name: Mapping[str, ServedModel]
    """Model of each name, which is another once its bundle was replaced."""
    statistics: Callable[[], Awaitable[Mapping[tuple[str, str], ModelStatistics]]]
    """Function that returns what models have done, by name and version."""
    unserved: Mapping[str, str] = field(default_factory=dict)
    """Why a model that the service was started with is not served, by its name."""
    canaries: Mapping[str, OtherVersion] = field(default_factory=dict)
    """Other version of a model, by its name."""

    @property
    def served(self) -> Sequence[ServedModel]:
        """All models, in all versions."""
        others = [one.model for name, one in self.canaries.items() if name in self.by_name]
        return [*self.by_name.values(), *others]

    def chosen(self, model: ServedModel, given: ReceivedRequest) -> ServedModel:
        """Return the version that answers a request which names none."""
        other = self.canaries.get(model.name)
        if other is None or other.canary.is_over:
            return model
        reference = given.request.parameters.get(REFERENCE, given.reference)
        named = reference if isinstance(reference, str) else None
        takes = other.canary.takes(named, b"" if named is not None else given.whole())
        return other.model if takes else model

    def find(self, name: str, version: str = "") -> ServedModel:
        """Return a model.

        Raises:
            NotFound: no model of this name, or another version of it, is served.
            NotReady: its bundle could not be loaded.
        """
        if name in self.unserved:
            raise not_loaded()
        model, other = self.by_name.get(name), self.canaries.get(name)
        if model is not None and other is not None and version == other.model.version:
            return other.model
        if model is None or version not in ("", model.version):
            sentence = "no model of this name and version is served"
            raise NotFound(ProblemCode.NO_SUCH_MODEL, sentence)
        return model

    def reason(self, name: str, version: str = "") -> str | None:
        """Return why a model cannot answer now; None if it can.

        Raises:
            NotFound: no model of this name, or another version of it, is served.
        """
        try:
            return self.find(name, version).readiness.reason
        except NotReady as error:
            return str(error)
