"""`GET /model`, `/model/card`, `/models`, `/health/live` and `/health/ready`."""

from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Discriminator, Field
from pydantic_core import to_json

from app.http.body import JSON_TYPE
from app.http.canary import CandidateDescription
from app.http.json_schema import CLOSED, schema
from app.http.openapi import answered, refused
from app.http.problems import PROBLEM_TYPE as PROBLEM
from app.http.problems import Problem, Refusal
from app.http.route import LeanRoute
from app.problem_codes import ProblemCode
from app.serving.readiness import STOPPING, Readiness
from app.settings import Settings
from dubito.engine.backends.choice import backend_of
from dubito.features import Feature, FeatureStats
from dubito.inputs.options import AnyOptions, NoOptions
from dubito.targets import NumberHead, NumberTarget, Target
from dubito.types import (
    AnyCalibration,
    Cards,
    Environment,
    Identity,
    NumberCalibration,
    Signature,
)
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


class NumberDescription(BaseModel):
    """The number that the bundle predicts."""

    model_config = CLOSED

    kind: Literal["number"]
    name: str
    title: str
    aliases: list[str]
    unit: str
    head: NumberHead = Field(
        description="what the network answers: the value, mean and variance, or three quantiles"
    )
    levels: list[float] = Field(description="levels of the quantiles; empty for other heads")
    std: float = Field(description="standard deviation of the values in training")
    seen: FeatureStats


class MissPromise(BaseModel):
    """One promised rate of misses, with statistics on the rows that tested it."""

    model_config = CLOSED

    target: float = Field(
        description="maximum share of intervals that miss the true number promised among many "
        "automated rows"
    )
    automated: float = Field(description="share of rows that were automated")
    wrong: float = Field(description="share of the automated intervals that missed")
    band: Band | None = Field(
        description="the widest automated intervals, whose `bound` is a width; null: none"
    )
    wanting: int | None = Field(description="number of calibration rows missing for this promise")


class NumberCalibrationDescription(BaseModel):
    """Calibration of the intervals and decisions."""

    model_config = CLOSED

    passes: int = Field(description="passes of the calibration; with fewer, nothing is promised")
    rows: int = Field(description="rows that the intervals were calibrated on")
    tested: int = Field(description="other rows that the promises were tested on")
    coverage: float = Field(
        description="share of many rows whose interval contains the true number, unless the "
        "request names another; decisions are about the interval of this coverage"
    )
    method: str = Field(description="method of the intervals, unless the request names another")
    methods: list[str]
    target: float = Field(description="target of a decision, unless the request names another")
    confidence: float = Field(
        description="probability, over the draw of the calibration rows, that a promise holds for "
        "rows exchangeable with them"
    )
    epistemic: float = Field(
        description="maximum standard deviation over the passes of an automated row"
    )
    case_limit: float = Field(
        description="maximum share of misses promised among many automated rows in the band of a "
        "promise"
    )
    promises: list[MissPromise]


class _Description(BaseModel):
    """Members that the description of every bundle has."""

    model_config = CLOSED

    name: str
    version: int
    digest: str
    features: list[Annotated[Feature, Discriminator("kind")]]
    members: int = Field(description="networks whose passes alternate; 1: not an ensemble")
    passes: int = Field(description="passes a row by default")
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


class ModelDescription(_Description):
    """The served bundle: signature, held-out metrics, digest and numerical environment."""

    classes: list[str]
    ordered: bool = Field(description="whether the order of the classes means something")
    calibration: CalibrationDescription | None


class NumberModelDescription(_Description):
    """The served bundle, which predicts a number, as for classes."""

    target: NumberDescription
    calibration: NumberCalibrationDescription | None


class ListedModel(BaseModel):
    """A model that the service was started with."""

    model_config = CLOSED

    name: str
    version: int | None = Field(description="null: none could be loaded")
    digest: str | None
    ready: bool = Field(description="whether it can grade requests now")
    canary: CandidateDescription | None = Field(
        description="other version that answers a share of the requests"
    )
    shadow: CandidateDescription | None = Field(
        description="other version whose answers are compared with those given"
    )


class ModelList(BaseModel):
    """All models of the service; addresses without a name are those of the first."""

    model_config = CLOSED

    models: list[ListedModel]
    generation: int = Field(description="number of bundles replaced since the service was started")


def model_list(listed: Callable[[], ModelList]) -> APIRouter:
    """Create the route that lists the models, which a function returns as they are now."""
    router = APIRouter(tags=["information"], route_class=LeanRoute)

    @router.get(
        "/models",
        summary="The models of the service, the first of which needs no name",
        operation_id="listModels",
        responses=answered(schema(ModelList), "The models.")
        | refused({422: "A query parameter is wrong."}),
    )
    async def models(_: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - allows no parameters
        return Response(to_json(listed()), media_type=JSON_TYPE)

    return router


def information(description: dict[str, Any], target: Target, cards: Cards) -> APIRouter:
    """Create the routes that describe a bundle."""
    router = APIRouter(tags=["information"], route_class=LeanRoute)
    _add(
        router,
        "/model",
        "Description of the served bundle",
        "getModel",
        NumberModelDescription if isinstance(target, NumberTarget) else ModelDescription,
        to_json(description),
    )
    _add_cards(router, cards)
    return router


def health(readiness: Readiness) -> APIRouter:
    """Create the routes that tell the state of the service."""
    router = APIRouter(tags=["information"], route_class=LeanRoute)
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
    async def ready(_: Request, options: Annotated[AnyOptions, Query()]) -> Response:  # noqa: ARG001 - ignores all parameters
        if not readiness.is_serving():
            raise _unavailable(ProblemCode.STOPPING, STOPPING)
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
    members: int,
    passes: int,
    calibration: AnyCalibration | None,
    card: dict[str, Any],
    environment: Environment,
    settings: Settings,
) -> dict[str, Any]:
    """Build the content of `GET /model`."""
    return {
        **asdict(identity),
        "features": [asdict(feature) for feature in signature.features],
        **_predicted(signature.target),
        "members": members,
        "passes": passes,
        "calibration": _calibrated(calibration),
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


def _predicted(target: Target) -> dict[str, Any]:
    if isinstance(target, NumberTarget):
        return {"target": {"kind": "number", **asdict(target)}}
    return {"classes": target.classes, "ordered": target.is_ordered}


def _calibrated(calibration: AnyCalibration | None) -> dict[str, Any] | None:
    if calibration is None:
        return None
    policy = calibration.policy
    common = {
        "passes": calibration.passes,
        "coverage": calibration.coverage,
        "methods": list(calibration.scores),
        "target": policy.target,
        "confidence": policy.confidence,
        "epistemic": policy.epistemic,
        "case_limit": policy.case_limit,
        "promises": [_promised(promise) for promise in policy.promises],
    }
    if isinstance(calibration, NumberCalibration):
        return {
            **common,
            "rows": len(calibration.scores[calibration.method]),
            "tested": calibration.tested,
            "method": calibration.method,
        }
    return {
        **common,
        "rows": len(calibration.labels),
        "accuracy": calibration.accuracy,
        "likelihood": policy.likelihood,
    }


def _promised(promise: Line) -> dict[str, Any]:
    found = asdict(promise)
    del found["threshold"]
    return found
