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
from dubito.targets import NumberTarget, Target
from dubito.types import MAX_SEED, AnyCalibration
from dubito.uncertainty.conformal import LEAST_COVERAGE, MOST_COVERAGE
from dubito.uncertainty.passes import FIRST, MeanPrecision, balanced, checkpoints
from dubito.uncertainty.policy import PolicyOptions, usual

MOST_AUTO_PASSES = 10_000
"""Most passes a row with `passes=auto`, unless a request sets `max_passes`."""

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
        """Options of sets or intervals, and decisions; None for a bundle that has neither."""
        return None


class IntervalOptions(MonteCarloOptions):
    """Options of a Monte-Carlo prediction of a number, by a calibrated bundle."""

    coverage: float
    method: str
    target: float

    @cached_property
    def policy(self) -> PolicyOptions:
        """Options of intervals and decisions."""
        return PolicyOptions(coverage=self.coverage, method=self.method, target=self.target)


class SetOptions(IntervalOptions):
    """Options of a Monte-Carlo prediction of classes, by a calibrated bundle."""

    class_conditional: bool

    @cached_property
    def policy(self) -> PolicyOptions:
        """Options of sets and decisions."""
        return PolicyOptions(
            coverage=self.coverage,
            method=self.method,
            class_conditional=self.class_conditional,
            target=self.target,
        )


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
    target: Target,
    default_passes: int,
    most_passes: int,
    calibration: AnyCalibration | None,
    default_deadline: int = MOST_DEADLINE,
    members: int = 1,
) -> type[MonteCarloOptions]:
    """Build the options of Monte-Carlo predictions.

    Args:
        target: what the bundle predicts.
        default_passes: the bundle's passes a row.
        most_passes: the service's limit.
        calibration: the bundle's; None leaves out the options of sets, intervals and decisions.
        default_deadline: milliseconds.
        members: networks of the bundle, of whose number passes are a multiple.
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
    judged = {} if calibration is None else _judged(calibration, target)
    base = MonteCarloOptions if calibration is None else _base(target)
    deadline = plain_options(default_deadline).model_fields["deadline_ms"]
    return create_model(
        "MonteCarloOptionsOfBundle",
        __base__=base,
        **_enough(target, default_passes, most_passes, members),
        seed=(Annotated[int | None, seed, BeforeValidator(digits), shown], None),
        draws=(Annotated[bool, draws, BeforeValidator(word)], False),
        deadline_ms=(int, deadline),
        degrade=(Annotated[bool, degrade, BeforeValidator(word)], False),
        **judged,
    )


def _base(target: Target) -> type[IntervalOptions]:
    return IntervalOptions if isinstance(target, NumberTarget) else SetOptions


def _enough(target: Target, default_passes: int, most_passes: int, members: int) -> dict[str, Any]:
    """Build the options that determine the number of passes."""
    precision = MeanPrecision.of(target, members)
    most = max(1, min(MOST_AUTO_PASSES, most_passes) // members) * members
    least_tolerance, most_tolerance = precision.limits
    is_number = isinstance(target, NumberTarget)
    means = "the mean" if is_number else "every class' mean"
    looks = ", ".join(map(str, checkpoints(most, members)))
    first = balanced(FIRST, members)
    of_members = "" if members == 1 else f"a multiple of the {members} networks, "
    shared: dict[str, Any] = {} if members == 1 else {"multiple_of": members}
    passes = Field(
        ge=1,
        le=most_passes,
        **shared,
        description=f"Stochastic passes a row ({of_members}at most DUBITO_MAX_PASSES), or `auto`: "
        f"each row is checked separately after {first}, {2 * first}, {4 * first}, … passes, last "
        f"after `max_passes` (by default after {looks}), and answered at the first check at which "
        "a 95% interval of "
        f"{means} is at most ± `tolerance`. The answer is the one for that number of passes, and "
        "states it.",
    )
    shown = {"type": "integer", "minimum": 1, "maximum": most_passes}
    shown |= {} if members == 1 else {"multipleOf": members}
    either = WithJsonSchema({"anyOf": [shown, {"type": "string", "const": AUTO}]})
    tolerance = Field(
        ge=least_tolerance,
        le=most_tolerance,
        description="Half-width to reach with `passes=auto`, ignored otherwise: "
        + (_NUMBER_TOLERANCE if is_number else _TOLERANCE),
    )
    limit = Field(
        ge=1,
        le=most_passes,
        **shared,
        description="Most passes a row with `passes=auto`, ignored otherwise; a row that is "
        "still too uncertain then is answered as it is. Rows × this number count as work.",
    )
    number, whole = BeforeValidator(decimal), BeforeValidator(digits)
    return {
        "passes": (Annotated[int, passes, WrapValidator(digits_or_auto), either], default_passes),
        "tolerance": (Annotated[float, tolerance, number], precision.usual),
        "max_passes": (Annotated[int, limit, whole], most),
    }


_TOLERANCE = (
    "2·√(s²/T + 1/(4T)²) for the largest deviation s of a class. T equal passes give 1/(2T)."
)
_NUMBER_TOLERANCE = (
    "2·√(s²/T + (a/4T)²), in the number's unit, for the deviation s over the passes and the "
    "deviation a of the values in training. T equal passes give a/(2T)."
)


def _judged(calibration: AnyCalibration, target: Target) -> dict[str, Any]:
    """Build the options of sets or intervals, and of decisions."""
    default = usual(calibration)
    targets = [promise.target for promise in calibration.policy.promises]
    is_number = isinstance(target, NumberTarget)
    thing, truth = ("interval", "value") if is_number else ("prediction set", "grade")
    coverage = Field(
        ge=LEAST_COVERAGE,
        le=MOST_COVERAGE,
        description=f"Share of many rows whose {thing} shall contain the right {truth}, on "
        "average over the draw of the calibration rows.",
    )
    method = Field(description=f"Nonconformity score of the {thing}s.")
    wrong = "intervals that miss" if is_number else "wrong grades"
    promised = Field(
        description=f"Maximum share of {wrong} promised among many automated rows: one from "
        "the bundle's table."
    )
    # `const` instead of `enum`: some client generators support enums of texts and integers only.
    known = WithJsonSchema({"anyOf": [{"type": "number", "const": one} for one in targets]})
    methods = Literal[tuple(calibration.scores)]  # type: ignore[valid-type]
    conditional = {} if is_number else {"class_conditional": _class_conditional()}
    return {
        "coverage": (Annotated[float, coverage, BeforeValidator(decimal)], default.coverage),
        "method": (Annotated[methods, method], default.method),
        **conditional,
        "target": (
            Annotated[float, promised, BeforeValidator(one_of(targets)), known],
            default.target,
        ),
    }


def _class_conditional() -> Any:
    field = Field(
        description="Whether the coverage shall hold among the many rows of each grade separately."
    )
    return Annotated[bool, field, BeforeValidator(word)], False
