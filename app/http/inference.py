"""`/v2`: the Open Inference Protocol over HTTP, for clients of Triton, KServe and MLServer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from msgspec import DecodeError, Struct, json
from starlette.types import Receive, Scope, Send

from app.http.access import Access
from app.http.body import JSON_TYPE, collect_body, inflated
from app.http.connection import hung_up
from app.http.problems import INFERENCE
from app.http.request_name import request_name
from app.http.response import InParts, WholeJson
from app.http.route import LeanRoute
from app.inference.inference import ValidatedRequest
from app.inference.metadata import server_metadata
from app.inference.model import InferenceBody, ReceivedRequest, ServedModel, ServedModels
from app.inference.repository import Repository, no_parameters
from app.inference.request import read_request
from app.inference.response import InferenceResponse, encode_response, header_of
from app.inference.statistics import told_statistics
from app.serving.readiness import Readiness
from app.settings import Settings
from dubito.errors import Fault, FieldCode, InvalidInput, NotJson
from dubito.inputs.options import AnyOptions

HEADER = b"inference-header-content-length"
"""Header with the bytes of the JSON that binary data follows."""
BINARY_TYPE = "application/octet-stream"
MODEL = f"{INFERENCE}/models/{{name}}"
VERSIONED = f"{MODEL}/versions/{{version}}"

Content = TypeVar("Content")
Options = Annotated[AnyOptions, Query()]
Choose = Callable[[ServedModel, ReceivedRequest], ServedModel]
"""Function that returns the version of a model that answers a request."""
ModelHandler = Callable[[ServedModel, Request], Awaitable[Response]]
"""Function that answers a request about a model."""


class InferRoute:
    """The way to one model's inferences, for the short way of requests in front of FastAPI."""

    def __init__(
        self, path: str, model: ServedModel, settings: Settings, choose: Choose | None
    ) -> None:
        """Set the template of the path, for the metrics, and the model."""
        self.path = path
        self._model = model
        self._settings = settings
        self._choose = choose

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a POST for this model."""
        request = Request(scope, receive, send)
        response = await infer(self._model, request, self._settings, self._choose)
        await response(scope, receive, send)


def short_ways(
    models: Sequence[ServedModel], settings: Settings, choose: Choose
) -> Iterator[tuple[str, InferRoute]]:
    """Yield the addresses of inferences, as clients write them, with their routes.

    Args:
        models: the served models.
        settings: limits of a body.
        choose: chooses the version that answers a request which names none.
    """
    for model in models:
        address = f"{INFERENCE}/models/{model.name}"
        yield f"{address}/infer", InferRoute(f"{MODEL}/infer", model, settings, choose)
        versioned = InferRoute(f"{VERSIONED}/infer", model, settings, None)
        yield f"{address}/versions/{model.version}/infer", versioned


async def infer(
    model: ServedModel, request: Request, settings: Settings, choose: Choose | None
) -> Response:
    """Answer a request for an inference; `choose` chooses the version unless it names one."""
    since = asyncio.get_running_loop().time()
    model.readiness.check()
    with model.users:
        return await _inferred(model, request, settings, since, choose)


async def _inferred(
    model: ServedModel,
    request: Request,
    settings: Settings,
    since: float,
    choose: Choose | None,
) -> Response:
    most = settings.max_body_bytes
    body = await collect_body(request, most, settings.body_seconds)
    with model.metrics.watching() as watch:
        headers = dict(request.scope["headers"])
        coding = headers.get(b"content-encoding", b"").decode("latin-1")
        body = inflated(body, coding, most)
        size = _header(headers.get(HEADER), len(body))
        asked = read_request(body, size, model.expect)
        path = request.scope["path"].encode()
        named = request_name(request, b"")
        given = ReceivedRequest(
            asked,
            lambda: b"%b\0%b" % (path, body),
            since,
            reference=named.reference,
            key=named.key,
            gone=hung_up(request.receive),
        )
        chosen = model if choose is None else choose(model, given)
        with chosen.users:
            kept = await chosen.infer(given, _encoded, watch)
    return _response(kept)


def _header(declared: bytes | None, size: int) -> int | None:
    """Read the header with the bytes of the JSON."""
    if declared is None:
        return None
    if not declared.isdigit() or len(declared) > 15 or int(declared) > size:
        message = "must be the bytes of the JSON, at most those of the body"
        where = (HEADER.decode(),)
        raise InvalidInput([Fault(where, FieldCode.NOT_VALID, message, maximum=size)])
    return int(declared)


def _encoded(response: InferenceResponse, validated: ValidatedRequest) -> Sequence[bytes]:
    head, binary = encode_response(response, validated.binary)
    return [head, *binary]


def _response(body: InferenceBody) -> Response:
    """Send a body: JSON, or JSON and the binary data of outputs."""
    first, *binary = body.parts
    header = header_of(first) if body.is_repeated else len(first) if binary else None
    if header is None:
        return WholeJson(first)
    return InParts(body.parts, BINARY_TYPE, {HEADER.decode(): str(header)})


class _Index(Struct):
    ready: bool = False


class _Load(Struct):
    parameters: dict[str, Any] | None = None


def inference_routes(
    models: ServedModels,
    repository: Repository,
    readiness: Readiness,
    settings: Settings,
) -> APIRouter:
    """Create the routes of the protocol; records' rules say who may ask for the repository."""
    router = APIRouter(route_class=LeanRoute, include_in_schema=False)
    _add_server(router, readiness, models)
    _add_models(router, models, settings)
    _add_repository(router, repository, Access(settings), settings)
    return router


