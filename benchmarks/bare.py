"""An empty FastAPI route with the models of a bundle's `/predict/mc`, and no network behind it.

What a request costs before anything is computed: the yardstick of `benchmarks.serving`. Written as
FastAPI's tutorial writes a route: the body, the query and the answer are Pydantic models, all of
them the service's own. Run by `uvicorn --factory benchmarks.bare:create_app`, with the bundle's
folder in `BARE_BUNDLE`.
"""

import os
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query

from app.api.answers import Answers
from app.api.options import monte_carlo_options
from app.api.rows import RowReader
from app.network.inspection.archive import inspect
from app.values import Summary


def create_app() -> FastAPI:
    """One route, which answers the first golden row whatever it is asked."""
    manifest = inspect(Path(os.environ["BARE_BUNDLE"])).manifest
    row = RowReader(manifest.signature, 1).row
    options = monte_carlo_options(manifest.passes, 10_000, manifest.calibration)
    answers = Answers(manifest.identity, manifest.signature.classes, manifest.calibration)
    return app
