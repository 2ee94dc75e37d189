"""`/models/NAME/…`: the addresses of each model, as a service has them that serves only this.

A model has its own OpenAPI document and page, whose addresses are relative to `/models/NAME`. The
first model's are also served without this beginning.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic_core import to_json
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from app.errors import NotFound
from app.http.body import JSON_TYPE
from app.http.documentation import ADDRESS, FILES, SERVERS, completed, documentation_page
from app.http.route import LeanRoute
from app.inference.model import not_loaded
from app.problem_codes import ProblemCode
from dubito.inputs.options import NoOptions

MODELS = "/models"
DESCRIPTION = "/model"
"""Address of a model's description, which is also that of the model itself."""
WITHOUT_NAME = (DESCRIPTION, "/predict", "/uncertainty", "/alarms", "/canary", "/shadow")
"""Beginnings of the addresses that are the first model's."""


class ModelAddresses:
    """Addresses of one model."""

    def __init__(self, name: str, routes: Sequence[BaseRoute]) -> None:
        """Set the name, and the routes of a service that serves only this model."""
        self._name = name
        self._own = [route for route in routes if isinstance(route, LeanRoute)]
        self._document: bytes | None = None

    def routes(self) -> Iterator[BaseRoute]:
        """Create the same routes under the model's name, and its documentation."""
        address = f"{MODELS}/{self._name}"
        for route in self._own:
            yield route.at(address + route.path)
            if route.path == DESCRIPTION:
                yield route.at(address)
        yield from self._documentation(address).routes

    def _documentation(self, address: str) -> APIRouter:
        router = APIRouter(route_class=LeanRoute, include_in_schema=False)
        title = f"Dubito · {self._name}"
        page = documentation_page(title, "openapi.json", f"../../{FILES}")

        @router.get(f"{address}/openapi.json")
        async def document(
            request: Request,
            options: Annotated[NoOptions, Query()],  # noqa: ARG001 - allows no parameters
        ) -> Response:
            if self._document is None:
                self._document = to_json(self._written(title, request.app.version))
            return Response(self._document, media_type=JSON_TYPE)

        @router.get(f"{address}{ADDRESS}")
        async def docs(_: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - allows no parameters
            return page

        return router

    def _written(self, title: str, version: str) -> dict[str, Any]:
        return completed(
            self._own,
            lambda: get_openapi(title=title, version=version, routes=self._own, servers=SERVERS),
        )


class UnservedRoute(BaseRoute):
    """Refuses requests for models that are not served: unknown ones, and those without a bundle."""

    path = f"{MODELS}/{{name}}"
    """Template for the metrics, which hold no text of a client."""

    def __init__(self, served: Collection[str], unserved: Mapping[str, str], first: str) -> None:
        """Set the names of the served models, of those that could not be loaded, and the first."""
        self._served = served
        self._unserved = unserved
        self._has_first = first in served

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match requests whose address names another model, or means the first one without name."""
        is_mine = scope["type"] == "http" and self._is_mine(_path(scope))
        return (Match.FULL, {"route": self}) if is_mine else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is read or sent
        """Refuse a request.

        Raises:
            NotReady: the bundle of the model could not be loaded.
            NotFound: no model has this name.
        """
        name = _name_in(_path(scope))
        if name is not None and name not in self._unserved:
            sentence = "no model of this name and version is served"
            raise NotFound(ProblemCode.NO_SUCH_MODEL, sentence)
        raise not_loaded()

    def _is_mine(self, path: str) -> bool:
        name = _name_in(path)
        if name is not None:
            return name not in self._served
        return not self._has_first and any(
            path == own or path.startswith(f"{own}/") for own in WITHOUT_NAME
        )


def _path(scope: Scope) -> str:
    """Return the path of a request below the address under which the service is reached."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _name_in(path: str) -> str | None:
    """Return the name in an address of one model; None in any other address."""
    beginning = f"{MODELS}/"
    return path[len(beginning) :].partition("/")[0] if path.startswith(beginning) else None
