"""`GET /model`, `/health/live` and `/health/ready`."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from app.api.body import MEDIA_TYPE
from app.api.options import NoOptions, once
from app.settings import Settings
from app.values import Environment, Feature, Identity, Signature

CLOSED = ConfigDict(extra="forbid")


class Health(BaseModel):
    """Whether the service is there."""

    model_config = CLOSED

    status: Literal["alive", "ready"]


class Limits(BaseModel):
    """What a request may ask for."""

    model_config = CLOSED

    passes: int
    rows: int
    work: int
    body_bytes: int


class Description(BaseModel):
    """What is served: signature, held-out figures, digest and numerical environment."""

    model_config = CLOSED

    name: str
    version: int
    digest: str
    features: list[Feature]
    classes: list[str]
    passes: int
    metrics: dict[str, dict[str, float]]
    trained: dict[str, Any]
    environment: Environment
    limits: Limits


def information(description: dict[str, Any]) -> APIRouter:
    """The routes that say what is served and how it is."""
    router = APIRouter(tags=["information"], dependencies=[Depends(once)])
    content = to_json(description)

    @router.get("/model", summary="What is served", responses={200: {"model": Description}})
    async def model(_: Annotated[NoOptions, Query()]) -> Response:
        return Response(content, media_type=MEDIA_TYPE)

    @router.get("/health/live", summary="Whether the process answers")
    async def live(_: Annotated[NoOptions, Query()]) -> Health:
        return Health(status="alive")

    @router.get("/health/ready", summary="Whether grades are answered")
    async def ready(_: Annotated[NoOptions, Query()]) -> Health:
        return Health(status="ready")

    return router


def describe(
    identity: Identity,
    signature: Signature,
    passes: int,
    card: dict[str, Any],
    environment: Environment,
    settings: Settings,
) -> dict[str, Any]:
    """The content of `GET /model`."""
    return {
        **asdict(identity),
        **asdict(signature),
        "passes": passes,
        **card,
        "environment": asdict(environment),
        "limits": {
            "passes": settings.max_passes,
            "rows": settings.max_rows,
            "work": settings.max_work,
            "body_bytes": settings.max_body_bytes,
        },
    }
