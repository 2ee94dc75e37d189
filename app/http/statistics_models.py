"""The models of figures, for OpenAPI. No member has a default."""

from pydantic import BaseModel, ConfigDict, Field

from app.http.answers import Model


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Figures(_Closed):
    """What was answered in a stretch of time; null where there was nothing."""

    rows: int
    passes: int
    grades: dict[str, int]
    automated: int
    referred: int
    referral_rate: float | None
    reasons: dict[str, int]
    predictive_entropy: dict[str, float | None] = Field(description="quantiles, nats")
    mutual_information: dict[str, float | None] = Field(description="quantiles, nats")
    set_sizes: dict[str, int]
    warnings: dict[str, int]


class ExchangeFigures(_Closed):
    """Requests, and how they were answered."""

    requests: int
    statuses: dict[str, int]
    errors: int = Field(description="5xx but for 503 and 504: the service's own fault")
    refused: int = Field(description="429, 503 and 504: for want of time, room or records")
    invalid: int = Field(description="4xx but for 429")


class StepServiceFigures(ExchangeFigures):
    """Requests to all routes but `/health`, `/metrics` and `/uncertainty`, of all workers."""

    grading: ExchangeFigures = Field(description="those to `/predict` and `/predict/mc` alone")
    latency: dict[str, float | None] = Field(
        description="quantiles, seconds from a request to the beginning of its answer, of what was "
        "graded; right but for 15%"
    )


class ServiceFigures(StepServiceFigures):
    """The same, and how it stands now with the worker that answers."""

    last_record: str | None = Field(description="time of the newest record of all, of any window")
    queue: int = Field(description="work that waits, rows × passes")
    trouble: str | None = Field(description="why no grade would be given now, if so")


class StepFigures(Figures):
    """The same, of one step."""

    start: str
    service: StepServiceFigures


class FeatureDrift(_Closed):
    """A feature, or the mutual information, beside what training or calibration saw."""

    feature: str
    rows: int
    missing: int
    psi: float | None = Field(description="population stability index")
    statistic: float | None = Field(description="Kolmogorov-Smirnov, at the edges of the bins")
    p_value: float | None = Field(description="of the statistic; nobody looked before")


class Drift(_Closed):
    """How far rows are from what training saw."""

    rows: int
    features: list[FeatureDrift]


class Coverage(_Closed):
    """How often the raw sets held the right grade."""

    promised: float
    seen: float | None
    rows: int


class AutomatedErrors(_Closed):
    """How often grades were wrong that could be used without a person."""

    promised: float | None
    wrong: float | None
    rows: int


class ReliabilityBin(_Closed):
    """A bin of confidence, and how often its grades were right."""

    confidence: float
    accuracy: float
    rows: int


class RiskPoint(_Closed):
    """A share of rows, the surest first, and the share of those that were wrong."""

    coverage: float
    risk: float


class Outcomes(_Closed):
    """Of answers whose true grade became known in this time."""

    known: int
    accuracy: float | None
    ece: float | None = Field(description="expected calibration error, 15 bins")
    coverage: Coverage
    automated: AutomatedErrors
    band: AutomatedErrors = Field(description="the same of the least sure of them")
    reliability: list[ReliabilityBin]
    risk_coverage: list[RiskPoint]


class Estimate(_Closed):
    """What the calibrated probabilities themselves expect: no outcome was looked at."""

    accuracy: float | None
    automated_wrong: float | None


NAME = "who said so; null once it was erased, and for those whom no records are shown"


class Acknowledgement(_Closed):
    """That a person knows of a raised alarm."""

    at: str
    name: str | None = Field(description=NAME)
    note: str | None


class PastRun(_Closed):
    """What an alarm had come to when a person began it anew."""

    began_at: str | None = Field(description="null for the first run")
    ended_at: str
    raised_at: str | None
    largest: float = Field(description="evidence")
    rows: int
    name: str | None = Field(description=NAME)
    note: str | None


class Alarm(_Closed):
    """A test that may be looked at all the time: false alarms have at most 1 chance in 100."""

    name: str
    raised: bool
    evidence: float = Field(description="against that nothing is wrong")
    largest: float = Field(description="that there was in this run, by this bundle")
    threshold: float
    rows: int
    raised_at: str | None
    largest_feature: str | None = Field(description="what speaks most for drift")
    acknowledged: Acknowledgement | None
    began_at: str | None = Field(description="when a person began it anew; null for the first run")
    past: list[PastRun] = Field(description="runs that have ended, the newest first, 20 at most")


class UncertaintyFigures(_Closed):
    """Figures of the bundle that is served, over a window of time or a range of one's own."""

    window: str | None = Field(description="null of a range of one's own")
    step: str
    start: str
    end: str
    model: Model
    total: Figures
    steps: list[StepFigures] = Field(
        description="the last one holds the present, and what is dated later: the clock was ahead"
    )
    drift: Drift
    outcomes: Outcomes
    estimate: Estimate
    alarms: list[Alarm]
    service: ServiceFigures
