"""Answers of many rows as the columns of a table: every member of an answer but `id`.

A member of a member has both names, as `mean.A` or `decision.action`. Texts of which a row has
several are lists, and warnings the JSON of their list.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import json

from dubito.prediction import JudgedRows, set_notes, warnings_of
from dubito.scoring.rows import TableRows
from dubito.scoring.scorer import Scorer
from dubito.targets import NumberTarget
from dubito.types import MEASURES, Booleans, Floats, Indices, measures
from dubito.uncertainty.intervals import NumberEstimate
from dubito.uncertainty.policy import Judgement

ROW, KEY = "row", "key"
"""Names of the columns that say which row of the table an answer is about."""
AnswerColumn = tuple[str, Any]
"""Name of a column, and its values `(n,)`."""
NO_WARNINGS = "[]"


def answer_table(
    scorer: Scorer, rows: TableRows, seeds: Sequence[int], judged: JudgedRows
) -> pa.Table:
    """Build the table of the answers about some rows, `(n, …)`."""
    named = [(ROW, pa.array(rows.positions, pa.int64()))]
    if rows.keys is not None:
        named.append((KEY, pa.array(rows.keys, pa.string())))
    columns = [*named, *AnswerColumns(scorer, judged).columns(seeds)]
    return pa.table(dict(columns))


class AnswerColumns:
    """The columns of the answers about some rows."""

    def __init__(self, scorer: Scorer, judged: JudgedRows) -> None:
        """Take what was computed of the rows, and how."""
        self._scorer = scorer
        self._judged = judged
        self._target = scorer.bundle.signature.target
        self._outputs = self._target.outputs

    def columns(self, seeds: Sequence[int]) -> Iterator[AnswerColumn]:
        """Yield the columns in the order of an answer's members."""
        if isinstance(self._target, NumberTarget):
            yield from self._number(self._target, seeds)
        else:
            yield from self._classes(seeds)
        calibration = self._scorer.bundle.manifest.calibration
        judged = self._judged
        passes = judged.estimate.passes.tolist()
        warnings = (
            warnings_of(each, count, calibration)
            for each, count in zip(judged.notices, passes, strict=True)
        )
        texts = [json.encode(each).decode() if each else NO_WARNINGS for each in warnings]
        yield "warnings", pa.array(texts, pa.string())
        identity = self._scorer.bundle.identity
        yield "model.name", self._constant(identity.name, pa.string())
        yield "model.version", self._constant(identity.version, pa.int64())
        yield "model.digest", self._constant(identity.digest, pa.string())

    def _classes(self, seeds: Sequence[int]) -> Iterator[AnswerColumn]:
        estimate, judgement = self._judged.estimate, self._judged.judgement
        summary, classes = estimate.summary, self._outputs
        yield "grade", _chosen(summary.predicted, classes)
        yield from _each("mean", classes, summary.mean)
        yield from _each("std", classes, summary.std)
        yield from self._made(seeds)
        for name, values in zip(MEASURES, measures(summary), strict=True):
            yield f"uncertainty.{name}", pa.array(values)
        if summary.between_members is not None:
            yield "uncertainty.between_members", pa.array(summary.between_members)
        if judgement is None:
            return
        options, enough = judgement.options, pa.array(judgement.enough, pa.bool_())
        notes = list(set_notes(judgement, classes))
        yield "prediction_set.coverage", self._constant(options.coverage, pa.float64())
        yield "prediction_set.method", self._constant(options.method, pa.string())
        is_conditional = options.class_conditional is True
        yield "prediction_set.class_conditional", self._constant(is_conditional, pa.bool_())
        yield "prediction_set.grades", _inside(judgement.sets.sets, classes)
        yield "prediction_set.guaranteed", enough
        yield "prediction_set.notes", self._constant(notes, pa.list_(pa.string()))
        yield from self._decision(judgement)

    def _number(self, target: NumberTarget, seeds: Sequence[int]) -> Iterator[AnswerColumn]:
        estimate, judgement = self._judged.estimate, self._judged.judgement
        number = NumberEstimate.of(target, estimate.summary)
        yield "mean", pa.array(number.mean)
        yield "std", pa.array(number.std)
        yield from self._made(seeds)
        if judgement is not None:
            options, intervals = judgement.options, judgement.intervals
            yield "interval.coverage", self._constant(options.coverage, pa.float64())
            yield "interval.lower", _finite(intervals.lower)
            yield "interval.upper", _finite(intervals.upper)
            yield "interval.method", self._constant(options.method, pa.string())
            yield "interval.guaranteed", pa.array(judgement.enough, pa.bool_())
            yield from self._decision(judgement)
        if number.aleatoric_std is not None:
            yield "aleatoric_std", pa.array(number.aleatoric_std)
            yield "total_std", pa.array(number.total_std)
        if target.levels:
            levels = [f"{level:g}" for level in target.levels]
            yield from _each("quantiles", levels, estimate.summary.mean)
        between = estimate.summary.between_std
        if between is not None:
            yield "between_members_std", pa.array(between[:, target.value_column])

    def _made(self, seeds: Sequence[int]) -> Iterator[AnswerColumn]:
        """Yield the passes, the seeds and the precision."""
        estimate, tolerance = self._judged.estimate, self._scorer.options.reached
        yield "passes", pa.array(estimate.passes, pa.int64())
        yield "seed", pa.array(seeds, pa.int64())
        widths = estimate.half_widths
        yield "precision.half_width", pa.array(widths)
        yield "precision.tolerance", self._constant(tolerance, pa.float64())
        met = None if tolerance is None else widths <= tolerance
        yield "precision.met", self._constant(None, pa.bool_()) if met is None else pa.array(met)

    def _decision(self, judgement: Judgement) -> Iterator[AnswerColumn]:
        decisions = judgement.decisions
        yield "decision.action", pa.array([one.action for one in decisions], pa.string())
        reasons = [one.reasons for one in decisions]
        yield "decision.reasons", pa.array(reasons, pa.list_(pa.string()))
        yield "decision.target", self._constant(judgement.options.target, pa.float64())
        yield "decision.guaranteed", pa.array([one.guaranteed for one in decisions], pa.bool_())
        if judgement.case_limit is not None:
            yield "decision.case_limit", self._constant(judgement.case_limit, pa.float64())

    def _constant(self, value: Any, kind: Any) -> Any:
        """Repeat a value in all rows."""
        return pa.repeat(pa.scalar(value, kind), len(self._judged))


def _each(name: str, members: Sequence[str], values: Floats) -> Iterator[AnswerColumn]:
    for at, member in enumerate(members):
        yield f"{name}.{member}", pa.array(np.ascontiguousarray(values[:, at]))


def _chosen(places: Indices, names: Sequence[str]) -> Any:
    """Return the name at each place."""
    return pa.DictionaryArray.from_arrays(
        pa.array(places, pa.int32()), pa.array(names, pa.string())
    ).dictionary_decode()


def _inside(sets: Booleans, classes: Sequence[str]) -> Any:
    """Return the list of the classes in each row's set."""
    ends = np.concatenate([[0], np.cumsum(sets.sum(axis=1))])
    return pa.ListArray.from_arrays(
        pa.array(ends, pa.int32()), _chosen(np.nonzero(sets)[1], classes)
    )


def _finite(values: Floats) -> Any:
    """Return values, and nothing for those that are infinite."""
    return pa.array(values, mask=~np.isfinite(values))
