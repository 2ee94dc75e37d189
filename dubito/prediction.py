"""Predictions of `N` rows as arrays, and their conversion to typed answers, row by row."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import NamedTuple

import numpy as np
from msgspec import UNSET, UnsetType

from dubito.answer import (
    NUMBER_WARNINGS,
    Answer,
    AnswerWarning,
    AnyMonteCarloAnswer,
    AnyPlainAnswer,
    DecisionAnswer,
    Degraded,
    FewPasses,
    IntervalAnswer,
    Missing,
    MonteCarloAnswer,
    MonteCarloNumber,
    MonteCarloNumberAnswer,
    MonteCarloResult,
    PlainAnswer,
    PlainNumber,
    PlainNumberAnswer,
    PlainResult,
    Precision,
    SetAnswer,
    Uncertainty,
    UnknownCategory,
)
from dubito.errors import Ungradable
from dubito.identifier import new_id
from dubito.targets import NumberTarget, Target, class_target, number_target
from dubito.types import (
    AnyCalibration,
    Floats,
    Identity,
    Indices,
    Notice,
    Query,
    Summary,
    measures,
)
from dubito.uncertainty.adaptive_passes import RowStatistics
from dubito.uncertainty.intervals import NumberEstimate
from dubito.uncertainty.policy import Judgement


@dataclass(frozen=True, slots=True)
class PlainPrediction:
    """The deterministic prediction of `N` rows."""

    outputs: Floats
    """`(N, C)` outputs of the network: class probabilities, or those of a number's head."""
    notices: list[list[Notice]]
    """`N` lists of notices about missing or unusual values, one list a row."""
    target: Target

    @property
    def probabilities(self) -> Floats:
        """`(N, C)` class probabilities.

        Raises:
            UsageError: the bundle predicts a number.
        """
        class_target(self.target)
        return self.outputs

    @property
    def predicted(self) -> Indices:
        """`(N,)` class indices: the argmax, a tie to the lower index.

        Raises:
            UsageError: the bundle predicts a number.
        """
        predicted: Indices = np.argmax(self.probabilities, axis=1)
        return predicted

    @property
    def values(self) -> Floats:
        """`(N,)` predicted numbers, in the target's unit.

        Raises:
            UsageError: the bundle predicts classes.
        """
        return self.outputs[:, number_target(self.target).value_column]


MOST_TOGETHER = 512
"""Most rows whose statistics are converted at once."""


class ClassTable(NamedTuple):
    """Statistics of rows of classes as Python's own numbers, a list of all rows each."""

    passes: list[int]
    half_widths: list[float]
    predicted: list[int]
    """Class indices: the argmax of the mean, a tie to the lower index."""
    mean: list[list[float]]
    std: list[list[float]]
    measures: list[tuple[float, ...]]
    sets: list[list[bool]]
    """Whether each class is in the row's prediction set; empty without a calibration."""

    @classmethod
    def of(cls, estimate: RowStatistics, judgement: Judgement | None) -> "ClassTable":
        """Convert the arrays of all rows at once, not row by row."""
        summary = estimate.summary
        mean = summary.mean.tolist()
        return cls(
            estimate.passes.tolist(),
            estimate.half_widths.tolist(),
            [row.index(max(row)) for row in mean],
            mean,
            summary.std.tolist(),
            list(zip(*[values.tolist() for values in _measured(summary)], strict=True)),
            [] if judgement is None else judgement.sets.sets.tolist(),
        )


def _measured(summary: Summary) -> Iterator[Floats]:
    """Yield the measures of an answer's uncertainty, `(N,)` each, in their order there."""
    yield from measures(summary)
    if summary.between_members is not None:
        yield summary.between_members


