"""The composition root: builds the ASGI application from settings and wires its parts."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from app.bundle_loader import Opening, open_candidates, open_in_thread, open_models
from app.error_location import log_loop_error
from app.http import problems
from app.http.access import Access, OriginGuard, allow, origins_of
from app.http.compression import Compression
from app.http.documentation import SERVERS, document
from app.http.front import Front
from app.http.middleware import Conduct
from app.model_source import ModelSource, model_sources
from app.monitoring.metrics import Metrics
from app.record_ports import Memory
from app.service import Service
from app.settings import Settings, read_settings
from app.swaps import Joining, join_alone
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
"""Function from settings to an async context manager of the record store, which is open for the
application's lifetime; it yields None when recording is off."""


@asynccontextmanager
async def remembering_here(settings: Settings) -> AsyncIterator[Memory | None]:
    """Open the record store, written by a thread of this process; None when recording is off.

    Raises:
        RecordsError: the records cannot be opened.
    """
    if settings.records == "off":
        yield None
        return
    # Imported late: a service that records nothing does not need these modules.
    from app.monitoring.event_builder import EventBuilder
    from app.records import address, key
    from app.records.opening import open_store

    url = address.url_of(settings.records_url, settings.state)
    secret = key.path_of(settings.records_key_file, settings.state)
    waits = settings.records == "durable"
    async with open_store(url, secret, new_id(), EventBuilder) as kept:
        yield Memory(kept.writer, kept.reader, kept.forget, waits)


def _secret(settings: Settings) -> bytes:
    """Return the secret that chooses a canary's requests: the first key of the records.

    It is the same in all services that share records, and stays when the key is renewed.

    Raises:
        RecordsError: the key cannot be read or made.
    """
    from app.records import key

    file = key.path_of(settings.records_key_file, settings.state)
    key.read_or_make(file)
    return key.read_all(file)[-1]


def create_app(
    settings: Settings,
    opening: Opening = open_in_thread,
    remembering: Remembering = remembering_here,
    models: Sequence[ModelSource] | None = None,
    lending: Opening | None = None,
    joining: Joining = join_alone,
) -> Front:
    """Create the application for these settings; its lifespan opens the bundles and the records.

    A bundle that must not be served raises a `DubitoError` in the lifespan, before any port opens.

    Args:
        settings: the settings, already validated.
        opening: opens a bundle that will be served, and starts its engine.
        remembering: opens the record store, or yields None when recording is off.
        models: where the bundle of each model is; those of the settings if None.
        lending: opens a bundle for replays; `opening` if None.
        joining: returns what changes the models that are served.
    """
    models = model_sources(settings) if models is None else models

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # The default handler prints objects, which may contain a borrower's values.
        asyncio.get_running_loop().set_exception_handler(log_loop_error)
        # In this order an engine in another process loads while the records are being opened.
        async with (
            remembering(settings) as kept,
            open_models(models, opening) as opened,
            open_candidates(models, lending or opening) as candidates,
        ):
            service = Service(
                settings,
                opening,
                lending or opening,
                joining,
                opened,
                candidates,
                _secret(settings) if candidates else b"",
                kept,
                metrics,
                lambda: app.state.ready,
            )
            service.publish(app.publish)
            app.state.identities, app.state.ready = service.identities, True
            app.state.reload = service.reload
            async with service.running(), service.serving_grpc(__version__):
                yield

    metrics = Metrics()
    app = Front(
        metrics.traffic,
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
    # A connection-level refusal has no route, no method and no duration.
    app.state.refused = lambda status: metrics.traffic("-", "-", status, 0.0)
    problems.install(app, metrics.refused)
    # The first middleware added is the innermost: pages of allowed origins can then read why a
    # request was refused.
    app.add_middleware(OriginGuard, access=Access(settings))
    if settings.cors_origins is not None:
        allow(app, origins_of(settings))
    app.add_middleware(Conduct, observe=metrics.traffic)
    # This middleware changes the list of headers in place, which is safe because `Conduct` gives
    # each response its own list.
    app.add_middleware(Compression)
    return app


def from_environment() -> FastAPI:
    """Create the application that the `DUBITO_*` variables describe.

    Everything runs in this one process, and the limits on connections are those of the ASGI server.

    Raises:
        SettingsError: a variable has a value that cannot be used.
    """
    return create_app(read_settings(os.environ, {}))


def __getattr__(name: str) -> FastAPI:
    """Create `app` on first access, for `fastapi run app/main.py` and `uvicorn app.main:app`.

    Importing this module for `create_app` therefore reads no environment variables.
    """
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    app = globals()[name] = from_environment()
    return app


def __dir__() -> list[str]:
    """List the names of this module including `app`, which `fastapi run` looks for."""
    return sorted({*globals(), "app"})
