"""TableCounts of what was scored, which add up over the parts of a table."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import fsum
from typing import TypeVar

import numpy as np
from msgspec import Struct, field

from dubito.prediction import JudgedRows
from dubito.scoring.rows import TableRows
from dubito.scoring.scorer import Scorer
from dubito.targets import NumberTarget
from dubito.types import Booleans, Decision, Floats, Signature
from dubito.uncertainty.bins import bins_of, epistemic_stream
from dubito.uncertainty.intervals import NumberEstimate

Key = TypeVar("Key", str, int)


class TruthCounts(Struct):
    """TableCounts of the rows whose truth the table tells."""

    rows: int = 0
    right: int = 0
    """Rows of the right class; 0 for a number."""
    covered: int = 0
    """Rows whose set or interval contains the truth."""
    automated: int = 0
    automated_wrong: int = 0
    """Automated rows of the wrong class, or whose interval misses the number."""
    absolute_error: float = 0.0
    squared_error: float = 0.0
    """Sums over the rows; 0 for classes."""


class TableCounts(Struct):
    """TableCounts of some rows of a table."""

    rows: int = 0
    """Rows read, without those that are empty."""
    empty: int = 0
    scored: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    """Rows that cannot be scored, by reason."""
    passes: int = 0
    """Passes over all rows."""
    classes: dict[str, int] = field(default_factory=dict)
    """Rows by predicted class."""
    sizes: dict[int, int] = field(default_factory=dict)
    """Rows by the number of classes in their set."""
    decisions: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    """Referred rows by reason; a row may have several."""
    warnings: dict[str, dict[str, int]] = field(default_factory=dict)
    """Rows by kind of warning and feature."""
    streams: dict[str, dict[int, int]] = field(default_factory=dict)
    """Rows by bin of each stream that is watched for drift, see `dubito.uncertainty.bins`."""
    truth: TruthCounts | None = None
    """Agreement with the truth; None if the table does not tell it."""


def of_rejected(rows: TableRows) -> TableCounts:
    """Count rows of which none can be scored."""
    rejected = _counted(rows.reasons.values())
    return TableCounts(rows=len(rows.reasons), empty=rows.empty, rejected=rejected)


def added(several: Iterable[TableCounts]) -> TableCounts:
    """Add counts up, one after the other."""
    found, errors = TableCounts(), list[tuple[float, float]]()
    for one in several:
        for name in ("rows", "empty", "scored", "passes"):
            setattr(found, name, getattr(found, name) + getattr(one, name))
        for name in ("rejected", "classes", "sizes", "decisions", "reasons"):
            _add(getattr(found, name), getattr(one, name))
        for name in ("warnings", "streams"):
            for key, counts in getattr(one, name).items():
                _add(getattr(found, name).setdefault(key, {}), counts)
        if one.truth is not None:
            found.truth = found.truth or TruthCounts()
            for name in ("rows", "right", "covered", "automated", "automated_wrong"):
                setattr(found.truth, name, getattr(found.truth, name) + getattr(one.truth, name))
            errors.append((one.truth.absolute_error, one.truth.squared_error))
    if found.truth is not None:
        found.truth.absolute_error = fsum(absolute for absolute, _ in errors)
        found.truth.squared_error = fsum(squared for _, squared in errors)
    return found


def _add(total: dict[Key, int], counts: dict[Key, int]) -> None:
    for key, count in counts.items():
        total[key] = total.get(key, 0) + count


class RowCounter:
    """TableCounts the rows of chunks."""

    def __init__(self, scorer: Scorer) -> None:
        """Take what scores the rows."""
        manifest = scorer.bundle.manifest
        self._signature: Signature = manifest.signature
        self._bins = bins_of(manifest.signature, manifest.calibration)
        self._epistemic = epistemic_stream(manifest.signature)
        calibration = manifest.calibration
        options = scorer.options
        # Other numbers of passes are not comparable with the reference, see `bins_of`.
        self._has_epistemic = (
            calibration is not None
            and options.reached is None
            and options.most_passes == calibration.passes
        )

    def count(self, rows: TableRows, judged: JudgedRows) -> TableCounts:
        """Count the rows of a chunk."""
        return TableCounts(
            rows=len(rows.positions) + len(rows.reasons),
            empty=rows.empty,
            scored=len(rows.positions),
            rejected=_counted(rows.reasons.values()),
            passes=int(judged.estimate.passes.sum()),
            classes=self._classes(judged),
            sizes=self._sizes(judged),
            decisions=_counted(one.action for one in _decisions(judged)),
            reasons=_counted(reason for one in _decisions(judged) for reason in one.reasons),
            warnings=_warned(judged),
            streams=dict(self._streams(rows.features, judged)),
            truth=self._truth(rows, judged),
        )

    @property
    def _is_number(self) -> bool:
        return isinstance(self._signature.target, NumberTarget)

    def _classes(self, judged: JudgedRows) -> dict[str, int]:
        if self._is_number:
            return {}
        names = self._signature.classes
        counts = np.bincount(judged.estimate.summary.predicted, minlength=len(names))
        return dict(zip(names, counts.tolist(), strict=True))

    def _sizes(self, judged: JudgedRows) -> dict[int, int]:
        if self._is_number or judged.judgement is None:
            return {}
        return _counted(judged.judgement.sets.sets.sum(axis=1).tolist())

    def _streams(
        self, features: Floats, judged: JudgedRows
    ) -> Iterator[tuple[str, dict[int, int]]]:
        watched = self._signature.watched(features)
        for at, name in enumerate(self._signature.names):
            yield name, _counted(self._bins[name].indices(watched[:, at]).tolist())
        if self._has_epistemic and self._epistemic in self._bins:
            summary = judged.estimate.summary
            values = summary.mutual_information
            if isinstance(self._signature.target, NumberTarget):
                values = summary.std[:, self._signature.target.value_column]
            found = self._bins[self._epistemic].indices(values)
            yield self._epistemic, _counted(found.tolist())

    def _truth(self, rows: TableRows, judged: JudgedRows) -> TruthCounts | None:
        if rows.truth is None:
            return None
        known = ~np.isnan(rows.truth)
        truth = rows.truth[known]
        if self._is_number:
            return self._number_truth(truth, known, judged)
        right = judged.estimate.summary.predicted[known] == truth
        found = TruthCounts(rows=int(known.sum()), right=int(right.sum()))
        judgement = judged.judgement
        if judgement is not None and len(truth):
            inside = judgement.sets.sets[known, truth.astype(np.intp)]
            found.covered = int(inside.sum())
            _add_automated(found, judged, known, ~right)
        return found

    def _number_truth(self, truth: Floats, known: Booleans, judged: JudgedRows) -> TruthCounts:
        target = self._signature.target
        assert isinstance(target, NumberTarget)  # noqa: S101 - as its caller has it
        found = TruthCounts(rows=int(known.sum()))
        estimate = NumberEstimate.of(target, judged.estimate.summary).where(known)
        errors = estimate.mean - truth
        found.absolute_error = fsum(np.abs(errors).tolist())
        found.squared_error = fsum(np.square(errors).tolist())
        judgement = judged.judgement
        if judgement is not None:
            intervals = judgement.intervals
            lower, upper = intervals.lower[known], intervals.upper[known]
            missed = ~((lower <= truth) & (truth <= upper))
            found.covered = int((~missed).sum())
            _add_automated(found, judged, known, missed)
        return found


def _add_automated(
    found: TruthCounts, judged: JudgedRows, known: Booleans, wrong: Booleans
) -> None:
    """Count the automated rows among those whose truth is known, `wrong` `(n,)` of which are."""
    automated = np.array([one.action == "automate" for one in _decisions(judged)], np.bool_)[known]
    found.automated = int(automated.sum())
    found.automated_wrong = int((automated & wrong).sum())


def _decisions(judged: JudgedRows) -> Sequence[Decision]:
    return () if judged.judgement is None else judged.judgement.decisions


def _warned(judged: JudgedRows) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (kind, feature), count in Counter(
        (notice.kind, notice.feature) for each in judged.notices for notice in each
    ).items():
        found.setdefault(kind, {})[feature] = count
    return found


def _counted(values: Iterable[Key]) -> dict[Key, int]:
    return dict(Counter(values))
