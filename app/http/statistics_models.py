"""Pydantic models of the statistics, for OpenAPI only; no member has a default."""

from pydantic import BaseModel, ConfigDict, Field

from app.http.answers import Model


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Figures(_Closed):
    """Statistics of the predictions of a period; null where there were none."""

    rows: int
    passes: int
    grades: dict[str, int]
    automated: int
    referred: int
    referral_rate: float | None
    reasons: dict[str, int]
    predictive_entropy: dict[str, float | None] = Field(
        description="quantiles of the predictive entropy, nats"
    )
    mutual_information: dict[str, float | None] = Field(
        description="quantiles of the mutual information, nats"
    )
    set_sizes: dict[str, int]
    warnings: dict[str, int]


class ValueHistogram(_Closed):
    """Predicted numbers in the bins of the training values' histogram."""

    edges: list[float] = Field(description="increasing edges, in the number's unit")
    rows: list[int] = Field(
        description="rows below the first edge, in each bin, and from the last edge on"
    )


class NumberFigures(_Closed):
    """Statistics of the predictions of a period, in the number's unit; null where none."""

    rows: int
    passes: int
    automated: int
    referred: int
    referral_rate: float | None
    reasons: dict[str, int]
    values: ValueHistogram
    std: dict[str, float | None] = Field(
        description="quantiles of the standard deviation over the passes"
    )
    width: dict[str, float | None] = Field(
        description="quantiles of the width of the intervals at the bundle's own coverage"
    )
    warnings: dict[str, int]


class ExchangeFigures(_Closed):
    """Counts of requests by how they were answered."""

    requests: int
    statuses: dict[str, int]
    errors: int = Field(description="responses 5xx except 503 and 504: faults of the service")
    refused: int = Field(
        description="responses 429, 503 and 504: lack of time, capacity or records"
    )
    invalid: int = Field(description="responses 4xx except 429")


class StepServiceFigures(ExchangeFigures):
    """Counts of requests of all workers, except to `/health`, `/metrics` and `/uncertainty`."""

    grading: ExchangeFigures = Field(
        description="counts of requests to `/predict` and `/predict/mc` only"
    )
    latency: dict[str, float | None] = Field(
        description="quantiles of the time from a graded request to the start of its "
        "response, in seconds; accurate to 15%"
    )


class ServiceFigures(StepServiceFigures):
    """Counts of requests, and the present state of the worker that answers."""

    last_record: str | None = Field(description="time of the newest record, whatever the window")
    queue: int = Field(description="queued work, rows × passes")
    trouble: str | None = Field(
        description="reason why requests cannot be graded now; null if they can"
    )


class StepFigures(Figures):
    """Statistics of one step."""

    start: str
    service: StepServiceFigures


class NumberStepFigures(NumberFigures):
    """Statistics of one step."""

    start: str
    service: StepServiceFigures


class FeatureDrift(_Closed):
    """Drift of a feature, or of the mutual information, from the training or calibration rows."""

    feature: str
    rows: int
    missing: int
    psi: float | None = Field(description="population stability index")
    statistic: float | None = Field(
        description="Kolmogorov-Smirnov statistic, computed at the edges of the bins"
    )
    p_value: float | None = Field(
        description="p-value of the statistic, for a single test: it is not corrected for "
        "repeated ones"
    )


class Drift(_Closed):
    """Drift of the rows from the training data."""

    rows: int
    features: list[FeatureDrift]


class Coverage(_Closed):
    """Share of `lac` sets, before the predicted grade is added to each, with the true grade."""

    promised: float
    seen: float | None
    rows: int


class AutomatedErrors(_Closed):
    """Share of automated grades that were wrong."""

    promised: float | None
    wrong: float | None
    rows: int


class ReliabilityBin(_Closed):
    """A bin of confidence and the share of its grades that were right."""

    confidence: float
    accuracy: float
    rows: int


class RiskPoint(_Closed):
    """A share of rows, most certain first, and the share of them that were wrong."""

    coverage: float
    risk: float


