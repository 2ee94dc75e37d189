"""What the monitor reports, as JSON has it: for tests that compare it with counts made by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import to_builtins

from app.count_keys import Counts
from app.monitoring import statistics
from app.monitoring.alarm_events import Spoken, alarm_reports
from app.monitoring.alarm_state import State
from app.monitoring.drift_report import drift_report
from app.monitoring.monitor import Content
from dubito.types import Policy
from dubito.uncertainty.bins import Bins


def figures(counts: Counts, classes: Sequence[str]) -> dict[str, Any]:
    content: dict[str, Any] = to_builtins(statistics.answer_statistics(counts, classes))
    return content


def service(counts: Counts) -> dict[str, Any]:
    content: dict[str, Any] = to_builtins(statistics.traffic_statistics(counts))
    return content


def estimate(counts: Counts) -> dict[str, Any]:
    content: dict[str, Any] = to_builtins(statistics.expected_statistics(counts))
    return content


def outcomes(counts: Counts, policy: Policy | None) -> dict[str, Any]:
    content: dict[str, Any] = to_builtins(statistics.outcome_statistics(counts, policy))
    return content


def shift(counts: Counts, streams: Mapping[str, Bins]) -> dict[str, Any]:
    content: dict[str, Any] = to_builtins(drift_report(counts, streams))
    return content


def told(state: State, said: Spoken) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = list(to_builtins(alarm_reports(state, said)))
    return content


def report(content: Content) -> dict[str, Any]:
    whole: dict[str, Any] = to_builtins(content.report)
    return whole