class NumberTable(NamedTuple):
    """Statistics of rows of a number as Python's own numbers, a list of all rows each."""

    passes: list[int]
    half_widths: list[float]
    mean: list[float]
    std: list[float]
    aleatoric: list[float] | None
    """Standard deviations of a noise head; None without one."""
    total: list[float]
    between: list[float] | None
    """Standard deviations between the members of an ensemble; None for one network."""
    outputs: list[list[float]]
    """Means over the passes of all outputs of the head."""
    lower: list[float]
    upper: list[float]
    """Bounds of the intervals; empty without a calibration."""

    @classmethod
    def of(
        cls, target: NumberTarget, estimate: RowStatistics, judgement: Judgement | None
    ) -> "NumberTable":
        """Convert the arrays of all rows at once, not row by row."""
        number = NumberEstimate.of(target, estimate.summary)
        aleatoric, between = number.aleatoric_std, estimate.summary.between_std
        return cls(
            estimate.passes.tolist(),
            estimate.half_widths.tolist(),
            number.mean.tolist(),
            number.std.tolist(),
            None if aleatoric is None else aleatoric.tolist(),
            number.total_std.tolist(),
            None if between is None else between[:, target.value_column].tolist(),
            estimate.summary.mean.tolist(),
            [] if judgement is None else judgement.intervals.lower.tolist(),
            [] if judgement is None else judgement.intervals.upper.tolist(),
        )


@dataclass(frozen=True)
class JudgedRows:
    """What was computed of some rows together, which may belong to several requests."""

    estimate: RowStatistics
    notices: list[list[Notice]]
    """Lists of notices about missing or unusual values, one list a row."""
    judgement: Judgement | None
    """Sets or intervals, and decisions; None if the bundle has no calibration."""
    target: Target

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.notices)

    def classes_of(self, rows: range) -> tuple[ClassTable, int]:
        """Return the statistics of some rows, and the place of the first of them in the lists."""
        if len(self) <= MOST_TOGETHER:
            return self._classes, rows.start
        # All at once would keep the event loop from others for as long as it takes.
        return ClassTable.of(*self._part(rows)), 0

    def numbers_of(self, rows: range) -> tuple[NumberTable, int]:
        """Return the same of a number."""
        target = number_target(self.target)
        if len(self) <= MOST_TOGETHER:
            return self._numbers, rows.start
        return NumberTable.of(target, *self._part(rows)), 0

    def _part(self, rows: range) -> tuple[RowStatistics, Judgement | None]:
        part, judgement = slice(rows.start, rows.stop), self.judgement
        return self.estimate.where(part), None if judgement is None else judgement.where(part)

    @cached_property
    def _classes(self) -> ClassTable:
        return ClassTable.of(self.estimate, self.judgement)

    @cached_property
    def _numbers(self) -> NumberTable:
        return NumberTable.of(number_target(self.target), self.estimate, self.judgement)


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
    """`(T, N, C)` outputs of every pass if requested; a row uses its first `passes` ones."""
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
        """Sets or intervals, and decisions; None if the bundle has no calibration."""
        whole = self.judged.judgement
        return None if whole is None else whole.where(self.own)

    @property
    def summary(self) -> Summary:
        """Statistics over the passes, each row's over its own number of passes."""
        return self.estimate.summary

    @property
    def predicted(self) -> Indices:
        """`(N,)` class indices: the argmax of the mean, a tie to the lower index.

        Raises:
            UsageError: the bundle predicts a number.
        """
        class_target(self.judged.target)
        return self.summary.predicted

    @cached_property
    def number(self) -> NumberEstimate:
        """What the passes say of a number, its parts `(N,)` each.

        Raises:
            UsageError: the bundle predicts classes.
        """
        return NumberEstimate.of(number_target(self.judged.target), self.summary)

    @property
    def mean(self) -> Floats:
        """`(N, C)` mean probability over the passes; `(N,)` mean of a number."""
        is_number = isinstance(self.judged.target, NumberTarget)
        return self.number.mean if is_number else self.summary.mean

    @property
    def std(self) -> Floats:
        """Population standard deviation over the passes (`ddof=0`), in the shape of `mean`."""
        is_number = isinstance(self.judged.target, NumberTarget)
        return self.number.std if is_number else self.summary.std

    @property
    def passes(self) -> Indices:
        """`(N,)` number of passes of each row."""
        return self.estimate.passes

    @property
    def seed(self) -> int:
        """Seed of the passes; the same call with it gives the same bits."""
        return self.query.seed


