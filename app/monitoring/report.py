"""Typed contents of `/uncertainty`: the statistics of a period, encoded as JSON unchanged."""

from msgspec import Struct

from dubito.types import Identity

Quantiles = dict[str, float | None]
"""Level as text ("0.95") to the quantile; None if there were no values."""


class AnswerStatistics(Struct, frozen=True, rename={"classes": "grades"}):
    """Statistics of answers; rates are None if there were no answers."""

    rows: int
    passes: int
    classes: dict[str, int]
    """Predicted class to the number of rows."""
    automated: int
    referred: int
    referral_rate: float | None
    reasons: dict[str, int]
    predictive_entropy: Quantiles
    """Level to quantile of the predictive entropy, nats."""
    mutual_information: Quantiles
    """Level to quantile of the mutual information, nats."""
    set_sizes: dict[str, int]
    """Number of classes in the prediction set, as text, to the number of rows."""
    warnings: dict[str, int]


class ValueHistogram(Struct, frozen=True):
    """Predicted numbers in the bins of the training values' histogram."""

    edges: tuple[float, ...]
    """`(B + 1,)` increasing edges, in the number's unit."""
    rows: tuple[int, ...]
    """`(B + 2,)` rows below the first edge, in each bin, and from the last edge on."""


class NumberStatistics(Struct, frozen=True):
    """Statistics of answers of a number, in its unit; rates are None if there were no answers."""

    rows: int
    passes: int
    automated: int
    referred: int
    referral_rate: float | None
    reasons: dict[str, int]
    values: ValueHistogram
    std: Quantiles
    """Level to quantile of the standard deviation over the passes."""
    width: Quantiles
    """Level to quantile of the width of the intervals at the bundle's own coverage and method."""
    warnings: dict[str, int]


class RequestStatistics(Struct, frozen=True):
    """Numbers of requests by status."""

    requests: int
    statuses: dict[str, int]
    errors: int
    """Requests with status 5xx but 503 and 504: faults of the service."""
    refused: int
    """Requests with status 429, 503 or 504: refused for lack of time, room or records."""
    invalid: int
    """Requests with status 4xx but 429."""


class TrafficStatistics(RequestStatistics, frozen=True):
    """Requests to all routes, and separately those for predictions."""

    grading: RequestStatistics
    latency: Quantiles
    """Level to quantile of the time until the response begins, seconds, of prediction requests."""


class ServiceStatistics(TrafficStatistics, frozen=True):
    """Statistics of traffic, and the present state of the worker that responds."""

    last_record: str | None
    """Time of the newest record of all bundles, ISO 8601."""
    queue: int
    """Queued work, rows × passes."""
    trouble: str | None
    """Reason why no prediction would be made now, a sentence."""


class StepStatistics(AnswerStatistics, frozen=True, rename={"classes": "grades"}):
    """Statistics of one step, which begins at `start`, ISO 8601."""

    start: str
    service: TrafficStatistics


class NumberStepStatistics(NumberStatistics, frozen=True):
    """Statistics of one step of answers of a number, which begins at `start`, ISO 8601."""

    start: str
    service: TrafficStatistics


AnyAnswerStatistics = AnswerStatistics | NumberStatistics
AnyStepStatistics = StepStatistics | NumberStepStatistics


class StreamDrift(Struct, frozen=True):
    """Drift of a feature against training, or of epistemic uncertainty against calibration."""

    feature: str
    rows: int
    missing: int
    psi: float | None
    """Population stability index (PSI)."""
    statistic: float | None
    """Kolmogorov-Smirnov statistic, evaluated at the edges of the bins."""
    p_value: float | None


class DriftReport(Struct, frozen=True):
    """Drift of all streams."""

    rows: int
    features: tuple[StreamDrift, ...]


class CoverageSeen(Struct, frozen=True):
    """Observed coverage of the raw prediction sets, beside the promised one."""

    promised: float
    seen: float | None
    rows: int


class ErrorsSeen(Struct, frozen=True):
    """Observed error rate of automated predictions or a part of them, beside the promised one."""

    promised: float | None
    wrong: float | None
    rows: int


class ReliabilityBin(Struct, frozen=True):
    """A confidence bin: mean confidence, accuracy and number of rows."""

    confidence: float | None
    accuracy: float | None
    rows: int


class RiskPoint(Struct, frozen=True):
    """Share of rows, most certain first, and the share of wrong ones among them."""

    coverage: float
    risk: float


class OutcomeStatistics(Struct, frozen=True):
    """Statistics of predictions whose true class became known."""

    known: int
    accuracy: float | None
    ece: float | None
    """Expected calibration error, 15 bins."""
    coverage: CoverageSeen
    automated: ErrorsSeen
    band: ErrorsSeen
    """Error rate of the least certain of the automated predictions."""
    reliability: tuple[ReliabilityBin, ...]
    risk_coverage: tuple[RiskPoint, ...]


class NumberOutcomeStatistics(Struct, frozen=True):
    """Statistics of predictions whose true number became known, in its unit."""

    known: int
    rmse: float | None
    """Root of the mean squared error."""
    mae: float | None
    """Mean absolute error."""
    log_density: float | None
    """Mean predictive log density, nats; None without a noise head."""
    coverage: CoverageSeen
    """Coverage of the intervals that decisions were about."""
    automated: ErrorsSeen
    """Share of automated intervals that missed the true number."""
    band: ErrorsSeen
    """The same for the widest of them."""


class ExpectedStatistics(Struct, frozen=True):
    """Rates that the calibrated probabilities themselves predict, without any outcome."""

    accuracy: float | None
    automated_wrong: float | None


class ExpectedNumberStatistics(Struct, frozen=True):
    """Errors that the predicted deviations themselves predict, without any outcome."""

    rmse: float | None
    """Root of the mean total variance, in the number's unit; without a noise head what the passes
    disagree about alone."""


AnyOutcomeStatistics = OutcomeStatistics | NumberOutcomeStatistics
AnyExpectedStatistics = ExpectedStatistics | ExpectedNumberStatistics


class Acknowledgement(Struct, frozen=True):
    """Acknowledgement of a raised alarm by a person."""

    at: str
    name: str | None
    """Name of the person; None after erasure and for callers that may not see records, as the
    note."""
    note: str | None


class PastRun(Struct, frozen=True):
    """Final state of an alarm's run, when a person restarted the alarm."""

    began_at: str | None
    """Start of the run, ISO 8601; None for the first run."""
    ended_at: str
    raised_at: str | None
    largest: float
    """Largest evidence of the run."""
    rows: int
    name: str | None
    note: str | None


class AlarmReport(Struct, frozen=True):
    """Report of an alarm."""

    name: str
    raised: bool
    evidence: float
    largest: float
    """Largest evidence of the current run."""
    threshold: float
    rows: int
    raised_at: str | None
    largest_feature: str | None
    """Stream with the most evidence for drift."""
    acknowledged: Acknowledgement | None
    began_at: str | None
    """Start of the current run, ISO 8601; None for the first run."""
    past: tuple[PastRun, ...]


class Report(Struct, frozen=True):
    """All statistics of the served bundle over a period."""

    window: str | None
    """Name of the window's length; None for a range with its own bounds."""
    step: str
    start: str
    end: str
    model: Identity
    total: AnyAnswerStatistics
    steps: tuple[AnyStepStatistics, ...]
    drift: DriftReport
    outcomes: AnyOutcomeStatistics
    estimate: AnyExpectedStatistics
    alarms: tuple[AlarmReport, ...]
    service: ServiceStatistics