def _add_server(router: APIRouter, readiness: Readiness, models: ServedModels) -> None:
    @router.get(INFERENCE)
    @router.get(f"{INFERENCE}/")
    async def metadata(request: Request, options: Options) -> Response:  # noqa: ARG001 - ignored
        return _told(server_metadata(request.app.version))

    @router.get(f"{INFERENCE}/health/live")
    async def live(_: Request, options: Options) -> Response:  # noqa: ARG001 - ignored
        return _told({"live": True})

    @router.get(f"{INFERENCE}/health/ready")
    async def ready(_: Request, options: Options) -> Response:  # noqa: ARG001 - ignored
        return _readiness(readiness.reason)

    @router.get(f"{INFERENCE}/models")
    async def names(_: Request, options: Options) -> Response:  # noqa: ARG001 - ignored
        return _told({"models": [model.name for model in models.served]})


def _add_models(router: APIRouter, models: ServedModels, settings: Settings) -> None:
    def add(method: str, ending: str, answer: ModelHandler) -> None:
        """Add a route of a model, with and without a version."""

        async def found(request: Request, options: Options) -> Response:  # noqa: ARG001 - ignored
            return await answer(models.find(*_named(request)), request)

        for path in (MODEL, VERSIONED):
            router.add_api_route(f"{path}{ending}", found, methods=[method])

    @router.get(f"{MODEL}/ready")
    @router.get(f"{VERSIONED}/ready")
    async def ready(request: Request, options: Options) -> Response:  # noqa: ARG001 - ignored
        name, version = _named(request)
        return _readiness(models.reason(name, version), name=name)

    async def metadata(model: ServedModel, _: Request) -> Response:
        return _told(model.metadata)

    async def config(model: ServedModel, _: Request) -> Response:
        return _told(model.config)

    async def statistics(model: ServedModel, _: Request) -> Response:
        return _told(await told_statistics(models, [model]))

    async def inferred(model: ServedModel, request: Request) -> Response:
        is_free = not _named(request)[1]
        return await infer(model, request, settings, models.chosen if is_free else None)

    @router.get(f"{INFERENCE}/models/stats")
    async def every(_: Request, options: Options) -> Response:  # noqa: ARG001 - ignored
        return _told(await told_statistics(models, models.served))

    add("GET", "", metadata)
    add("GET", "/config", config)
    add("GET", "/stats", statistics)
    add("POST", "/infer", inferred)


def _named(request: Request) -> tuple[str, str]:
    """Return the name and the version, empty for any, of the model in a request's address."""
    way = request.path_params
    return way["name"], way.get("version", "")


def _add_repository(
    router: APIRouter, repository: Repository, access: Access, settings: Settings
) -> None:
    async def body_of(request: Request) -> bytes:
        access.check_records(request)
        return await collect_body(request, settings.max_body_bytes, settings.body_seconds)

    @router.post(f"{INFERENCE}/repository/index")
    async def index(request: Request, options: Options) -> Response:  # noqa: ARG001 - ignored
        body = await body_of(request)
        asked = _decoded(body, _Index) if body else _Index()
        return _told([entry._asdict() for entry in await repository.index(ready=asked.ready)])

    @router.post(f"{INFERENCE}/repository/models/{{name}}/load")
    async def load(request: Request, options: Options) -> Response:  # noqa: ARG001 - ignored
        body = await body_of(request)
        if body and _decoded(body, _Load).parameters:
            raise no_parameters()
        await repository.load(request.path_params["name"])
        return _told({})

    @router.post(f"{INFERENCE}/repository/models/{{name}}/unload")
    async def unload(request: Request, options: Options) -> Response:  # noqa: ARG001 - ignored
        await body_of(request)
        await repository.unload(request.path_params["name"])
        return _told({})


def _readiness(trouble: str | None, **more: str) -> Response:
    """Tell whether something is ready; what clients read is the status, or the member."""
    content: dict[str, Any] = {**more, "ready": trouble is None}
    if trouble is None:
        return _told(content)
    return _told({**content, "error": trouble}, HTTPStatus.SERVICE_UNAVAILABLE)


def _decoded(body: bytes, kind: type[Content]) -> Content:
    try:
        return json.decode(body, type=kind)
    except (DecodeError, UnicodeDecodeError):
        raise NotJson from None


def _told(content: Any, status: int = HTTPStatus.OK) -> Response:
    return Response(json.encode(content), status, media_type=JSON_TYPE)
