"""What `/uncertainty` tells: typed statistics of a stretch of time, written as JSON as they are."""

from msgspec import Struct

from dubito.types import Identity

Quantiles = dict[str, float | None]
"""Level as text ("0.95") to a value; None where there were none."""


class AnswerStatistics(Struct, frozen=True, rename={"classes": "grades"}):
    """What was answered; rates are None where there was nothing."""

    rows: int
    passes: int
    classes: dict[str, int]
    """Predicted class to rows."""
    automated: int
    referred: int
    referral_rate: float | None
    reasons: dict[str, int]
    predictive_entropy: Quantiles
    """Quantiles, nats."""
    mutual_information: Quantiles
    """Quantiles, nats."""
    set_sizes: dict[str, int]
    """Number of classes in a prediction set, as text, to rows."""
    warnings: dict[str, int]


class RequestStatistics(Struct, frozen=True):
    """Requests, and how they were answered."""

    requests: int
    statuses: dict[str, int]
    errors: int
    """5xx but for 503 and 504: the service's own faults."""
    refused: int
    """429, 503 and 504: for want of time, room or records."""
    invalid: int
    """4xx but for 429."""


class TrafficStatistics(RequestStatistics, frozen=True):
    """Requests to all routes, and those that predict apart."""

    grading: RequestStatistics
    latency: Quantiles
    """Quantiles, seconds to the beginning of an answer, of requests that predict."""


class ServiceStatistics(TrafficStatistics, frozen=True):
    """The same, and how it stands now with the worker that answers."""

    last_record: str | None
    """Time of the newest record of all, ISO 8601."""
    queue: int
    """Work that waits, rows × passes."""
    trouble: str | None
    """Why no prediction would be made now, a sentence."""


class StepStatistics(AnswerStatistics, frozen=True, rename={"classes": "grades"}):
    """What was answered in one step, which begins at `start`, ISO 8601."""

    start: str
    service: TrafficStatistics


class StreamDrift(Struct, frozen=True):
    """A feature, or the mutual information, beside what training or calibration saw."""

    feature: str
    rows: int
    missing: int
    psi: float | None
    """Population stability index."""
    statistic: float | None
    """Kolmogorov-Smirnov statistic at the edges of the bins."""
    p_value: float | None


class DriftReport(Struct, frozen=True):
    """How far rows lie from what training saw."""

    rows: int
    features: tuple[StreamDrift, ...]


class CoverageSeen(Struct, frozen=True):
    """How often raw sets held the true class."""

    promised: float
    seen: float | None
    rows: int


class ErrorsSeen(Struct, frozen=True):
    """How often predictions were wrong that could be used without a person."""

    promised: float | None
    wrong: float | None
    rows: int


class ReliabilityBin(Struct, frozen=True):
    """A bin of confidence, and how often its predictions were right."""

    confidence: float | None
    accuracy: float | None
    rows: int


class RiskPoint(Struct, frozen=True):
    """A share of rows, the surest first, and the share of those that were wrong."""

    coverage: float
    risk: float


class OutcomeStatistics(Struct, frozen=True):
    """How predictions came out whose true class became known."""

    known: int
    accuracy: float | None
    ece: float | None
    """Expected calibration error, 15 bins."""
    coverage: CoverageSeen
    automated: ErrorsSeen
    band: ErrorsSeen
    """The same of the least sure of them."""
    reliability: tuple[ReliabilityBin, ...]
    risk_coverage: tuple[RiskPoint, ...]


class ExpectedStatistics(Struct, frozen=True):
    """What the calibrated probabilities themselves expect: no outcome was looked at."""

    accuracy: float | None
    automated_wrong: float | None


class Acknowledgement(Struct, frozen=True):
    """That a person knows of a raised alarm."""

    at: str
    name: str | None
    """None once it was erased, and for those whom no records are shown; the note as well."""
    note: str | None


class PastRun(Struct, frozen=True):
    """What an alarm had come to when a person began it anew."""

    began_at: str | None
    """None for the first run."""
    ended_at: str
    raised_at: str | None
    largest: float
    """Largest evidence of the run."""
    rows: int
    name: str | None
    note: str | None


class AlarmReport(Struct, frozen=True):
    """An alarm as it is shown."""

    name: str
    raised: bool
    evidence: float
    largest: float
    """Largest evidence of this run."""
    threshold: float
    rows: int
    raised_at: str | None
    largest_feature: str | None
    """The stream that speaks most for drift."""
    acknowledged: Acknowledgement | None
    began_at: str | None
    """None for the first run."""
    past: tuple[PastRun, ...]


class Report(Struct, frozen=True):
    """All statistics of the served bundle over a stretch of time."""

    window: str | None
    """Length of the window; None of a range with bounds of its own."""
    step: str
    start: str
    end: str
    model: Identity
    total: AnswerStatistics
    steps: tuple[StepStatistics, ...]
    drift: DriftReport
    outcomes: OutcomeStatistics
    estimate: ExpectedStatistics
    alarms: tuple[AlarmReport, ...]
    service: ServiceStatistics
