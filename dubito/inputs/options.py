"""Query parameters: known and given once; how they are written is `dubito.inputs.text_types`'s."""

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
from dubito.uncertainty.passes import TOLERANCE, checkpoints
from dubito.uncertainty.policy import PolicyOptions, usual

MOST_AUTO_PASSES = 10_000
"""Most passes that are made until they are enough, unless a request names a number."""
LEAST_TOLERANCE, MOST_TOLERANCE = 0.0001, 0.5


MOST_DEADLINE = 600_000


class NoOptions(BaseModel):
    """No query parameter is known."""

    model_config = ConfigDict(extra="forbid")


class AnyOptions(BaseModel):
    """Whatever is given is ignored: probes add what keeps a cache from answering."""

    model_config = ConfigDict(extra="ignore")


class PlainOptions(BaseModel):
    """How long any answer may take."""

    model_config = ConfigDict(extra="forbid")

    deadline_ms: int


class MonteCarloOptions(PlainOptions):
    """How a Monte-Carlo answer is drawn."""

    degrade: bool
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
    def least_passes(self) -> int:
        """The fewest passes a row may take."""
        return 1 if self.passes == AUTO else self.passes

    @property
    def reached(self) -> float | None:
        """The half-width that decides a row's passes; None where they are fixed."""
        return self.tolerance if self.passes == AUTO else None

    @property
    def policy(self) -> PolicyOptions | None:
        """Which sets and decisions are asked for; None of a bundle that has neither."""
        return None


class JudgedOptions(MonteCarloOptions):
    """How a Monte-Carlo answer of a calibrated bundle is drawn and judged."""

    coverage: float
    method: str
    class_conditional: bool
    target: float

    @property
    def policy(self) -> PolicyOptions:
        """Which sets and decisions are asked for."""
        return PolicyOptions(self.coverage, self.method, self.class_conditional, self.target)


def plain_options(default_deadline: int) -> type[PlainOptions]:
    """The options of the deterministic pass."""
    deadline = Field(
        ge=1,
        le=MOST_DEADLINE,
        description="Milliseconds after which the answer is of no use: 503 before anything is "
        "computed where they cannot be kept, 504 where they pass later.",
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
    """The options of a bundle, with its defaults and the service's limit."""
    seed = Field(
        ge=0,
        le=MAX_SEED,
        description="Repeats an answer to the last bit. Without it a fresh one is drawn and told.",
    )
    # Pydantic would write the bounds of a number that may be absent in a form no schema knows.
    shown = WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_SEED})
    draws = Field(description="Also answer every pass: at most 100,000 numbers.")
    degrade = Field(
        description="Make fewer passes rather than none where the deadline could not be met; the "
        "answer tells how many, with a warning."
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
    # Some makers of clients know enumerations of texts and whole numbers only.
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
