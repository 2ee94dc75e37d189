"""Predictions of `N` rows as arrays, and their conversion to typed answers, row by row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import NamedTuple

import numpy as np

from dubito.answer import (
    NUMBER_WARNINGS,
    Answer,
    AnswerWarning,
    DecisionAnswer,
    Degraded,
    FewPasses,
    Missing,
    MonteCarloAnswer,
    MonteCarloResult,
    PlainAnswer,
    PlainResult,
    Precision,
    SetAnswer,
    Uncertainty,
    UnknownCategory,
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


MOST_TOGETHER = 512
"""Most rows whose statistics are converted at once."""


class RowTable(NamedTuple):
    """Statistics of rows as Python's own numbers, a list of all rows each."""

    predicted: list[int]
    """Class indices: the argmax of the mean, a tie to the lower index."""
    mean: list[list[float]]
    std: list[list[float]]
    measures: list[tuple[float, ...]]
    passes: list[int]
    half_widths: list[float]
    sets: list[list[bool]]
    """Whether each class is in the row's prediction set; empty without a calibration."""


@dataclass(frozen=True)
class JudgedRows:
    """What was computed of some rows together, which may belong to several requests."""

    estimate: RowStatistics
    notices: list[list[Notice]]
    """Lists of notices about missing or unusual values, one list a row."""
    judgement: Judgement | None
    """Sets and decisions; None if the bundle has no calibration."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.notices)

    def table_of(self, rows: range) -> tuple[RowTable, int]:
        """Return the statistics of some rows, and the place of the first of them in the lists."""
        if len(self) <= MOST_TOGETHER:
            return self._table, rows.start
        # All at once would keep the event loop from others for as long as it takes.
        return self._converted(slice(rows.start, rows.stop)), 0

    @cached_property
    def _table(self) -> RowTable:
        return self._converted(slice(None))

    def _converted(self, rows: slice) -> RowTable:
        """Convert the arrays of some rows at once, not row by row."""
        estimate, judgement = self.estimate.where(rows), self.judgement
        summary = estimate.summary
        mean = summary.mean.tolist()
        return RowTable(
            [row.index(max(row)) for row in mean],
            mean,
            summary.std.tolist(),
            list(zip(*[values.tolist() for values in measures(summary)], strict=True)),
            estimate.passes.tolist(),
            estimate.half_widths.tolist(),
            [] if judgement is None else judgement.found.sets[rows].tolist(),
        )


@dataclass(frozen=True)
class MonteCarloPrediction:
    """The Monte-Carlo prediction of `N` rows."""

    query: Query
    judged: JudgedRows
    """The rows, with those of other requests that were computed at the same time."""
    start: int
    """Place of the prediction's first row among them."""
    tolerance: float | None
    """Half-width at which a row's passes stop; None with a fixed number of passes."""
    draws: Floats | None
    """`(T, N, C)` probabilities of every pass if requested; a row uses its first `passes` ones."""
    wanted: int
    """Passes requested; the query has fewer if the deadline left no time for all."""

    @property
    def own(self) -> slice:
        """Places of the prediction's rows."""
        return slice(self.start, self.start + len(self.query.features))

    @cached_property
    def estimate(self) -> RowStatistics:
        """Statistics over the passes and their precision."""
        return self.judged.estimate.where(self.own)

    @property
    def notices(self) -> list[list[Notice]]:
        """`N` lists of notices about missing or unusual values, one list a row."""
        return self.judged.notices[self.own]

    @cached_property
    def judgement(self) -> Judgement | None:
        """Sets and decisions; None if the bundle has no calibration."""
        whole = self.judged.judgement
        return None if whole is None else whole.where(self.own)

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
        start, judgement = prediction.start, prediction.judged.judgement
        places = range(start + rows.start, start + rows.stop)
        table, first = prediction.judged.table_of(places)
        notes = () if judgement is None else tuple(_notes(judgement, self._classes))
        answers = [
            Answer(
                new_id(),
                self._result(prediction, table, notes, place, at),
                self._warnings(prediction, place, table.passes[at]),
                self._identity,
            )
            for at, place in enumerate(places, first)
        ]
        if prediction.draws is None:
            return answers
        return [
            Answer(answer.id, answer.result, answer.warnings, answer.model, draws)
            for answer, draws in zip(answers, self._draws(prediction, rows), strict=True)
        ]

    def _result(
        self,
        prediction: MonteCarloPrediction,
        table: RowTable,
        notes: tuple[str, ...],
        place: int,
        at: int,
    ) -> MonteCarloResult:
        """Build the result of the row at a place among those judged, and at one in the table."""
        classes, tolerance = self._classes, prediction.tolerance
        half_width, judgement = table.half_widths[at], prediction.judged.judgement
        return MonteCarloResult(
            classes[table.predicted[at]],
            dict(zip(classes, table.mean[at], strict=True)),
            dict(zip(classes, table.std[at], strict=True)),
            table.passes[at],
            prediction.seed,
            Precision(
                half_width, tolerance, None if tolerance is None else half_width <= tolerance
            ),
            Uncertainty(*table.measures[at]),
            None
            if judgement is None
            else set_answer(judgement, table.sets[at], judgement.enough[place], classes, notes),
            None if judgement is None else decision_answer(judgement, place),
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

    def _warnings(
        self, prediction: MonteCarloPrediction, place: int, passes: int
    ) -> tuple[AnswerWarning, ...]:
        """Build the warnings of the row at a place among those judged."""
        calibration = self._calibration
        warnings: list[AnswerWarning] = list(map(value_warning, prediction.judged.notices[place]))
        if calibration is not None and passes < calibration.passes:
            warnings.append(FewPasses(passes, calibration.passes))
        if prediction.query.passes < prediction.wanted:
            warnings.append(Degraded(passes, prediction.wanted))
        return tuple(warnings)


def value_warning(notice: Notice) -> AnswerWarning:
    """Convert a notice to the warning of its kind."""
    feature, least, most = notice.feature, notice.seen_minimum, notice.seen_maximum
    if notice.kind == "unknown_category":
        return UnknownCategory(feature)
    if least is None or most is None:
        return Missing(feature=feature, value=None)
    kind = NUMBER_WARNINGS[notice.kind]
    return kind(feature=feature, value=notice.value, seen_minimum=least, seen_maximum=most)


def set_answer(
    judgement: Judgement,
    inside: Sequence[bool],
    enough: bool,
    classes: Sequence[str],
    notes: tuple[str, ...],
) -> SetAnswer:
    """Build the prediction set of one row, whose classes are `inside`."""
    options = judgement.options
    return SetAnswer(
        options.coverage,
        options.method,
        options.class_conditional,
        tuple(compress(classes, inside)),
        enough,
        notes,
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
