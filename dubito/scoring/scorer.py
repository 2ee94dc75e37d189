"""Predicts rows that have a seed each, many at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dubito.bundle import Bundle
from dubito.inputs.options import MonteCarloOptions
from dubito.prediction import JudgedRows
from dubito.types import Booleans, Floats
from dubito.uncertainty.adaptive_passes import RowStatistics, adaptive_rows


@dataclass(frozen=True, slots=True)
class Scorer:
    """Predicts with one bundle and one set of options, as `Bundle.predict_mc` does for each row."""

    bundle: Bundle
    options: MonteCarloOptions

    def estimate(self, rows: Floats, seeds: Sequence[int]) -> tuple[RowStatistics, Booleans]:
        """Compute the statistics of rows `(N, F)` over their passes.

        Returns:
            The statistics; and `(N,)`, whether the network's arithmetic overflows on a row.
        """
        options, engine = self.options, self.bundle.engine
        if options.reached is None:
            summary = engine.summarise_rows(rows, seeds, options.most_passes)
            found = RowStatistics.of(summary, options.most_passes, self.bundle.precision)
        else:
            found = self._adaptive(rows, seeds, options.reached)
        overflows: Booleans = ~np.isfinite(np.abs(found.summary.mean).max(axis=1))
        return found, overflows

    def _adaptive(self, rows: Floats, seeds: Sequence[int], tolerance: float) -> RowStatistics:
        bundle, engine = self.bundle, self.bundle.engine
        most = self.options.most_passes // bundle.manifest.members * bundle.manifest.members
        least = 1 if bundle.judge is None else bundle.judge.passes
        steps = adaptive_rows(len(rows), most, tolerance, bundle.precision, least)
        wanted = next(steps)
        while True:
            own = [seeds[at] for at in wanted.rows.tolist()]
            summary = engine.summarise_rows(rows[wanted.rows], own, wanted.passes)
            try:
                wanted = steps.send(summary)
            except StopIteration as end:
                estimate: RowStatistics = end.value
                return estimate

    def judge(self, rows: Floats, estimate: RowStatistics) -> JudgedRows:
        """Add sets or intervals, decisions and notices to the statistics of rows `(N, F)`."""
        bundle, policy = self.bundle, self.options.policy
        notices = bundle.guard.notices(rows)
        judge = bundle.judge
        judgement = (
            None
            if judge is None or policy is None
            else judge.judge(rows, estimate, notices, policy)
        )
        return JudgedRows(estimate, notices, judgement, bundle.signature.target)