def check_finite(outputs: Floats) -> None:
    """Reject outputs `(N, C)` that are not finite.

    The argmax of NaN is 0 and would read as the first class.

    Raises:
        Ungradable: a row is not finite; the error has the positions of all such rows.
    """
    finite = np.isfinite(outputs)
    if not finite.all():
        raise Ungradable(np.flatnonzero(~finite.all(axis=1)).tolist())


class AnswerBuilder(ABC):
    """Converts the predictions of one bundle to typed answers."""

    def __init__(
        self, identity: Identity, target: Target, calibration: AnyCalibration | None
    ) -> None:
        """Take the bundle's identity, its target and its calibration, if it has one."""
        self._identity = identity
        self._outputs = target.outputs
        self._calibration = calibration

    @abstractmethod
    def plain(self, prediction: PlainPrediction, rows: range) -> Sequence[AnyPlainAnswer]:
        """Build the answers for some rows of a deterministic prediction."""

    @abstractmethod
    def monte_carlo(
        self, prediction: MonteCarloPrediction, rows: range
    ) -> Sequence[AnyMonteCarloAnswer]:
        """Build the answers for some rows of a Monte-Carlo prediction."""

    def _draws(
        self, prediction: MonteCarloPrediction, row: int
    ) -> dict[str, list[float]] | UnsetType:
        """Return each output of every pass of a row, by name; unset unless requested."""
        if prediction.draws is None:
            return UNSET
        own = prediction.draws[: prediction.passes[row], row]
        return dict(zip(self._outputs, np.swapaxes(own, 0, 1).tolist(), strict=True))

    def _precision(self, prediction: MonteCarloPrediction, half_width: float) -> Precision:
        tolerance = prediction.tolerance
        is_met = None if tolerance is None else half_width <= tolerance
        return Precision(half_width, tolerance, is_met)

    def _warnings(
        self, prediction: MonteCarloPrediction, place: int, passes: int
    ) -> tuple[AnswerWarning, ...]:
        """Build the warnings of the row at a place among those judged."""
        warnings = warnings_of(prediction.judged.notices[place], passes, self._calibration)
        if prediction.query.passes < prediction.wanted:
            warnings.append(Degraded(passes, prediction.wanted))
        return tuple(warnings)


class ClassAnswers(AnswerBuilder):
    """Converts the predictions of a bundle of classes."""

    def plain(self, prediction: PlainPrediction, rows: range) -> list[PlainAnswer]:
        """Build the answers for some rows of a deterministic prediction."""
        predicted, classes = prediction.predicted.tolist(), self._outputs
        outputs = prediction.outputs[rows.start : rows.stop].tolist()
        return [
            Answer(
                new_id(),
                PlainResult(
                    classes[predicted[row]], dict(zip(classes, probabilities, strict=True))
                ),
                tuple(map(value_warning, prediction.notices[row])),
                self._identity,
            )
            for row, probabilities in zip(rows, outputs, strict=True)
        ]

    def monte_carlo(self, prediction: MonteCarloPrediction, rows: range) -> list[MonteCarloAnswer]:
        """Build the answers for some rows of a Monte-Carlo prediction."""
        start, judgement = prediction.start, prediction.judged.judgement
        places = range(start + rows.start, start + rows.stop)
        table, first = prediction.judged.classes_of(places)
        notes = () if judgement is None else tuple(set_notes(judgement, self._outputs))
        return [
            Answer(
                new_id(),
                self._result(prediction, table, notes, place, at),
                self._warnings(prediction, place, table.passes[at]),
                self._identity,
                self._draws(prediction, place - start),
            )
            for at, place in enumerate(places, first)
        ]

    def _result(
        self,
        prediction: MonteCarloPrediction,
        table: ClassTable,
        notes: tuple[str, ...],
        place: int,
        at: int,
    ) -> MonteCarloResult:
        """Build the result of the row at a place among those judged, and at one in the table."""
        classes, judgement = self._outputs, prediction.judged.judgement
        return MonteCarloResult(
            classes[table.predicted[at]],
            dict(zip(classes, table.mean[at], strict=True)),
            dict(zip(classes, table.std[at], strict=True)),
            table.passes[at],
            prediction.seed,
            self._precision(prediction, table.half_widths[at]),
            Uncertainty(*table.measures[at]),
            None
            if judgement is None
            else set_answer(judgement, table.sets[at], judgement.enough[place], classes, notes),
            None if judgement is None else decision_answer(judgement, place),
        )


