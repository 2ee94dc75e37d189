"""The composition root: settings in, application out. It only wires."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from app.bundle_loader import Opening, in_this_process
from app.error_location import tell
from app.http import problems
from app.http.access import Access, Guard, allow, origins_of
from app.http.compression import Compression
from app.http.documentation import SERVERS, document
from app.http.middleware import Conduct
from app.monitoring.metrics import Metrics
from app.record_ports import Memory
from app.service import Service
from app.settings import Settings, read_settings
from dubito import __version__
from dubito.identifier import new_id

TITLE = "Dubito"
SUMMARY = "Predictions that say how far they can be trusted"
DESCRIPTION = """
`POST /predict` answers the most likely grade; `POST /predict/mc` runs the network many times with
Monte-Carlo dropout and answers how much it varies. One bundle, features, passes and seed give one
answer, to the last bit.

An answer says how likely each grade is and how sure the network is of it. Of a calibrated bundle it
also holds the grades that are possible, and a decision: whether the grade may be used
without a person. A decision says nothing about granting the loan, and a grade says nothing about
whether anything should be granted to anyone.
"""


Remembering = Callable[[Settings], AbstractAsyncContextManager[Memory | None]]
"""How it is had where answers are recorded, for as long as they are; None where they are not."""


@asynccontextmanager
async def remembering_here(settings: Settings) -> AsyncIterator[Memory | None]:
    """The memory, written by a thread of this process.

    Raises:
        RecordsError: the records cannot be opened.
    """
    if settings.records == "off":
        yield None
        return
    # A service without records does without what this imports.
    from app.monitoring.event_builder import EventBuilder
    from app.records import database, key, store

    url = database.url_of(settings.records_url, settings.state)
    secret = key.path_of(settings.records_key_file, settings.state)
    waits = settings.records == "durable"
    async with store.in_this_process(url, secret, new_id(), EventBuilder) as kept:
        yield Memory(kept.writer, kept.reader, kept.forget, waits)


def create_app(
    settings: Settings,
    opening: Opening = in_this_process,
    remembering: Remembering = remembering_here,
) -> FastAPI:
    """The service for these settings; the bundle and the records are opened by its lifespan.

    A bundle that must not be served raises a `DubitoError` there, before any port opens.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Its own lines would show objects, which hold figures.
        asyncio.get_running_loop().set_exception_handler(tell)
        # The records open while an engine in another process loads.
        async with remembering(settings) as kept, opening(settings) as opened:
            service = Service(settings, opening, opened, kept, metrics)
            routers = service.routers(lambda: bool(app.state.ready))
            # Not included, as FastAPI would look through routers anew for every request; and before
            # its own, as routes are tried one after the other.
            app.router.routes[:0] = [route for router in routers for route in router.routes]
            app.state.identity, app.state.ready = opened.manifest.identity, True
            async with service.running():
                yield

    metrics = Metrics()
    app = FastAPIOffline(
        title=TITLE,
        summary=SUMMARY,
        description=DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        servers=SERVERS,
        root_path_in_servers=False,
    )
    document(app)
    # What is refused before it is a request has neither route nor method, and takes no time.
    app.state.refused = lambda status: metrics.traffic("-", "-", status, 0.0)
    problems.install(app, metrics.refused)
    # The first that is added is the innermost: allowed pages can read why they were refused.
    app.add_middleware(Guard, access=Access(settings))
    if settings.cors_origins is not None:
        allow(app, origins_of(settings))
    app.add_middleware(Conduct, seen=metrics.traffic)
    # It changes headers in their place: those of `Conduct` are of one answer alone.
    app.add_middleware(Compression)
    return app


def from_environment() -> FastAPI:
    """The service that `DUBITO_*` variables describe; its lifespan opens bundle and records.

    Everything runs in one process there, and the limits of connections are the server's own.

    Raises:
        SettingsError: a variable that cannot be used.
    """
    return create_app(read_settings(os.environ, {}))


def __getattr__(name: str) -> FastAPI:
    """`app`, for `fastapi run app/main.py` and `uvicorn app.main:app`, made when it is asked for.

    Whoever imports this module for `create_app` has no variables read.
    """
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    app = globals()[name] = from_environment()
    return app


def __dir__() -> list[str]:
    """The names of this module, `app` among them: `fastapi run` looks for it."""
    return sorted({*globals(), "app"})
