"""Prometheus metrics of one bundle's answers; computed from results, never from features."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from prometheus_client.metrics import MetricWrapperBase

from app.monitoring.instruments import Instruments
from dubito.answer import (
    AnyAnswer,
    AnyMonteCarloAnswer,
    AnyPlainAnswer,
    DecisionAnswer,
    MonteCarloNumber,
    MonteCarloResult,
    PlainResult,
    kind_of,
)
from dubito.targets import ClassTarget, NumberTarget, Target
from dubito.types import Identity

PLAIN, MONTE_CARLO = "/predict", "/predict/mc"
ACTIONS = ("automate", "refer")
NO_GRADE = ""
"""Label of rows of a number: an empty label is none to Prometheus."""
KINDS = ("out_of_range", "in_margin", "missing", "unknown_category", "few_passes", "degraded")

Metric = TypeVar("Metric", bound=MetricWrapperBase)


class LabelledSeries(dict[str, Metric], Generic[Metric]):
    """The series of a metric by its last label, with fixed values of the other labels.

    Each series is looked up once instead of at every observation, and created on first use.
    """

    def __init__(self, metric: Metric, *given: str) -> None:
        """Set the metric and the values of all labels but the last."""
        super().__init__()
        self._metric = metric
        self._given = given

    def __missing__(self, value: str) -> Metric:
        child = self[value] = self._metric.labels(*self._given, value)
        return child


class PredictionMetrics:
    """Counts answered rows."""

    def __init__(self, instruments: Instruments, identity: Identity, target: Target) -> None:
        """Initialise all series that are known beforehand, so that each starts at 0."""
        name, version = identity.name, str(identity.version)
        self._model = instruments.model.labels(name, version, identity.digest)
        self._model.set(1)
        self._buffer = instruments.buffer
        self._batch_seconds = instruments.batch_seconds.labels(name)
        self._batch_work = instruments.batch_work.labels(name)
        self._plain = LabelledSeries(instruments.rows, PLAIN, name, version)
        self._monte_carlo = LabelledSeries(instruments.rows, MONTE_CARLO, name, version)
        self._passes = instruments.passes.labels(name, version)
        self._decisions = LabelledSeries(instruments.decisions, name, version)
        self._reasons = LabelledSeries(instruments.reasons, name, version)
        self._warnings = LabelledSeries(instruments.warnings, name, version)
        self._version = version
        self._entropy = LabelledSeries(instruments.entropy, name)
        self._information = LabelledSeries(instruments.information, name)
        self._set_sizes = LabelledSeries(instruments.set_sizes, name)
        self._spread = LabelledSeries(instruments.spread, name)
        self._widths = LabelledSeries(instruments.widths, name)
        self._scale = target.std if isinstance(target, NumberTarget) else 1.0
        is_number = isinstance(target, NumberTarget)
        of_classes = (self._entropy, self._information, self._set_sizes)
        for histograms in (self._spread, self._widths) if is_number else of_classes:
            histograms[version]
        classes = target.classes if isinstance(target, ClassTarget) else (NO_GRADE,)
        for children, values in (
            (self._plain, classes),
            (self._monte_carlo, classes),
            (self._decisions, ACTIONS),
            (self._warnings, KINDS),
        ):
            for value in values:
                children[value].inc(0)

    def end(self) -> None:
        """Say that the bundle is not served any more."""
        self._model.set(0)

    def batch(self, work: int, seconds: float) -> None:
        """Count a batch: its work in rows × passes, and its duration in seconds."""
        self._buffer.observe(self._batch_work, work)
        self._buffer.observe(self._batch_seconds, seconds)

    def plain(self, answers: Sequence[AnyPlainAnswer]) -> None:
        """Count deterministic answers."""
        for answer in answers:
            result = answer.result
            grade = result.predicted if isinstance(result, PlainResult) else NO_GRADE
            self._buffer.count(self._plain[grade])
            self._warn(answer)

    def monte_carlo(self, answers: Sequence[AnyMonteCarloAnswer]) -> None:
        """Count Monte-Carlo answers."""
        buffer = self._buffer
        for answer in answers:
            result = answer.result
            buffer.count(self._passes, result.passes)
            if isinstance(result, MonteCarloResult):
                self._observe_classes(result)
            else:
                self._observe_number(result)
            if result.decision is not None:
                self._judge(result.decision)
            self._warn(answer)

    def _observe_classes(self, result: MonteCarloResult) -> None:
        buffer = self._buffer
        buffer.count(self._monte_carlo[result.predicted])
        buffer.observe(self._entropy[self._version], result.uncertainty.predictive_entropy)
        buffer.observe(self._information[self._version], result.uncertainty.mutual_information)
        if result.prediction_set is not None:
            buffer.observe(self._set_sizes[self._version], len(result.prediction_set.classes))

    def _observe_number(self, result: MonteCarloNumber) -> None:
        self._buffer.count(self._monte_carlo[NO_GRADE])
        self._buffer.observe(self._spread[self._version], result.std / self._scale)
        interval = result.interval
        if interval is not None and interval.lower is not None and interval.upper is not None:
            self._buffer.observe(
                self._widths[self._version], (interval.upper - interval.lower) / self._scale
            )

    def _judge(self, decision: DecisionAnswer) -> None:
        self._buffer.count(self._decisions[decision.action])
        for reason in decision.reasons:
            self._buffer.count(self._reasons[reason])

    def _warn(self, answer: AnyAnswer) -> None:
        for warning in answer.warnings:
            self._buffer.count(self._warnings[kind_of(warning)])
