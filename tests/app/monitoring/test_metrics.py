"""What is counted, and the page that says so."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from app.errors import Abandoned, DeadlinePassed, Unavailable
from app.monitoring.metrics import OPENMETRICS, REFUSALS, Metrics, Sources
from app.monitoring.prediction_metrics import PredictionMetrics
from dubito.answer import (
    Answer,
    DecisionAnswer,
    Missing,
    MonteCarloAnswer,
    MonteCarloResult,
    PlainResult,
    Precision,
    SetAnswer,
    Uncertainty,
)
from dubito.targets import ClassTarget
from dubito.types import Identity
from tests.prometheus import REPORT, promtool, samples, total

IDENTITY = Identity("shells", 12, "sha256:5e11")
CLASSES = ("small", "large")


@dataclass
class Writer:
    """Records that are being written."""

    behind: int = 0
    failures: int = 0


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def predictions(metrics: Metrics) -> PredictionMetrics:
    return metrics.predictions(IDENTITY, ClassTarget(CLASSES))


def page(metrics: Metrics, sources: Sources | None = None, accept: str = "") -> str:
    """The page as it is read while sources are watched."""

    async def read() -> str:
        async with metrics.watching(sources or Sources({"shells": lambda: 0})):
            content, _ = await metrics.page(accept)
        return content.decode()

    return asyncio.run(read())


AUTOMATED = DecisionAnswer("automate", (), 0.05, guaranteed=True)
REFERRED = DecisionAnswer("refer", ("ambiguous", "no_evidence"), 0.05, guaranteed=True)


def set_of(*classes: str) -> SetAnswer:
    """A prediction set."""
    return SetAnswer(0.9, "lac", False, classes, True, ())  # noqa: FBT003


def uncertain(predicted: str, entropy: float, **changes: Any) -> MonteCarloAnswer:
    """The Monte-Carlo answer to a row."""
    usual = {"prediction_set": set_of(predicted), "decision": AUTOMATED}
    result = MonteCarloResult(
        predicted=predicted,
        mean={predicted: 1.0},
        std={predicted: 0.0},
        passes=50,
        seed=1,
        precision=Precision(0.01, None, None),
        uncertainty=Uncertainty(entropy, entropy * 0.9, entropy / 10, 0.0),
        **{**usual, **changes},
    )
    return Answer("row", result, (), IDENTITY)


def test_every_series_that_is_known_begins_at_0(
    metrics: Metrics, predictions: PredictionMetrics
) -> None:
    """Before the first request: grades, decisions, warnings and reasons for refusing are there."""
    found = samples(page(metrics))
    for grade in CLASSES:
        labels = {"endpoint": "/predict/mc", "grade": grade, "model": "shells", "version": "12"}
        assert 0 == found["dubito_rows_total", tuple(labels.items())]
    for reason in REFUSALS:
        assert 0 == found["dubito_refusals_total", (("reason", reason),)]
    assert 0 == total(found, "dubito_decisions_total", model="shells", version="12", action="refer")
    assert 1 == total(found, "dubito_model_info", name="shells", digest="sha256:5e11")


def test_answers_are_counted(metrics: Metrics, predictions: PredictionMetrics) -> None:
    """Rows by grade, passes, decisions with their reasons, sets, warnings, and how doubtful."""
    missing = Missing(feature="weight", value=None, seen_minimum=1.0, seen_maximum=20.0)
    predictions.monte_carlo([uncertain("small", 0.05), uncertain("small", 0.35, decision=REFERRED)])
    predictions.monte_carlo([uncertain("large", 0.6, prediction_set=set_of(*CLASSES))])
    predictions.plain(
        [Answer("row", PlainResult("large", {"large": 1.0}), (missing, missing), IDENTITY)]
    )
    found = samples(page(metrics))

    assert 2 == total(found, "dubito_rows_total", endpoint="/predict/mc", grade="small")
    assert 1 == total(found, "dubito_rows_total", endpoint="/predict", grade="large")
    assert 150 == total(found, "dubito_passes_total", version="12")
    assert 2 == total(found, "dubito_decisions_total", action="automate")
    assert 1 == total(found, "dubito_decisions_total", action="refer")
    assert 1 == total(found, "dubito_referral_reasons_total", reason="no_evidence", version="12")
    assert 2 == total(found, "dubito_warnings_total", kind="missing")
    assert 3 == total(found, "dubito_predictive_entropy_nats_count", version="12")
    assert 1 == total(found, "dubito_predictive_entropy_nats_bucket", le="0.1")
    assert 2 == total(found, "dubito_predictive_entropy_nats_bucket", le="0.4")
    assert 0.1 == pytest.approx(total(found, "dubito_mutual_information_nats_sum"))
    assert 4 == total(found, "dubito_prediction_set_size_sum")


def test_an_uncalibrated_answer_has_no_decision(
    metrics: Metrics, predictions: PredictionMetrics
) -> None:
    """Its doubt is counted all the same."""
    predictions.monte_carlo([uncertain("small", 0.5, decision=None, prediction_set=None)])
    found = samples(page(metrics))
    assert 0 == total(found, "dubito_decisions_total")
    assert 1 == total(found, "dubito_predictive_entropy_nats_count")


def test_a_method_that_nobody_knows_is_no_series_of_its_own(metrics: Metrics) -> None:
    """However many words are tried, the page stays as long as it is."""
    for number in range(100):
        metrics.traffic("/predict", f"BREW{number}", 405, 0.001)
    metrics.traffic("/predict", "POST", 200, 0.3)
    found = samples(page(metrics))
    named = [labels for name, labels in found if name == "dubito_requests_total"]
    assert 2 == len(named)
    assert 100 == total(found, "dubito_requests_total", method="-", status="405")
    assert 101 == total(found, "dubito_request_duration_seconds_count", route="/predict")


def test_batches_are_counted(metrics: Metrics, predictions: PredictionMetrics) -> None:
    """Their work and their time."""
    predictions.batch(100, 0.0012)
    predictions.batch(6400, 0.004)
    found = samples(page(metrics))
    assert 6500 == total(found, "dubito_batch_work_sum")
    assert 0.0052 == pytest.approx(total(found, "dubito_batch_duration_seconds_sum"))


def test_what_waits_is_asked_when_the_page_is_read(metrics: Metrics) -> None:
    """The queue and the records as they are now; failures only ever become more."""
    writer = Writer(behind=17, failures=2)
    first = samples(page(metrics, Sources({"shells": lambda: 4200}, writer)))
    writer.behind, writer.failures = 0, 3
    second = samples(page(metrics, Sources({"shells": lambda: 0}, writer)))
    names = ("dubito_queue_work", "dubito_records_behind", "dubito_records_failures_total")
    assert [4200, 17, 2] == [total(first, name) for name in names]
    assert [0, 0, 3] == [total(second, name) for name in names]


def test_coverage_drift_and_alarms_are_those_of_uncertainty(metrics: Metrics) -> None:
    """The latest figures; what is not known yet has no series."""
    found = samples(
        page(metrics, Sources({"shells": lambda: 0}, figures={"shells": lambda: REPORT}))
    )
    assert 0.99 == total(found, "dubito_coverage_ratio", kind="promised")
    assert 0.97 == total(found, "dubito_coverage_ratio", kind="seen")
    assert 0.012 == total(found, "dubito_feature_drift_psi", feature="loan_amount")
    assert (
        "dubito_feature_drift_psi",
        (("feature", "mutual_information"), ("model", "shells")),
    ) not in found
    assert 131.5 == total(found, "dubito_alarm_evidence", alarm="drift")
    assert 1 == total(found, "dubito_alarm_raised", alarm="drift")
    assert 0 == total(found, "dubito_alarm_raised", alarm="validity")


def _raised() -> dict[str, Any]:
    raise ZeroDivisionError("94827.5163")


@pytest.mark.parametrize("figures", [_raised, lambda: {"drift": 5}, lambda: None])
def test_figures_that_cannot_be_had_spoil_nothing(
    metrics: Metrics, figures: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """All other metrics are shown, and the log says nothing but the kind of error."""
    page(metrics, Sources({"shells": lambda: 0}, figures={"shells": lambda: REPORT}))
    text = page(metrics, Sources({"shells": lambda: 0}, figures={"shells": figures}))
    assert 0 == total(samples(text), "dubito_queue_work")
    assert "dubito_alarm_raised" not in text
    assert "94827" not in caplog.text


def test_every_refusal_has_a_reason_of_its_own() -> None:
    """Each error that ends a request for want of something says which, and metrics know it."""
    errors: list[type[Unavailable]] = Unavailable.__subclasses__()
    reasons = [Abandoned.reason, DeadlinePassed.reason, *(error.reason for error in errors)]
    assert sorted(REFUSALS) == sorted(reasons)


@pytest.mark.parametrize("accept", ["", f"text/html;q=0.9, {OPENMETRICS};version=1.0.0;q=0.7"])
def test_names_follow_the_conventions(
    metrics: Metrics, predictions: PredictionMetrics, accept: str
) -> None:
    """`promtool` finds no fault with the page, nor the OpenMetrics parser with the other form."""
    metrics.traffic("/predict", "POST", 200, 0.3)
    predictions.monte_carlo([uncertain("small", 0.5)])
    text = page(
        metrics, Sources({"shells": lambda: 0}, Writer(), {"shells": lambda: REPORT}), accept
    )
    if accept:
        assert text.endswith("# EOF\n")
        assert list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
    else:
        assert "" == promtool("check", "metrics", stdin=text).strip()
        assert "_created" not in text
