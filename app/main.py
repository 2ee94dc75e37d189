"""The composition root: settings in, application out. It only wires."""

import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from app import __version__
from app.api import problems
from app.api.answers import Answers
from app.api.cases import Cases
from app.api.conduct import Conduct
from app.api.grading import grading
from app.api.identifier import new_id
from app.api.information import describe, information
from app.api.predictions import predictions
from app.api.recording import Memory, Recorder
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


@contextmanager
def remembering(settings: Settings) -> Iterator[Memory | None]:
    """Where answers are recorded, if anywhere.

    Raises:
        RecordsError: the records cannot be opened.
    """
    if settings.records == "off":
        yield None
        return
    # A service without records does without what this imports.
    from app.records import database, key, store

    url = database.url_of(settings.records_url, settings.state)
    secret = settings.records_key_file or settings.state / key.FILE
    with store.remembering(url, secret, new_id()) as kept:
        yield Memory(kept.writer, kept, waits=settings.records == "durable")


def create_app(settings: Settings, opening: Opening = in_this_process) -> FastAPI:
    """The service for these settings; the bundle is opened by its lifespan.

    A bundle that must not be served raises a `DubitoError` there, before any port opens.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # The records open while an engine in another process loads.
        with remembering(settings) as kept:
            async with opening(settings) as opened:
                predictor = install(app, opened, kept)
                try:
                    yield
                finally:
                    predictor.close()

    def install(app: FastAPI, opened: Opened, kept: Memory | None) -> Predictor:
        manifest, identity = opened.manifest, opened.manifest.identity
        signature, passes, calibration = manifest.signature, manifest.passes, manifest.calibration
        judge = None if calibration is None else Judge(calibration, manifest.rules, signature)
        queue = min(settings.max_queue, capacity(memory() // settings.workers))
        predictor = Predictor(opened.compute, signature, queue=queue, judge=judge)
        card = {"metrics": manifest.metrics, "trained": asdict(manifest.trained)}
        about = describe(
            identity, signature, passes, calibration, card, opened.environment, settings
        )
        recorder = Recorder(signature, opened.environment.fingerprint, kept)
        answers = Answers(identity, signature.classes, calibration)
        routes = grading(predictor, recorder, answers, signature, passes, calibration, settings)
        # Not included as routers, which FastAPI would look through anew for every request.
        app.router.routes.extend([*routes.routes, *information(about).routes])
        if kept is not None:
            environment = opened.environment.fingerprint
            cases = Cases(kept, predictor, answers, identity, signature, environment, settings)
            app.router.routes.extend(predictions(cases, settings).routes)
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
