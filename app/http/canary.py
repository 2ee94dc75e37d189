"""`/canary`: a model's other version, and the choice of the requests that it answers."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.types import Receive, Scope

from app.errors import NotFound
from app.http.access import Access
from app.http.body import JSON_TYPE, collect_body
from app.http.connection import ReplayedBody
from app.http.json_schema import CLOSED, schema
from app.http.openapi import answered, refused
from app.http.request_name import request_name
from app.http.route import LeanRoute
from app.problem_codes import ProblemCode
from app.serving.users import Users
from app.settings import Settings
from app.usecases.canary import Canary
from dubito.inputs.options import NoOptions

REFUSALS = {
    403: "The request comes from another machine, through a proxy, or from a page of another site.",
    404: "The model has no canary.",
    422: "A query parameter is wrong.",
}


class CandidateDescription(BaseModel):
    """Another version of the model, which gets a share of its requests."""

    model_config = CLOSED

    version: int
    digest: str
    share: float = Field(description="part of the requests")


class CanarySplit:
    """Gives requests to the route of the version that answers them."""

    def __init__(self, canary: Canary, other: LeanRoute, users: Users, settings: Settings) -> None:
        """Set what is chosen from.

        Args:
            canary: chooses.
            other: route of the canary's version.
            users: users of the served version, which is not closed while a choice is made.
            settings: limits of a body.
        """
        self._canary = canary
        self._other: LeanRoute | None = other
        self._users = users
        self._most = settings.max_body_bytes
        self._seconds = settings.body_seconds

    async def __call__(self, scope: Scope, receive: Receive) -> tuple[LeanRoute | None, Receive]:
        """Return the route of the canary if that is to answer a request, and what it receives.

        Raises:
            Refusal: the body is too large, too slow or broken off.
            InvalidInput: a header that names the case is not printable.
        """
        if self._canary.is_over:
            # Its bundle is not kept for the sake of its route.
            self._other = None
        if self._other is None or scope["method"] != "POST":
            return None, receive
        request, body = Request(scope, receive), b""
        reference = request_name(request, b"").reference
        if reference is None:
            with self._users:
                body = await collect_body(request, self._most, self._seconds)
            receive = ReplayedBody(receive, body)
        return self._other if self._canary.takes(reference, body) else None, receive


def canary_routes(
    described: Callable[[], CandidateDescription | None],
    end: Callable[[], Awaitable[None]],
    settings: Settings,
) -> APIRouter:
    """Create the routes of one model's canary.

    Args:
        described: describes it; None if there is none.
        end: ends it in all workers.
        settings: the settings, which say who may end it.
    """
    router = APIRouter(tags=["canary"], route_class=LeanRoute)
    access = Access(settings)

    def found() -> CandidateDescription:
        canary = described()
        if canary is None:
            raise NotFound(ProblemCode.NO_CANARY, "the model has no canary")
        return canary

    @router.get(
        "/canary",
        summary="The other version that answers a share of the requests",
        operation_id="getCanary",
        responses=answered(schema(CandidateDescription), "The canary.") | refused(REFUSALS),
    )
    async def canary(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - allows no parameters
        access.check_records(request)
        return Response(to_json(found()), media_type=JSON_TYPE)

    @router.delete(
        "/canary",
        summary="End the canary at once: the served version answers everything",
        operation_id="endCanary",
        status_code=HTTPStatus.NO_CONTENT,
        responses=refused(REFUSALS),
    )
    async def ended(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - allows no parameters
        access.check_records(request)
        found()
        await end()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    for route in router.routes:
        if isinstance(route, LeanRoute):
            route.allowed = frozenset({"DELETE", "GET", "HEAD"})
    return router
