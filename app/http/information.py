"""`GET /model`, `/health/live` and `/health/ready`."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from app.http.body import MEDIA_TYPE
from app.http.json_schema import schema
from app.http.openapi import answered, refused
from app.http.problems import MEDIA_TYPE as PROBLEM
from app.http.problems import Problem, Refusal
from app.http.route import LeanRoute
from app.problem_codes import ProblemCode
from app.serving.readiness import Readiness
from app.settings import Settings
from dubito.inputs.options import AnyOptions, NoOptions
from dubito.types import Calibration, Cards, Environment, Feature, Identity, Signature
from dubito.types import Promise as Line

CLOSED = ConfigDict(extra="forbid")
CARD = "text/markdown"


class Health(BaseModel):
    """Whether the service is there."""

    model_config = CLOSED

    status: Literal["alive", "ready"]


class CardOptions(BaseModel):
    """Which of the cards is meant."""

    model_config = CLOSED

    language: Literal["en", "ko"] = Field(
        default="en",
        description="where there is none in this language it is English: see `Content-Language`",
    )


class Limits(BaseModel):
    """What a request may ask for."""

    model_config = CLOSED

    passes: int
    rows: int
    work: int
    body_bytes: int


class Band(BaseModel):
    """The least sure of the automated rows, with its figures on the calibration rows."""

    model_config = CLOSED

    bound: float = Field(description="smallest second mean probability of a row in the band")
    share: float = Field(description="of the automated rows, that is in it")
    automated: float = Field(description="share of all rows that were in it")
    wrong: float = Field(description="share of those that were wrong")


class Promise(BaseModel):
    """One line of the table of promises, with its figures on the calibration rows."""

    model_config = CLOSED

    target: float = Field(description="most P(wrong | automated) that is promised")
    automated: float = Field(description="share of rows that were automated")
    wrong: float = Field(description="share of those that were wrong")
    band: Band | None = Field(description="null: nothing is promised of single cases")
    wanting: int | None = Field(description="rows that were too few to begin with; null: unknown")


class CalibrationDescription(BaseModel):
    """What sets and decisions rest on."""

    model_config = CLOSED

    passes: int = Field(description="with fewer, nothing is promised")
    rows: int
    accuracy: float
    coverage: float = Field(description="of prediction sets, unless another is asked for")
    methods: list[str]
    target: float = Field(description="the promise, unless another is asked for")
    confidence: float = Field(description="that a promise is kept, over the draw of the rows")
    epistemic: float = Field(description="most mutual information of an automated row, nats")
    case_limit: float | None = Field(
        description="most P(wrong | in the band of a promise) that is promised; null: nothing is"
    )
    likelihood: float | None = Field(
        description="least mean probability of an automated grade; null: any"
    )
    promises: list[Promise]


class ModelDescription(BaseModel):
    """What is served: signature, held-out figures, digest and numerical environment."""

    model_config = CLOSED

    name: str
    version: int
    digest: str
    features: list[Feature]
    classes: list[str]
    passes: int
    calibration: CalibrationDescription | None
    metrics: dict[str, dict[str, float]]
    metrics_on: Literal["held_out", "unknown"] = Field(
        description="`unknown`: the network may have been fitted or calibrated on these rows"
    )
    trained: dict[str, Any]
    environment: Environment
    limits: Limits


def information(description: dict[str, Any], cards: Cards, readiness: Readiness) -> APIRouter:
    """The routes that say what is served and how it is."""
    router = APIRouter(tags=["information"], route_class=LeanRoute)
    _add(router, "/model", "What is served", "getModel", ModelDescription, to_json(description))
    _add_cards(router, cards)
    alive, ready = Health(status="alive"), Health(status="ready")
    name, summary = "getLiveness", "Whether the process answers"
    _add(router, "/health/live", summary, name, Health, to_json(alive), AnyOptions)
    _add_ready(router, to_json(ready), readiness)
    return router


def _add_cards(router: APIRouter, cards: Cards) -> None:
    texts = {"en": cards.english.encode()}
    if cards.korean is not None:
        texts["ko"] = cards.korean.encode()

    @router.get(
        "/model/card",
        summary="The bundle's card, Markdown",
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
        "description": "It is stopping, or the engine or the records are in trouble.",
        "content": {PROBLEM: {"schema": schema(Problem)}},
    }

    @router.get(
        "/health/ready",
        summary="Whether grades are answered",
        operation_id="getReadiness",
        responses=answered(schema(Health), "They are.") | {503: refused},
    )
    async def ready(request: Request, options: Annotated[AnyOptions, Query()]) -> Response:  # noqa: ARG001 - says that none count
        if not request.app.state.ready:
            raise _unavailable(ProblemCode.STOPPING, "the service is stopping")
        if (trouble := readiness.trouble) is not None:
            raise _unavailable(ProblemCode.UNREADY, trouble)
        return Response(content, media_type=MEDIA_TYPE)


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
    """A route that always answers the same."""

    async def same(_: Request, options: Annotated[known, Query()]) -> Response:  # type: ignore[valid-type] # noqa: ARG001 - says that there are none
        return Response(content, media_type=MEDIA_TYPE)

    told = answered(schema(model), "As it is.")
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
    """The content of `GET /model`."""
    return {
        **asdict(identity),
        **asdict(signature),
        "passes": passes,
        "calibration": None if calibration is None else _calibrated(calibration),
        **card,
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