class Outcomes(_Closed):
    """Statistics of predictions whose true grade became known in this period."""

    known: int
    accuracy: float | None
    ece: float | None = Field(description="expected calibration error, 15 bins")
    coverage: Coverage
    automated: AutomatedErrors
    band: AutomatedErrors = Field(
        description="the same for the least certain of the automated grades"
    )
    reliability: list[ReliabilityBin]
    risk_coverage: list[RiskPoint]


class IntervalCoverage(_Closed):
    """Share of intervals at the bundle's own coverage that hold the true number."""

    promised: float
    seen: float | None
    rows: int


class MissedIntervals(_Closed):
    """Share of automated intervals that miss the true number."""

    promised: float | None
    wrong: float | None
    rows: int


class NumberOutcomes(_Closed):
    """Statistics of predictions whose true number became known in this period, in its unit."""

    known: int
    rmse: float | None = Field(description="root of the mean squared error")
    mae: float | None = Field(description="mean absolute error")
    log_density: float | None = Field(
        description="mean predictive log density, nats; null without a noise head"
    )
    coverage: IntervalCoverage
    automated: MissedIntervals
    band: MissedIntervals = Field(description="the same for the widest of the automated intervals")


class NumberEstimateFigures(_Closed):
    """Error expected from the predicted deviations alone, without any outcome."""

    rmse: float | None = Field(
        description="root of the mean total variance; without a noise head, what the passes "
        "disagree about alone"
    )


class Estimate(_Closed):
    """Accuracy expected from the calibrated probabilities alone, without any outcome."""

    accuracy: float | None
    automated_wrong: float | None


WINDOW = "requested window; null for a range"
STEPS = (
    "steps in order; the last contains the present, and predictions dated later because the clock "
    "was ahead"
)
NAME = "name of the person; null after erasure, and for clients that may not see records"


class Acknowledgement(_Closed):
    """Acknowledgement of a raised alarm by a person."""

    at: str
    name: str | None = Field(description=NAME)
    note: str | None


class PastRun(_Closed):
    """A past run of an alarm, which ended when a person restarted it."""

    began_at: str | None = Field(description="time at which the run began; null for the first run")
    ended_at: str
    raised_at: str | None
    largest: float = Field(description="largest evidence of the run")
    rows: int
    name: str | None = Field(description=NAME)
    note: str | None


class Alarm(_Closed):
    """An alarm: a test valid at any time, whose chance of a false alarm is at most 1 in 100."""

    name: str
    raised: bool
    evidence: float = Field(
        description="present evidence against the hypothesis that nothing is wrong"
    )
    largest: float = Field(description="largest evidence in this run, by this bundle")
    threshold: float
    rows: int
    raised_at: str | None
    largest_feature: str | None = Field(description="feature with the most evidence of drift")
    acknowledged: Acknowledgement | None
    began_at: str | None = Field(
        description="time at which a person restarted the alarm; null for the first run"
    )
    past: list[PastRun] = Field(description="runs that have ended, newest first, at most 20")


class UncertaintyFigures(_Closed):
    """Statistics of the served bundle, over a window or a range."""

    window: str | None = Field(description=WINDOW)
    step: str
    start: str
    end: str
    model: Model
    total: Figures
    steps: list[StepFigures] = Field(description=STEPS)
    drift: Drift
    outcomes: Outcomes
    estimate: Estimate
    alarms: list[Alarm]
    service: ServiceFigures


class NumberUncertaintyFigures(_Closed):
    """Statistics of the served bundle, which predicts a number, over a window or a range."""

    window: str | None = Field(description=WINDOW)
    step: str
    start: str
    end: str
    model: Model
    total: NumberFigures
    steps: list[NumberStepFigures] = Field(description=STEPS)
    drift: Drift
    outcomes: NumberOutcomes
    estimate: NumberEstimateFigures
    alarms: list[Alarm]
    service: ServiceFigures
