"""The calls of `inference.GRPCInferenceService`, over the same models as `/v2`."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc.aio import ServicerContext

from app.error_location import locate_error
from app.errors import Abandoned, DeadlinePassed, Unavailable
from app.grpc import inference_pb2 as pb
from app.grpc.messages import encoded, filled, to_request
from app.grpc.status import MessageTooSlow, RepositoryHidden, Status, status_of
from app.inference.metadata import server_metadata
from app.inference.model import ReceivedRequest, ServedModels
from app.inference.repository import Repository, no_parameters
from app.inference.statistics import told_statistics
from app.monitoring.http_metrics import Traffic
from app.proxy_headers import BY_PROXIES
from app.serving.readiness import Readiness
from app.settings import Settings

SERVICE = "inference.GRPCInferenceService"
LOCAL = ("ipv4:127.", "ipv6:[::1]", "ipv6:%5B::1%5D", "unix:")
"""Beginnings of the addresses of peers on this machine."""
STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""Status of HTTP that a code is counted and logged as, beside the other routes'."""

UNABLE = {503, 504}
GivenUp = Unavailable | DeadlinePassed | Abandoned

Call = Callable[[Any, ServicerContext[Any, Any]], Awaitable[Any]]

log = logging.getLogger("dubito.access")


class Calls:
    """The service's calls."""

    def __init__(
        self,
        models: ServedModels,
        repository: Repository,
        readiness: Readiness,
        traffic: Traffic,
        refused: Callable[[str], None],
        settings: Settings,
        version: str,
    ) -> None:
        """Keep what answers them; `refused` gets the reason of each call that is given up."""
        self._active = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._refused = refused
        self._seconds = settings.body_seconds
        self._models = models
        self._repository = repository
        self._readiness = readiness
        self._traffic = traffic
        self._is_exposed = settings.records_exposed
        self._version = version

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the calls, as a server takes them."""
        methods: dict[str, grpc.RpcMethodHandler[bytes, Any]] = {
            # Of one message, which has a time to arrive: as a stream, the call begins before it.
            name: grpc.stream_unary_rpc_method_handler(
                self._answering(name, call, getattr(pb, f"{name}Request")),
                response_serializer=_serialized,
            )
            for name, call in self._calls()
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _calls(self) -> Iterator[tuple[str, Call]]:
        yield "ServerLive", self._server_live
        yield "ServerReady", self._server_ready
        yield "ServerMetadata", self._server_metadata
        yield "ModelReady", self._model_ready
        yield "ModelMetadata", self._model_metadata
        yield "ModelConfig", self._model_config
        yield "ModelInfer", self._model_infer
        yield "ModelStatistics", self._model_statistics
        yield "RepositoryIndex", self._repository_index
        yield "RepositoryModelLoad", self._repository_model_load
        yield "RepositoryModelUnload", self._repository_model_unload

    def _answering(self, name: str, call: Call, kind: type[Message]) -> Call:
        """Return a call that reads its message, counts, and tells errors by their codes."""
        route = f"/{SERVICE}/{name}"

        async def answer(stream: AsyncIterator[bytes], context: ServicerContext[Any, Any]) -> Any:
            start = time.perf_counter()
            try:
                data = await self._message(stream)
                with self._working():
                    found = await call(kind.FromString(data), context)
            except asyncio.CancelledError:
                self._tell(route, Status(grpc.StatusCode.CANCELLED, "", ()), None, start)
                raise
            except Exception as error:  # noqa: BLE001 - the client gets a code, the log the cause
                status = status_of(error)
                self._tell(route, status, error, start)
                await context.abort(status.code, status.sentence, status.metadata)
            self._traffic(route, "POST", 200, time.perf_counter() - start)
            return found

        return answer

    async def _message(self, stream: AsyncIterator[bytes]) -> bytes:
        """Read the only message of a call.

        Raises:
            MessageTooSlow: it was not complete in time.
            DecodeError: there is none, or more than one.
        """
        found: list[bytes] = []
        try:
            async with asyncio.timeout(self._seconds):
                async for data in stream:
                    found.append(data)
                    if len(found) > 1:
                        break
        except TimeoutError:
            raise MessageTooSlow(self._seconds) from None
        if len(found) != 1:
            raise DecodeError
        return found[0]

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Count a call as one that is being answered."""
        self._active += 1
        self._is_idle.clear()
        try:
            yield
        finally:
            self._active -= 1
            if not self._active:
                self._is_idle.set()

    async def finish(self, seconds: float) -> None:
        """Wait until no call is being answered, for so long at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_idle.wait()

    def _tell(self, route: str, status: Status, error: Exception | None, start: float) -> None:
        """Count and log a call that was not answered."""
        if isinstance(error, GivenUp):
            self._refused(error.reason)
        number = STATUSES.get(status.code, 500)
        self._traffic(route, "POST", number, time.perf_counter() - start)
        cause = "" if error is None else type(error).__name__
        if number == 500 and error is not None:
            log.error("gRPC %s %s %s", route, status.code.name, locate_error(error))
            return
        level = logging.WARNING if number in UNABLE else logging.INFO
        log.log(level, "gRPC %s %s %s", route, status.code.name, cause)

    async def _server_live(self, *_: Any) -> pb.ServerLiveResponse:
        return pb.ServerLiveResponse(live=True)

    async def _server_ready(self, *_: Any) -> pb.ServerReadyResponse:
        return pb.ServerReadyResponse(ready=self._readiness.reason is None)

    async def _server_metadata(self, *_: Any) -> Any:
        return filled(pb.ServerMetadataResponse(), server_metadata(self._version))

    async def _model_ready(self, request: pb.ModelReadyRequest, _: object) -> Any:
        reason = self._models.reason(request.name, request.version)
        return pb.ModelReadyResponse(ready=reason is None)

    async def _model_metadata(self, request: pb.ModelMetadataRequest, _: object) -> Any:
        model = self._models.find(request.name, request.version)
        return filled(pb.ModelMetadataResponse(), model.metadata)

    async def _model_config(self, request: pb.ModelConfigRequest, _: object) -> Any:
        model = self._models.find(request.name, request.version)
        return filled(pb.ModelConfigResponse(), {"config": model.config})

    async def _model_infer(
        self, request: pb.ModelInferRequest, context: ServicerContext[Any, Any]
    ) -> bytes:
        now = asyncio.get_running_loop().time()
        model = self._models.find(request.model_name, request.model_version)
        model.readiness.check()
        with model.users, model.metrics.watching() as watch:
            # None without a deadline, whatever the stubs say.
            remaining: Any = context.time_remaining()
            received = ReceivedRequest(
                to_request(request, model.expect),
                partial(request.SerializeToString, deterministic=True),
                since=now,
                until=math.inf if remaining is None else now + remaining,
                gone=context.cancelled,
            )
            chosen = model if request.model_version else self._models.chosen(model, received)
            with chosen.users:
                kept = await chosen.infer(received, encoded, watch)
        return b"".join(kept.parts)

    async def _model_statistics(self, request: pb.ModelStatisticsRequest, _: object) -> Any:
        asked = (
            [self._models.find(request.name, request.version)]
            if request.name
            else self._models.served
        )
        told = await told_statistics(self._models, asked)
        return filled(pb.ModelStatisticsResponse(), told)

    async def _repository_index(
        self, request: pb.RepositoryIndexRequest, context: ServicerContext[Any, Any]
    ) -> Any:
        self._check(context)
        entries = await self._repository.index(ready=request.ready)
        found = [pb.RepositoryIndexResponse.ModelIndex(**one._asdict()) for one in entries]
        return pb.RepositoryIndexResponse(models=found)

    async def _repository_model_load(
        self, request: pb.RepositoryModelLoadRequest, context: ServicerContext[Any, Any]
    ) -> Any:
        self._check(context)
        if request.parameters:
            raise no_parameters()
        name = request.model_name or request.repository_name
        await self._repository.load(name)
        return pb.RepositoryModelLoadResponse(model_name=name, is_loaded=True)

    async def _repository_model_unload(
        self, request: pb.RepositoryModelUnloadRequest, context: ServicerContext[Any, Any]
    ) -> Any:
        self._check(context)
        name = request.model_name or request.repository_name
        await self._repository.unload(name)
        return pb.RepositoryModelUnloadResponse(model_name=name, is_unloaded=True)

    def _check(self, context: ServicerContext[Any, Any]) -> None:
        """Check that the caller may ask about the repository, as about records."""
        names = {key for key, _ in context.invocation_metadata() or ()}
        is_direct = context.peer().startswith(LOCAL) and names.isdisjoint(BY_PROXIES)
        if not self._is_exposed and not is_direct:
            raise RepositoryHidden


def _serialized(message: Any) -> bytes:
    """Serialize a message, unless it is already."""
    found: bytes = message if isinstance(message, bytes) else message.SerializeToString()
    return found
