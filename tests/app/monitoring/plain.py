"""What the monitor reports, as JSON has it: for tests that compare it with counts made by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import json

from app.count_keys import Counts
from app.monitoring import statistics
from app.monitoring.alarm_events import Spoken, alarm_reports
from app.monitoring.alarm_state import AlarmState
from app.monitoring.drift_report import drift_report
from app.monitoring.monitor import ReportJson
from dubito.types import Policy
from dubito.uncertainty.bins import Bins


def plain(content: object) -> Any:
    """Anything as JSON has it."""
    return json.decode(json.encode(content))


def figures(counts: Counts, classes: Sequence[str]) -> dict[str, Any]:
    content: dict[str, Any] = plain(statistics.answer_statistics(counts, classes))
    return content


def service(counts: Counts) -> dict[str, Any]:
    content: dict[str, Any] = plain(statistics.traffic_statistics(counts))
    return content


def estimate(counts: Counts) -> dict[str, Any]:
    content: dict[str, Any] = plain(statistics.expected_statistics(counts))
    return content


def outcomes(counts: Counts, policy: Policy | None) -> dict[str, Any]:
    content: dict[str, Any] = plain(statistics.outcome_statistics(counts, policy))
    return content


def shift(counts: Counts, streams: Mapping[str, Bins]) -> dict[str, Any]:
    content: dict[str, Any] = plain(drift_report(counts, streams))
    return content


def told(state: AlarmState, said: Spoken) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = plain(alarm_reports(state, said))
    return content


def report(content: ReportJson) -> dict[str, Any]:
    whole: dict[str, Any] = plain(content.report)
    return whole
