"""The composition root: settings in, application out. It only wires."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from app import __version__
from app.api import problems
from app.api.conduct import Conduct
from app.api.grading import grading
from app.api.information import describe, information
from app.network.catalog import find
from app.network.manifest import Manifest
from app.serving.capacity import capacity, memory
from app.serving.compute import Compute, Thread
from app.serving.judge import Judge
from app.serving.predictor import Predictor
from app.settings import Settings
from app.values import Environment

TITLE = "Dubito"
SUMMARY = "Predictions that say how far they can be trusted"
DESCRIPTION = """
`POST /predict` answers the most likely grade; `POST /predict/mc` runs the network many times with
Monte-Carlo dropout and answers how much it varies. One bundle, features, passes and seed give one
answer, to the last bit.

An answer says how likely each grade is and how sure the network is of it. Of a calibrated bundle it
also holds the grades that are to be reckoned with, and a decision: whether the grade may be used
without a person. A decision says nothing about granting the loan, and a grade says nothing about
whether anything should be granted to anyone.
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle that may be served, and what computes for it."""

    manifest: Manifest
    environment: Environment
    compute: Compute


Opening = Callable[[Settings], AbstractAsyncContextManager[Opened]]
"""How the bundle of some settings is opened, for as long as it is served."""


@asynccontextmanager
async def in_this_process(settings: Settings) -> AsyncIterator[Opened]:
    """The bundle, computed in a thread.

    Raises:
        BundleError: it must not be served.
    """
    # A service whose engine is another process does without what this imports.
    from app.network.bundle import load

    folder = find(settings.models, settings.model, settings.version)
    bundle = load(folder, pinned=settings.digest, threads=settings.threads)
    yield Opened(bundle.manifest, bundle.environment, Thread(bundle.engine))


def create_app(settings: Settings, opening: Opening = in_this_process) -> FastAPI:
    """The service for these settings; the bundle is opened by its lifespan.

    A bundle that must not be served raises a `DubitoError` there, before any port opens.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opening(settings) as opened:
            predictor = install(app, opened)
            try:
                yield
            finally:
                predictor.close()

    def install(app: FastAPI, opened: Opened) -> Predictor:
        manifest, identity = opened.manifest, opened.manifest.identity
        signature, passes, calibration = manifest.signature, manifest.passes, manifest.calibration
        judge = None if calibration is None else Judge(calibration, manifest.rules, signature)
        queue = min(settings.max_queue, capacity(memory() // settings.workers))
        predictor = Predictor(opened.compute, signature, queue=queue, judge=judge)
        card = {"metrics": manifest.metrics, "trained": asdict(manifest.trained)}
        about = describe(
            identity, signature, passes, calibration, card, opened.environment, settings
        )
        routes = grading(predictor, identity, signature, passes, calibration, settings)
        # Not included as routers, which FastAPI would look through anew for every request.
        app.router.routes.extend([*routes.routes, *information(about).routes])
        app.state.identity, app.state.ready = identity, True
        # What the libraries made lasts as long as the process: the collector need not look again.
        gc.collect()
        gc.freeze()
        return predictor

    app = FastAPIOffline(
        title=TITLE,
        summary=SUMMARY,
        description=DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    app.add_middleware(Conduct)
    return app