class NumberAnswers(AnswerBuilder):
    """Converts the predictions of a bundle of a number."""

    def __init__(
        self, identity: Identity, target: NumberTarget, calibration: AnyCalibration | None
    ) -> None:
        """Take the bundle's identity, its target and its calibration, if it has one."""
        super().__init__(identity, target, calibration)
        self._levels = tuple(f"{level:g}" for level in target.levels)
        """Names of the quantiles; empty for other heads."""

    def plain(self, prediction: PlainPrediction, rows: range) -> list[PlainNumberAnswer]:
        """Build the answers for some rows of a deterministic prediction."""
        values = prediction.values[rows.start : rows.stop].tolist()
        return [
            Answer(
                new_id(),
                PlainNumber(value),
                tuple(map(value_warning, prediction.notices[row])),
                self._identity,
            )
            for row, value in zip(rows, values, strict=True)
        ]

    def monte_carlo(
        self, prediction: MonteCarloPrediction, rows: range
    ) -> list[MonteCarloNumberAnswer]:
        """Build the answers for some rows of a Monte-Carlo prediction."""
        start = prediction.start
        places = range(start + rows.start, start + rows.stop)
        table, first = prediction.judged.numbers_of(places)
        return [
            Answer(
                new_id(),
                self._result(prediction, table, place, at),
                self._warnings(prediction, place, table.passes[at]),
                self._identity,
                self._draws(prediction, place - start),
            )
            for at, place in enumerate(places, first)
        ]

    def _result(
        self, prediction: MonteCarloPrediction, table: NumberTable, place: int, at: int
    ) -> MonteCarloNumber:
        """Build the result of the row at a place among those judged, and at one in the table."""
        judgement, noise = prediction.judged.judgement, table.aleatoric
        levels = self._levels
        return MonteCarloNumber(
            table.mean[at],
            table.std[at],
            table.passes[at],
            prediction.seed,
            self._precision(prediction, table.half_widths[at]),
            None if judgement is None else _interval(judgement, table, place, at),
            None if judgement is None else decision_answer(judgement, place),
            UNSET if noise is None else noise[at],
            UNSET if noise is None else table.total[at],
            dict(zip(levels, table.outputs[at], strict=True)) if levels else UNSET,
            UNSET if table.between is None else table.between[at],
        )


def answer_builder(
    identity: Identity, target: Target, calibration: AnyCalibration | None
) -> AnswerBuilder:
    """Create the builder of a bundle's answers."""
    if isinstance(target, NumberTarget):
        return NumberAnswers(identity, target, calibration)
    return ClassAnswers(identity, target, calibration)


def _interval(judgement: Judgement, table: NumberTable, place: int, at: int) -> IntervalAnswer:
    options, (lower, upper) = judgement.options, (table.lower[at], table.upper[at])
    return IntervalAnswer(
        options.coverage,
        lower if math.isfinite(lower) else None,
        upper if math.isfinite(upper) else None,
        options.method,
        judgement.enough[place],
    )


def warnings_of(
    notices: Sequence[Notice], passes: int, calibration: AnyCalibration | None
) -> list[AnswerWarning]:
    """Build the warnings of a row, from its notices and the number of its passes."""
    warnings: list[AnswerWarning] = list(map(value_warning, notices))
    if calibration is not None and passes < calibration.passes:
        warnings.append(FewPasses(passes, calibration.passes))
    return warnings


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
        options.class_conditional is True,
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


def set_notes(judgement: Judgement, classes: Sequence[str]) -> Iterator[str]:
    """Yield the caveats about sets, which are the same for every row of a request."""
    found = judgement.sets
    if found.below_accuracy:
        yield "grades alone are right more often than this coverage asks: sets cover more"
    if found.always:
        always = ", ".join(classes[index] for index in found.always)
        yield f"too few calibration rows to leave out {always}: in every set"
