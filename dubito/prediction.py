"""Predictions of `N` rows as arrays, and their conversion to typed answers, row by row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dubito.answer import (
    VALUE_WARNINGS,
    Answer,
    AnswerWarning,
    DecisionAnswer,
    Degraded,
    FewPasses,
    MonteCarloAnswer,
    MonteCarloResult,
    PlainAnswer,
    PlainResult,
    Precision,
    SetAnswer,
    Uncertainty,
)
from dubito.errors import Ungradable
from dubito.identifier import new_id
from dubito.types import (
    Calibration,
    Floats,
    Identity,
    Indices,
    Notice,
    Query,
    Summary,
    measures,
)
from dubito.uncertainty.adaptive_passes import RowStatistics
from dubito.uncertainty.policy import Judgement


@dataclass(frozen=True, slots=True)
class PlainPrediction:
    """The deterministic prediction of `N` rows."""

    probabilities: Floats
    """`(N, C)` class probabilities."""
    notices: list[list[Notice]]
    """`N` lists of notices about missing or unusual values, one list a row."""

    @property
    def predicted(self) -> Indices:
        """`(N,)` class indices: the argmax, a tie to the lower index."""
        predicted: Indices = np.argmax(self.probabilities, axis=1)
        return predicted


@dataclass(frozen=True, slots=True)
class MonteCarloPrediction:
    """The Monte-Carlo prediction of `N` rows."""

    query: Query
    estimate: RowStatistics
    tolerance: float | None
    """Half-width at which a row's passes stop; None with a fixed number of passes."""
    draws: Floats | None
    """`(T, N, C)` probabilities of every pass if requested; a row uses its first `passes` ones."""
    notices: list[list[Notice]]
    """`N` lists of notices about missing or unusual values, one list a row."""
    judgement: Judgement | None
    """Sets and decisions; None if the bundle has no calibration."""
    wanted: int
    """Passes requested; the query has fewer if the deadline left no time for all."""

    @property
    def summary(self) -> Summary:
        """Statistics over the passes, each row's over its own number of passes."""
        return self.estimate.summary

    @property
    def predicted(self) -> Indices:
        """`(N,)` class indices: the argmax of the mean, a tie to the lower index."""
        return self.summary.predicted

    @property
    def mean(self) -> Floats:
        """`(N, C)` mean probability over the passes."""
        return self.summary.mean

    @property
    def std(self) -> Floats:
        """`(N, C)` population standard deviation over the passes (`ddof=0`)."""
        return self.summary.std

    @property
    def passes(self) -> Indices:
        """`(N,)` number of passes of each row."""
        return self.estimate.passes

    @property
    def seed(self) -> int:
        """Seed of the passes; the same call with it gives the same bits."""
        return self.query.seed


def check_finite(probabilities: Floats) -> None:
    """Reject probabilities `(N, C)` that are not finite.

    The argmax of NaN is 0 and would read as the first class.

    Raises:
        Ungradable: a row is not finite; the error has the positions of all such rows.
    """
    finite = np.isfinite(probabilities)
    if not finite.all():
        raise Ungradable(np.flatnonzero(~finite.all(axis=1)).tolist())


