"""Prometheus gauges of the latest coverage, drift and alarms, as `/uncertainty` reports them."""

import logging
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.error_location import locate_error
from app.monitoring.report import Report

log = logging.getLogger("dubito.metrics")


Series = Mapping[tuple[str, str], float | None]
"""Values of a gauge by the model and one more label."""


class Latest(Collector):
    """Shows the latest report of each model; without a report there are no series."""

    def __init__(self) -> None:
        self._figures: dict[str, Report] = {}

    def take(self, figures: Mapping[str, Callable[[], Report | None]]) -> None:
        """Fetch the newest reports; if that fails, the scrape goes on without these gauges."""
        try:
            found = {model: newest() for model, newest in figures.items()}
            self._figures = {model: one for model, one in found.items() if one is not None}
        except Exception as error:  # noqa: BLE001 - the other metrics matter even more then
            self._fail(error)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the gauges that have series."""
        try:
            families = _families(self._figures)
        except Exception as error:  # noqa: BLE001 - the other metrics matter even more then
            self._fail(error)
            return
        yield from (family for family in families if family.samples)

    def _fail(self, error: Exception) -> None:
        self._figures = {}
        log.error("the gauges of coverage and drift cannot be computed: %s", locate_error(error))


def _families(reports: Mapping[str, Report]) -> list[GaugeMetricFamily]:
    coverages = {model: report.outcomes.coverage for model, report in reports.items()}
    features = [(model, one) for model, report in reports.items() for one in report.drift.features]
    alarms = [(model, one) for model, report in reports.items() for one in report.alarms]
    return [
        _family(
            "dubito_coverage_ratio",
            "Share of prediction sets that hold the right grade.",
            "kind",
            {
                (model, kind): value
                for model, one in coverages.items()
                for kind, value in (("promised", one.promised), ("seen", one.seen))
            },
        ),
        _family(
            "dubito_feature_drift_psi",
            "Population stability index of a feature against training.",
            "feature",
            {(model, one.feature): one.psi for model, one in features},
        ),
        _family(
            "dubito_alarm_evidence",
            "Evidence of an alarm, which is raised once it reaches its threshold.",
            "alarm",
            {(model, one.name): one.evidence for model, one in alarms},
        ),
        _family(
            "dubito_alarm_raised",
            "Whether an alarm is raised.",
            "alarm",
            {(model, one.name): float(one.raised) for model, one in alarms},
        ),
    ]


def _family(name: str, text: str, label: str, values: Series) -> GaugeMetricFamily:
    """Build a gauge with a series for each value that is not None."""
    family = GaugeMetricFamily(name, text, labels=["model", label])
    for labels, value in values.items():
        if value is not None:
            family.add_metric(labels, value)
    return family
