"""The meter: what is counted of the answers of one bundle. It sees no row, only what came of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.monitoring.children import Children
from app.monitoring.instruments import Instruments
from app.values import Identity

PLAIN, MONTE_CARLO = "/predict", "/predict/mc"
ACTIONS = ("automate", "refer")
KINDS = ("out_of_range", "in_margin", "missing", "few_passes", "degraded")

Answers = Sequence[Mapping[str, Any]]


class Meter:
    """Counts answered rows."""

    def __init__(
        self, instruments: Instruments, identity: Identity, classes: tuple[str, ...]
    ) -> None:
        """Begin all series that can be known beforehand, so that each starts at 0."""
        version = str(identity.version)
        instruments.model.labels(identity.name, version, identity.digest).set(1)
        self._plain = Children(instruments.rows, PLAIN, version)
        self._monte_carlo = Children(instruments.rows, MONTE_CARLO, version)
        self._passes = instruments.passes.labels(version)
        self._decisions = Children(instruments.decisions, version)
        self._reasons = Children(instruments.reasons, version)
        self._warnings = Children(instruments.warnings, version)
        self._entropy = instruments.entropy.labels(version)
        self._information = instruments.information.labels(version)
        self._set_sizes = instruments.set_sizes.labels(version)
        for children, values in (
            (self._plain, classes),
            (self._monte_carlo, classes),
            (self._decisions, ACTIONS),
            (self._warnings, KINDS),
        ):
            for value in values:
                children[value].inc(0)

    def graded(self, answers: Answers) -> None:
        """Count deterministic answers."""
        for answer in answers:
            self._plain[answer["grade"]].inc()
            self._warn(answer)

    def doubted(self, answers: Answers) -> None:
        """Count Monte-Carlo answers."""
        for answer in answers:
            self._monte_carlo[answer["grade"]].inc()
            self._passes.inc(answer["passes"])
            uncertainty = answer["uncertainty"]
            self._entropy.observe(uncertainty["predictive_entropy"])
            self._information.observe(uncertainty["mutual_information"])
            if answer["decision"] is not None:
                self._judge(answer)
            self._warn(answer)

    def _judge(self, answer: Mapping[str, Any]) -> None:
        decision = answer["decision"]
        self._decisions[decision["action"]].inc()
        for reason in decision["reasons"]:
            self._reasons[reason].inc()
        self._set_sizes.observe(len(answer["prediction_set"]["grades"]))

    def _warn(self, answer: Mapping[str, Any]) -> None:
        for warning in answer["warnings"]:
            self._warnings[warning["kind"]].inc()
