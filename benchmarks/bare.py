"""Empty FastAPI route with the models of a bundle's `/predict/mc`, and no network behind it.

It measures the cost of a request before anything is computed, for `benchmarks.serving`. The route
is written as in FastAPI's tutorial: body, query and response are Pydantic models, all of them the
service's own. Run by `uvicorn --factory benchmarks.bare:create_app`, with the bundle's folder in
`BARE_BUNDLE` and a response of the service, as a file of JSON, in `BARE_ANSWER`.
"""

import os
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query

from app.http.answers import answer_models
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.options import monte_carlo_options
from dubito.inputs.rows import RowReader


def create_app() -> FastAPI:
    """Create an app with one route, which returns the same response to every valid request."""
    manifest = inspect(Path(os.environ["BARE_BUNDLE"])).manifest
    row_model = RowReader(manifest.signature, 1).row
    options_model = monte_carlo_options(
        manifest.target, manifest.passes, 10_000, manifest.calibration
    )
    models = answer_models(manifest.signature, manifest.calibration)
    answer = models.monte_carlo.model_validate_json(Path(os.environ["BARE_ANSWER"]).read_bytes())
    app = FastAPI()

    @app.post("/predict/mc", response_model=models.monte_carlo)
    async def predict_mc(
        row: row_model,  # type: ignore[valid-type]  # noqa: ARG001 - validated, as the service does
        options: Annotated[options_model, Query()],  # type: ignore[valid-type]  # noqa: ARG001 - see above
    ) -> Any:
        return answer

    return app
