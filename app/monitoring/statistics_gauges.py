"""Prometheus gauges of the latest coverage, drift and alarms, as `/uncertainty` reports them."""

import logging
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.error_location import locate_error
from app.monitoring.report import Report

log = logging.getLogger("dubito.metrics")


class Latest(Collector):
    """Shows the latest report; without a report there are no series."""

    def __init__(self) -> None:
        self._figures: Report | None = None

    def take(self, figures: Callable[[], Report | None]) -> None:
        """Fetch the newest report; if that fails, the scrape goes on without these gauges."""
        try:
            self._figures = figures()
        except Exception as error:  # noqa: BLE001 - the other metrics matter even more then
            self._fail(error)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the gauges that have series."""
        try:
            families = [] if self._figures is None else _families(self._figures)
        except Exception as error:  # noqa: BLE001 - the other metrics matter even more then
            self._fail(error)
            return
        yield from (family for family in families if family.samples)

    def _fail(self, error: Exception) -> None:
        self._figures = None
        log.error("the gauges of coverage and drift cannot be computed: %s", locate_error(error))


def _families(report: Report) -> list[GaugeMetricFamily]:
    coverage = report.outcomes.coverage
    features, alarms = report.drift.features, report.alarms
    return [
        _family(
            "dubito_coverage_ratio",
            "Share of prediction sets that hold the right grade.",
            "kind",
            {"promised": coverage.promised, "seen": coverage.seen},
        ),
        _family(
            "dubito_feature_drift_psi",
            "Population stability index of a feature against training.",
            "feature",
            {one.feature: one.psi for one in features},
        ),
        _family(
            "dubito_alarm_evidence",
            "Evidence of an alarm, which is raised once it reaches its threshold.",
            "alarm",
            {one.name: one.evidence for one in alarms},
        ),
        _family(
            "dubito_alarm_raised",
            "Whether an alarm is raised.",
            "alarm",
            {one.name: float(one.raised) for one in alarms},
        ),
    ]


def _family(
    name: str, text: str, label: str, values: Mapping[str, float | None]
) -> GaugeMetricFamily:
    """Build a gauge with a series for each value that is not None."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        if value is not None:
            family.add_metric([key], value)
    return family
