"""The routes of a service, as they are exchanged all at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from starlette.routing import BaseRoute

from app.http.front import GradingRoute


class PublishedRoutes(NamedTuple):
    """All routes that are served at a time."""

    routes: Sequence[BaseRoute]
    short: Mapping[str, GradingRoute]
    """Those with a short way, by path."""


Publish = Callable[[Sequence[BaseRoute], Mapping[str, GradingRoute]], None]
"""Function that serves routes from now on."""
