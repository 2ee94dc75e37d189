"""`/shadow`: how often a model's shadow disagrees with what was answered, and on which cases."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from app.errors import NotFound
from app.http.access import Access
from app.http.json_schema import CLOSED, schema
from app.http.openapi import answered, refused
from app.http.response import json_response
from app.http.route import LeanRoute
from app.monitoring.shadow_report import ShadowReport
from app.problem_codes import ProblemCode
from app.recorded_disagreement import DisagreementKind
from app.settings import Settings
from dubito.inputs.options import NoOptions

REFUSALS = {
    403: "The request comes from another machine, through a proxy, or from a page of another site.",
    404: "The model has no shadow.",
    422: "A query parameter is wrong.",
    503: "The record store does not respond.",
}


class ShadowIdentity(BaseModel):
    """A bundle."""

    model_config = CLOSED

    name: str
    version: int
    digest: str


class DisagreeingShare(BaseModel):
    """Rows that disagree in something, and a 95% interval of their share."""

    model_config = CLOSED

    rows: int
    share: float | None = Field(description="null: it was not compared, as not both have it")
    lower: float | None
    upper: float | None


class RowDifferences(BaseModel):
    """Rows by the largest difference to the shadow's answer."""

    model_config = CLOSED

    edges: list[float]
    rows: list[int] = Field(
        description="rows up to the first edge, up to each further one, and above the last"
    )


class ShadowAnswer(BaseModel):
    """What one of both bundles answered."""

    model_config = CLOSED

    predicted: str | float
    action: str | None
    options: list[str | float | None] | None = Field(
        description="classes of the prediction set, or bounds of the interval"
    )


class Disagreeing(BaseModel):
    """A prediction on which the shadow disagrees."""

    model_config = CLOSED

    prediction: str
    time: str
    kinds: list[DisagreementKind]
    difference: float
    answer: ShadowAnswer
    other: ShadowAnswer = Field(description="what the shadow computed")


class ShadowDescription(BaseModel):
    """What is known of the shadow beside the bundle that is served."""

    model_config = CLOSED

    served: ShadowIdentity
    shadow: ShadowIdentity
    share: float = Field(description="part of the requests whose answers are compared")
    rows: int = Field(description="rows that were compared")
    skipped: int = Field(description="rows that were not, for want of time or of a like answer")
    disagreements: dict[DisagreementKind, DisagreeingShare]
    differences: RowDifferences
    newest: list[Disagreeing]


def shadow_routes(
    report: Callable[[], Awaitable[ShadowReport] | None], settings: Settings
) -> APIRouter:
    """Create the route of one model's shadow.

    Args:
        report: reads what is known of it; returns None if there is none.
        settings: the settings, which say who may ask.
    """
    router = APIRouter(tags=["records"], route_class=LeanRoute)
    access = Access(settings)

    @router.get(
        "/shadow",
        summary="How often the shadow disagrees, and the newest cases",
        operation_id="getShadow",
        responses=answered(schema(ShadowDescription), "What was compared.") | refused(REFUSALS),
    )
    async def shadow(request: Request, options: Annotated[NoOptions, Query()]) -> Response:  # noqa: ARG001 - allows no parameters
        access.check_records(request)
        found = report()
        if found is None:
            raise NotFound(ProblemCode.NO_SHADOW, "the model has no shadow")
        return json_response(await found)

    return router
