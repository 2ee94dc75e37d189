"""Query parameters: known and given once; how they are written is `app.api.spelling`'s."""

from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    WrapValidator,
    create_model,
)

from app.api.spelling import AUTO, decimal, digits, digits_or_auto, one_of, word
from app.errors import Fault, InvalidInput
from app.serving.judge import Asked, usual
from app.uncertainty.conformal import LEAST_COVERAGE, MOST_COVERAGE
from app.uncertainty.passes import TOLERANCE, checkpoints
from app.values import MAX_SEED, Calibration

MOST_PARAMETERS = 20
MOST_AUTO_PASSES = 10_000
"""Most passes that are made until they are enough, unless a request names a number."""
LEAST_TOLERANCE, MOST_TOLERANCE = 0.0001, 0.5


class NoOptions(BaseModel):
    """No query parameter is known."""

    model_config = ConfigDict(extra="forbid")


class MonteCarloOptions(BaseModel):
    """How a Monte-Carlo answer is drawn."""

    model_config = ConfigDict(extra="forbid")

    passes: int | Literal["auto"]
    tolerance: float
    max_passes: int
    seed: int | None
    draws: bool

    @property
    def most_passes(self) -> int:
        """The most passes a row may take."""
        return self.max_passes if self.passes == AUTO else self.passes

    @property
    def reached(self) -> float | None:
        """The half-width that decides a row's passes; None where they are fixed."""
        return self.tolerance if self.passes == AUTO else None

    @property
    def asked(self) -> Asked | None:
        """Which sets and decisions are asked for; None of a bundle that has neither."""
        return None


class JudgedOptions(MonteCarloOptions):
    """How a Monte-Carlo answer of a calibrated bundle is drawn and judged."""

    coverage: float
    method: str
    class_conditional: bool
    target: float

    @property
    def asked(self) -> Asked:
        """Which sets and decisions are asked for."""
        return Asked(self.coverage, self.method, self.class_conditional, self.target)


def monte_carlo_options(
    default_passes: int, most_passes: int, calibration: Calibration | None
) -> type[MonteCarloOptions]:
    """The options of a bundle, with its defaults and the service's limit."""
    seed = Field(
        ge=0,
        le=MAX_SEED,
        description="Repeats an answer to the last bit. Without it a fresh one is drawn and told.",
    )
    # Pydantic would write the bounds of a number that may be absent in a form no schema knows.
    shown = WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_SEED})
    draws = Field(description="Also answer every pass: at most 100,000 numbers.")
    judged = {} if calibration is None else _judged(calibration)
    return create_model(
        "MonteCarloOptionsOfBundle",
        __base__=MonteCarloOptions if calibration is None else JudgedOptions,
        **_enough(default_passes, most_passes),
        seed=(Annotated[int | None, seed, BeforeValidator(digits), shown], None),
        draws=(Annotated[bool, draws, BeforeValidator(word)], False),
        **judged,
    )


def _enough(default_passes: int, most_passes: int) -> dict[str, Any]:
    """The options that say how many passes are made."""
    most = min(MOST_AUTO_PASSES, most_passes)
    looks = ", ".join(map(str, checkpoints(most)))
    passes = Field(
        ge=1,
        le=most_passes,
        description="Stochastic passes a row (at most DUBITO_MAX_PASSES), or `auto`: each row by "
        "itself is looked at after 64, 128, 256, … passes, at last after `max_passes` (by default "
        f"after {looks}), and answered at the first look at which a 95% interval of every class' "
        "mean is at most ± `tolerance`. The answer is the one for that number of passes, and tells "
        "it.",
    )
    shown = {"type": "integer", "minimum": 1, "maximum": most_passes}
    either = WithJsonSchema({"anyOf": [shown, {"type": "string", "const": AUTO}]})
    tolerance = Field(
        ge=LEAST_TOLERANCE,
        le=MOST_TOLERANCE,
        description="Half-width to reach with `passes=auto`, which alone reads it: "
        "2·√(s²/T + 1/(4T)²) for the largest deviation s of a class. T equal passes read as "
        "1/(2T).",
    )
    limit = Field(
        ge=1,
        le=most_passes,
        description="Most passes a row with `passes=auto`, which alone reads it; a row that is "
        "still too uncertain then is answered as it is. Rows × this many count as work.",
    )
    number, whole = BeforeValidator(decimal), BeforeValidator(digits)
    return {
        "passes": (Annotated[int, passes, WrapValidator(digits_or_auto), either], default_passes),
        "tolerance": (Annotated[float, tolerance, number], TOLERANCE),
        "max_passes": (Annotated[int, limit, whole], most),
    }


def _judged(calibration: Calibration) -> dict[str, Any]:
    """The options that say which sets and decisions are made."""
    default = usual(calibration)
    targets = [promise.target for promise in calibration.policy.promises]
    coverage = Field(
        ge=LEAST_COVERAGE,
        le=MOST_COVERAGE,
        description="Share of rows whose prediction set shall hold the right grade.",
    )
    method = Field(description="How prediction sets are scored.")
    class_conditional = Field(
        description="Whether the coverage shall hold for the rows of every grade by itself."
    )
    target = Field(
        description="The error rate promised of automated grades: one of the bundle's table."
    )
    known = WithJsonSchema({"type": "number", "enum": targets})
    methods = Literal[tuple(calibration.scores)]  # type: ignore[valid-type]
    return {
        "coverage": (Annotated[float, coverage, BeforeValidator(decimal)], default.coverage),
        "method": (Annotated[methods, method], default.method),
        "class_conditional": (
            Annotated[bool, class_conditional, BeforeValidator(word)],
            default.class_conditional,
        ),
        "target": (
            Annotated[float, target, BeforeValidator(one_of(targets)), known],
            default.target,
        ),
    }


async def once(request: Request) -> None:
    """Refuse a parameter that is given more than once.

    Raises:
        InvalidInput: names the parameter.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    if len(names) > MOST_PARAMETERS:
        raise InvalidInput([Fault(("query",), "has too many parameters", in_query=True)])
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput([Fault((name,), "is given more than once", in_query=True)])
