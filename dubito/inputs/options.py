"""Models of the query parameters of predictions, with a bundle's defaults and limits.

`dubito.inputs.text_types` parses the values.
"""

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    WrapValidator,
    create_model,
)

from dubito.inputs.text_types import AUTO, decimal, digits, digits_or_auto, one_of, word
from dubito.types import MAX_SEED, Calibration
from dubito.uncertainty.conformal import LEAST_COVERAGE, MOST_COVERAGE
from dubito.uncertainty.passes import HALF_WIDTH, checkpoints
from dubito.uncertainty.policy import PolicyOptions, usual

MOST_AUTO_PASSES = 10_000
"""Most passes a row with `passes=auto`, unless a request sets `max_passes`."""
LEAST_TOLERANCE, MOST_TOLERANCE = 0.0001, 0.5


MOST_DEADLINE = 600_000


class NoOptions(BaseModel):
    """Options of a route without query parameters."""

    model_config = ConfigDict(extra="forbid")


class AnyOptions(BaseModel):
    """Options of a route that ignores query parameters: probes add some to bypass caches."""

    model_config = ConfigDict(extra="ignore")


class PlainOptions(BaseModel):
    """Options of a deterministic prediction."""

    model_config = ConfigDict(extra="forbid")

    deadline_ms: int


class MonteCarloOptions(PlainOptions):
    """Options of a Monte-Carlo prediction."""

    degrade: bool
    passes: int | Literal["auto"]
    tolerance: float
    max_passes: int
    seed: int | None
    draws: bool

    @property
    def most_passes(self) -> int:
        """Most passes a row may take."""
        return self.max_passes if self.passes == AUTO else self.passes

    @property
    def least_passes(self) -> int:
        """Fewest passes a row may take."""
        return 1 if self.passes == AUTO else self.passes

    @property
    def reached(self) -> float | None:
        """Half-width at which a row's passes stop; None with a fixed number of passes."""
        return self.tolerance if self.passes == AUTO else None

    @property
    def policy(self) -> PolicyOptions | None:
        """Options of sets and decisions; None for a bundle that has neither."""
        return None


class JudgedOptions(MonteCarloOptions):
    """Options of a Monte-Carlo prediction with sets and decisions, by a calibrated bundle."""

    coverage: float
    method: str
    class_conditional: bool
    target: float

    @cached_property
    def policy(self) -> PolicyOptions:
        """Options of sets and decisions."""
        return PolicyOptions(self.coverage, self.method, self.class_conditional, self.target)


def plain_options(default_deadline: int) -> type[PlainOptions]:
    """Build the options of deterministic predictions; `default_deadline` is in milliseconds."""
    deadline = Field(
        ge=1,
        le=MOST_DEADLINE,
        description="Milliseconds after which the answer is useless: 503 before anything is "
        "computed if the deadline cannot be met, 504 if it passes later.",
    )
    return create_model(
        "PlainOptionsOfService",
        __base__=PlainOptions,
        deadline_ms=(Annotated[int, deadline, BeforeValidator(digits)], default_deadline),
    )


def monte_carlo_options(
    default_passes: int,
    most_passes: int,
    calibration: Calibration | None,
    default_deadline: int = MOST_DEADLINE,
) -> type[MonteCarloOptions]:
    """Build the options of Monte-Carlo predictions.

    Args:
        default_passes: the bundle's passes a row.
        most_passes: the service's limit.
        calibration: the bundle's; None leaves out the options of sets and decisions.
        default_deadline: milliseconds.
    """
    seed = Field(
        ge=0,
        le=MAX_SEED,
        description="Repeats an answer to the last bit. Default: a fresh seed, which is returned.",
    )
    # Pydantic would write the bounds of an optional number in a form that JSON Schema lacks.
    shown = WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_SEED})
    draws = Field(description="Also return every pass: at most 100,000 numbers.")
    degrade = Field(
        description="Compute fewer passes instead of none if the deadline cannot be met; the "
        "answer states how many, with a warning."
    )
    judged = {} if calibration is None else _judged(calibration)
    deadline = plain_options(default_deadline).model_fields["deadline_ms"]
    return create_model(
        "MonteCarloOptionsOfBundle",
        __base__=MonteCarloOptions if calibration is None else JudgedOptions,
        **_enough(default_passes, most_passes),
        seed=(Annotated[int | None, seed, BeforeValidator(digits), shown], None),
        draws=(Annotated[bool, draws, BeforeValidator(word)], False),
        deadline_ms=(int, deadline),
        degrade=(Annotated[bool, degrade, BeforeValidator(word)], False),
        **judged,
    )


def _enough(default_passes: int, most_passes: int) -> dict[str, Any]:
    """Build the options that determine the number of passes."""
    most = min(MOST_AUTO_PASSES, most_passes)
    looks = ", ".join(map(str, checkpoints(most)))
    passes = Field(
        ge=1,
        le=most_passes,
        description="Stochastic passes a row (at most DUBITO_MAX_PASSES), or `auto`: each row is "
        "checked separately after 64, 128, 256, … passes, last after `max_passes` (by default "
        f"after {looks}), and answered at the first check at which a 95% interval of every class' "
        "mean is at most ± `tolerance`. The answer is the one for that number of passes, and "
        "states it.",
    )
    shown = {"type": "integer", "minimum": 1, "maximum": most_passes}
    either = WithJsonSchema({"anyOf": [shown, {"type": "string", "const": AUTO}]})
    tolerance = Field(
        ge=LEAST_TOLERANCE,
        le=MOST_TOLERANCE,
        description="Half-width to reach with `passes=auto`, ignored otherwise: "
        "2·√(s²/T + 1/(4T)²) for the largest deviation s of a class. T equal passes give "
        "1/(2T).",
    )
    limit = Field(
        ge=1,
        le=most_passes,
        description="Most passes a row with `passes=auto`, ignored otherwise; a row that is "
        "still too uncertain then is answered as it is. Rows × this number count as work.",
    )
    number, whole = BeforeValidator(decimal), BeforeValidator(digits)
    return {
        "passes": (Annotated[int, passes, WrapValidator(digits_or_auto), either], default_passes),
        "tolerance": (Annotated[float, tolerance, number], HALF_WIDTH),
        "max_passes": (Annotated[int, limit, whole], most),
    }


def _judged(calibration: Calibration) -> dict[str, Any]:
    """Build the options of sets and decisions."""
    default = usual(calibration)
    targets = [promise.target for promise in calibration.policy.promises]
    coverage = Field(
        ge=LEAST_COVERAGE,
        le=MOST_COVERAGE,
        description="Share of many rows whose prediction set shall contain the right grade, on "
        "average over the draw of the calibration rows.",
    )
    method = Field(description="Nonconformity score of the prediction sets.")
    class_conditional = Field(
        description="Whether the coverage shall hold among the many rows of each grade separately."
    )
    target = Field(
        description="Maximum share of wrong grades promised among many automated rows: one from "
        "the bundle's table."
    )
    # `const` instead of `enum`: some client generators support enums of texts and integers only.
    known = WithJsonSchema({"anyOf": [{"type": "number", "const": one} for one in targets]})
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
