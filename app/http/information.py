"""`GET /model`, `/model/card`, `/health/live` and `/health/ready`."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Discriminator, Field
from pydantic_core import to_json

from app.http.body import JSON_TYPE
from app.http.json_schema import CLOSED, schema
from app.http.openapi import answered, refused
from app.http.problems import PROBLEM_TYPE as PROBLEM
from app.http.problems import Problem, Refusal
from app.http.route import LeanRoute
from app.problem_codes import ProblemCode
from app.serving.readiness import Readiness
from app.settings import Settings
from dubito.engine.backends.choice import backend_of
from dubito.features import Feature
from dubito.inputs.options import AnyOptions, NoOptions
from dubito.types import Calibration, Cards, Environment, Identity, Signature
from dubito.types import Promise as Line

CARD = "text/markdown"


class Health(BaseModel):
    """Health of the service."""

    model_config = CLOSED

    status: Literal["alive", "ready"]


class CardOptions(BaseModel):
    """Language of the model card."""

    model_config = CLOSED

    language: Literal["en", "ko"] = Field(
        default="en",
        description="language of the card; English if the bundle has none in this language, "
        "see `Content-Language`",
    )


class Limits(BaseModel):
    """Limits of a request."""

    model_config = CLOSED

    passes: int
    rows: int
    work: int
    body_bytes: int


class Band(BaseModel):
    """The least certain of the automated rows, with statistics on the calibration rows."""

    model_config = CLOSED

    bound: float = Field(description="smallest second mean probability of a row in the band")
    share: float = Field(description="share of the automated rows that are in the band")
    automated: float = Field(description="share of all rows that were in the band")
    wrong: float = Field(description="share of the rows in the band that were wrong")


class Promise(BaseModel):
    """One promised error rate, with statistics on the calibration rows."""

    model_config = CLOSED

    target: float = Field(
        description="maximum share of wrong grades promised among many automated rows"
    )
    automated: float = Field(description="share of rows that were automated")
    wrong: float = Field(description="share of the automated rows that were wrong")
    band: Band | None = Field(
        description="the least certain automated rows; null: nothing is promised about single cases"
    )
    wanting: int | None = Field(
        description="number of calibration rows missing for this promise; null: unknown"
    )


class CalibrationDescription(BaseModel):
    """Calibration of the prediction sets and decisions."""

    model_config = CLOSED

    passes: int = Field(description="passes of the calibration; with fewer, nothing is promised")
    rows: int
    accuracy: float
    coverage: float = Field(
        description="share of many rows whose prediction set contains the true grade, unless the "
        "request names another; on average over the draw of the calibration rows"
    )
    methods: list[str]
    target: float = Field(description="target of a decision, unless the request names another")
    confidence: float = Field(
        description="probability, over the draw of the calibration rows, that a promise holds for "
        "rows exchangeable with them"
    )
    epistemic: float = Field(description="maximum mutual information of an automated row, nats")
    case_limit: float | None = Field(
        description="maximum share of wrong grades promised among many automated rows in the band "
        "of a promise; null: nothing is promised"
    )
    likelihood: float | None = Field(
        description="minimum mean probability of an automated grade; null: any"
    )
    promises: list[Promise]


class ModelDescription(BaseModel):
    """The served bundle: signature, held-out metrics, digest and numerical environment."""

    model_config = CLOSED

    name: str
    version: int
    digest: str
    features: list[Annotated[Feature, Discriminator("kind")]]
    classes: list[str]
    passes: int
    calibration: CalibrationDescription | None
    metrics: dict[str, dict[str, float]]
    metrics_on: Literal["held_out", "unknown"] = Field(
        description="`unknown`: the network may have been fitted or calibrated on these rows"
    )
    trained: dict[str, Any]
    backend: Literal["native", "numpy", "tensorflow"] = Field(
        description="what computes the network, see `DUBITO_BACKEND`"
    )
    environment: Environment
    limits: Limits


def information(description: dict[str, Any], cards: Cards, readiness: Readiness) -> APIRouter:
    """Create the routes that describe the bundle and the state of the service."""
    router = APIRouter(tags=["information"], route_class=LeanRoute)
    _add(
        router,
        "/model",
        "Description of the served bundle",
        "getModel",
        ModelDescription,
        to_json(description),
    )
    _add_cards(router, cards)
    alive, ready = Health(status="alive"), Health(status="ready")
    name, summary = "getLiveness", "Whether the process responds"
    _add(router, "/health/live", summary, name, Health, to_json(alive), AnyOptions)
    _add_ready(router, to_json(ready), readiness)
    return router


def _add_cards(router: APIRouter, cards: Cards) -> None:
    texts = {"en": cards.english.encode()}
    if cards.korean is not None:
        texts["ko"] = cards.korean.encode()

    @router.get(
        "/model/card",
        summary="Model card of the bundle, Markdown",
        operation_id="getModelCard",
        responses=answered({"type": "string"}, "The card.", CARD)
        | refused({422: "A query parameter is wrong."}),
    )
    async def model_card(_: Request, options: Annotated[CardOptions, Query()]) -> Response:
        language = options.language if options.language in texts else "en"
        headers = {"Content-Language": language}
        return Response(texts[language], headers=headers, media_type=CARD)


def _add_ready(router: APIRouter, content: bytes, readiness: Readiness) -> None:
    refused = {
        "description": "The service is stopping, or the engine or the record store reports "
        "trouble.",
        "content": {PROBLEM: {"schema": schema(Problem)}},
    }

    @router.get(
        "/health/ready",
        summary="Whether the service can grade requests",
        operation_id="getReadiness",
        responses=answered(schema(Health), "The service can grade requests.") | {503: refused},
    )
    async def ready(request: Request, options: Annotated[AnyOptions, Query()]) -> Response:  # noqa: ARG001 - ignores all parameters
        if not request.app.state.ready:
            raise _unavailable(ProblemCode.STOPPING, "the service is stopping")
        if (trouble := readiness.trouble) is not None:
            raise _unavailable(ProblemCode.UNREADY, trouble)
        return Response(content, media_type=JSON_TYPE)


def _unavailable(code: ProblemCode, detail: str) -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, code, detail)


def _add(
    router: APIRouter,
    path: str,
    summary: str,
    operation_id: str,
    model: type[BaseModel],
    content: bytes,
    known: type[BaseModel] = NoOptions,
) -> None:
    """Add a route with a constant response."""

    async def same(_: Request, options: Annotated[known, Query()]) -> Response:  # type: ignore[valid-type] # noqa: ARG001 - allows no parameters
        return Response(content, media_type=JSON_TYPE)

    told = answered(schema(model), "The current content.")
    router.get(path, summary=summary, operation_id=operation_id, responses=told)(same)


def describe(
    identity: Identity,
    signature: Signature,
    passes: int,
    calibration: Calibration | None,
    card: dict[str, Any],
    environment: Environment,
    settings: Settings,
) -> dict[str, Any]:
    """Build the content of `GET /model`."""
    return {
        **asdict(identity),
        **asdict(signature),
        "passes": passes,
        "calibration": None if calibration is None else _calibrated(calibration),
        **card,
        "backend": backend_of(environment.facts["engine"]),
        "environment": asdict(environment),
        "limits": {
            "passes": settings.max_passes,
            "rows": settings.max_rows,
            "work": settings.max_work,
            "body_bytes": settings.max_body_bytes,
        },
    }


def _calibrated(calibration: Calibration) -> dict[str, Any]:
    policy = calibration.policy
    return {
        "passes": calibration.passes,
        "rows": len(calibration.labels),
        "accuracy": calibration.accuracy,
        "coverage": calibration.coverage,
        "methods": list(calibration.scores),
        "target": policy.target,
        "confidence": policy.confidence,
        "epistemic": policy.epistemic,
        "case_limit": policy.case_limit,
        "likelihood": policy.likelihood,
        "promises": [_promised(promise) for promise in policy.promises],
    }


def _promised(promise: Line) -> dict[str, Any]:
    found = asdict(promise)
    del found["threshold"]
    return found