class AnswerBuilder:
    """Converts the predictions of one bundle to typed answers."""

    def __init__(
        self, identity: Identity, classes: tuple[str, ...], calibration: Calibration | None
    ) -> None:
        """Take the bundle's identity, its ordered classes and its calibration, if it has one."""
        self._identity = identity
        self._classes = classes
        self._calibration = calibration

    def plain(self, prediction: PlainPrediction, rows: range) -> list[PlainAnswer]:
        """Build the answers for some rows of a deterministic prediction."""
        predicted = prediction.predicted.tolist()
        return [
            Answer(
                new_id(),
                PlainResult(
                    self._classes[predicted[row]], self._named(prediction.probabilities[row])
                ),
                tuple(map(value_warning, prediction.notices[row])),
                self._identity,
            )
            for row in rows
        ]

    def monte_carlo(self, prediction: MonteCarloPrediction, rows: range) -> list[MonteCarloAnswer]:
        """Build the answers for some rows of a Monte-Carlo prediction."""
        answers = [
            Answer(
                new_id(),
                self._result(prediction, row),
                tuple(self._warnings(prediction, row)),
                self._identity,
            )
            for row in rows
        ]
        if prediction.draws is None:
            return answers
        return [
            Answer(answer.id, answer.result, answer.warnings, answer.model, draws)
            for answer, draws in zip(answers, self._draws(prediction, rows), strict=True)
        ]

    def _result(self, prediction: MonteCarloPrediction, row: int) -> MonteCarloResult:
        summary, estimate, judgement = (
            prediction.summary,
            prediction.estimate,
            prediction.judgement,
        )
        half_width = float(estimate.half_widths[row])
        tolerance = prediction.tolerance
        return MonteCarloResult(
            self._classes[int(summary.mean[row].argmax())],
            self._named(summary.mean[row]),
            self._named(summary.std[row]),
            int(estimate.passes[row]),
            prediction.seed,
            Precision(
                half_width, tolerance, None if tolerance is None else half_width <= tolerance
            ),
            Uncertainty(*[values.item(row) for values in measures(summary)]),
            None if judgement is None else set_answer(judgement, row, self._classes),
            None if judgement is None else decision_answer(judgement, row),
        )

    def _named(self, values: Floats) -> dict[str, float]:
        return dict(zip(self._classes, values.tolist(), strict=True))

    def _draws(
        self, prediction: MonteCarloPrediction, rows: range
    ) -> Iterator[dict[str, list[float]]]:
        assert prediction.draws is not None  # noqa: S101 - the caller has checked it
        for row in rows:
            own = prediction.draws[: prediction.passes[row], row]
            yield dict(zip(self._classes, np.swapaxes(own, 0, 1).tolist(), strict=True))

    def _warnings(self, prediction: MonteCarloPrediction, row: int) -> Iterator[AnswerWarning]:
        passes = int(prediction.passes[row])
        yield from map(value_warning, prediction.notices[row])
        if self._calibration is not None and passes < self._calibration.passes:
            yield FewPasses(passes, self._calibration.passes)
        if prediction.query.passes < prediction.wanted:
            yield Degraded(passes, prediction.wanted)


def value_warning(notice: Notice) -> AnswerWarning:
    """Convert a notice to the warning of its kind."""
    kind = VALUE_WARNINGS[notice.kind]
    return kind(
        feature=notice.feature,
        value=notice.value,
        seen_minimum=notice.seen_minimum,
        seen_maximum=notice.seen_maximum,
    )


def set_answer(judgement: Judgement, row: int, classes: Sequence[str]) -> SetAnswer:
    """Build the prediction set of one row."""
    options, inside = judgement.options, judgement.found.sets[row].tolist()
    return SetAnswer(
        options.coverage,
        options.method,
        options.class_conditional,
        tuple(label for label, is_in in zip(classes, inside, strict=True) if is_in),
        judgement.enough[row],
        tuple(_notes(judgement, classes)),
    )


def decision_answer(judgement: Judgement, row: int) -> DecisionAnswer:
    """Build the decision of one row."""
    decision, target = judgement.decisions[row], judgement.options.target
    limit = judgement.case_limit
    told = (decision.action, decision.reasons, target, decision.guaranteed)
    return DecisionAnswer(*told) if limit is None else DecisionAnswer(*told, limit)


def _notes(judgement: Judgement, classes: Sequence[str]) -> Iterator[str]:
    """Yield the caveats about sets, which are the same for every row of a request."""
    if judgement.found.below_accuracy:
        yield "grades alone are right more often than this coverage asks: sets cover more"
    if judgement.found.always:
        always = ", ".join(classes[index] for index in judgement.found.always)
        yield f"too few calibration rows to leave out {always}: in every set"
