"""Split conformal prediction of numbers: intervals that hold the true value for a share of rows.

The guarantee is marginal, as that of `dubito.uncertainty.conformal`: the requested share is a
probability over the joint draw of calibration rows and new row (Vovk et al. 2005; Lei et al. 2018).
It is never the probability that one given row's interval holds its value, and says nothing about
mean ± 2 std, which has no such guarantee.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dubito.targets import VALUE, NumberTarget
from dubito.types import Booleans, Floats, Indices, Summary
from dubito.uncertainty.conformal import check_coverage, ranked
from dubito.uncertainty.selection import Tested

ROUNDING = 4
"""Spacings of floating point by which a bound is moved outwards, so that a value whose score equals
the threshold is inside."""


@dataclass(frozen=True, slots=True)
class NumberEstimate:
    """What the passes of a network say of a number, for `N` rows, in the number's unit."""

    mean: Floats
    """`(N,)` mean over the passes."""
    std: Floats
    """`(N,)` population standard deviation over the passes (`ddof=0`): epistemic."""
    aleatoric_std: Floats | None = None
    """`(N,)` root of the mean variance of a noise head; None without one."""
    lower: Floats | None = None
    upper: Floats | None = None
    """`(N,)` means of the outer heads of quantiles; None without them."""

    @classmethod
    def of(cls, target: NumberTarget, summary: Summary) -> "NumberEstimate":
        """Read the outputs of a number's network as its head means them."""
        mean = dict(zip(target.outputs, summary.mean.T, strict=True))
        variance = mean.get("variance")
        return cls(
            mean[VALUE],
            summary.std[:, target.value_column],
            None if variance is None else np.sqrt(variance),
            mean.get("lower"),
            mean.get("upper"),
        )

    @property
    def total_std(self) -> Floats:
        """`(N,)` root of both variances, by the law of total variance (Depeweg et al. 2018)."""
        if self.aleatoric_std is None:
            return self.std
        total: Floats = np.hypot(self.std, self.aleatoric_std)
        return total

    @property
    def has_heads(self) -> bool:
        """Whether the network has heads of quantiles."""
        return self.lower is not None and self.upper is not None

    def where(self, rows: Indices | Booleans | slice) -> "NumberEstimate":
        """Select some rows, in the order of the selection."""
        every = (self.mean, self.std, self.aleatoric_std, self.lower, self.upper)
        return NumberEstimate(*(None if one is None else one[rows] for one in every))  # type: ignore[arg-type]


def log_densities(estimate: NumberEstimate, values: Floats) -> Floats:
    """Compute the predictive log densities `(N,)` of the true values `(N,)`, nats.

    The density is the normal one with the mean over the passes and the total variance, as of an
    ensemble's mixture in Lakshminarayanan et al. 2017, section 2.4. It depends on the number's
    unit.
    """
    std = estimate.total_std
    scaled = (values - estimate.mean) / std
    densities: Floats = -0.5 * np.square(scaled) - np.log(std) - 0.5 * np.log(2 * np.pi)
    return densities


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals of `N` rows; a bound is infinite if too few calibration rows allow a finite one."""

    lower: Floats
    upper: Floats
    width: Floats
    """`(N,)` widths, at least 0, before the bounds were moved outwards by their rounding: intervals
    of the same width are equal in it."""

    def where(self, rows: slice) -> "Intervals":
        """Select some rows."""
        return Intervals(self.lower[rows], self.upper[rows], self.width[rows])

    @classmethod
    def joined(cls, parts: "Sequence[Intervals]") -> "Intervals":
        """Concatenate the intervals of several parts of one request."""
        every = ("lower", "upper", "width")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in every))

    def misses(self, values: Floats) -> Booleans:
        """Return `(N,)`, whether a true value is outside of its interval."""
        return ~((self.lower <= values) & (values <= self.upper))

    def tested(self, values: Floats, fixed: Booleans) -> Tested:
        """Return the rows by the width of their interval, wrong where it misses the value.

        Args:
            values: `(N,)` true values.
            fixed: `(N,)`, whether a fixed rule refers the row.
        """
        return Tested(np.where(fixed, np.inf, self.width), self.misses(values))


def residual_scores(estimate: NumberEstimate, values: Floats, _least_std: float) -> Floats:
    """Compute |y − ŷ| (Lei et al. 2018, section 2)."""
    scores: Floats = np.abs(values - estimate.mean)
    return scores


def normalized_scores(estimate: NumberEstimate, values: Floats, least_std: float) -> Floats:
    """Compute |y − ŷ| / max(total std, `least_std`) (Papadopoulos et al. 2008; Lei et al. 2018).

    `least_std` keeps a row whose passes agree by chance from a score without bound; it must not
    depend on the calibration rows.
    """
    scores: Floats = np.abs(values - estimate.mean) / np.maximum(estimate.total_std, least_std)
    return scores


def quantile_scores(estimate: NumberEstimate, values: Floats, _least_std: float) -> Floats:
    """Compute max(lower − y, y − upper) (Romano et al. 2019, equation 6).

    Raises:
        ValueError: the estimate has no heads of quantiles.
    """
    lower, upper = _heads(estimate)
    scores: Floats = np.maximum(lower - values, values - upper)
    return scores


SCORES: Mapping[str, Callable[[NumberEstimate, Floats, float], Floats]] = {
    "residual": residual_scores,
    "normalized": normalized_scores,
    "quantile": quantile_scores,
}
"""Nonconformity scores `(N,)` of true values `(N,)`, by the method's name."""


def methods_of(target: NumberTarget) -> tuple[str, ...]:
    """Return the methods that a network's head allows."""
    return tuple(name for name in SCORES if name != "quantile" or target.head == "quantiles")


class IntervalTables:
    """Scores of calibration rows, sorted once: a coverage is then one look-up."""

    def __init__(self, scores: Mapping[str, Floats], least_std: float) -> None:
        """Sort the scores of every method, `(n,)` each, see `SCORES`.

        Args:
            scores: of the calibration rows, by method.
            least_std: as these scores were computed with.
        """
        self._scores = {method: np.sort(values) for method, values in scores.items()}
        self._least_std = least_std

    @classmethod
    def of(cls, estimate: NumberEstimate, values: Floats, least_std: float) -> "IntervalTables":
        """Make the tables of calibration rows, with every method that their estimate has.

        Args:
            estimate: of the calibration rows.
            values: `(n,)`, their true values.
            least_std: least standard deviation of `normalized`, above 0 and chosen without these
                rows.
        """
        methods = [name for name in SCORES if name != "quantile" or estimate.has_heads]
        scores = {name: SCORES[name](estimate, values, least_std) for name in methods}
        return cls(scores, least_std)

    def intervals(self, estimate: NumberEstimate, method: str, coverage: float) -> Intervals:
        """Compute the interval of each of `N` rows.

        Args:
            estimate: of rows that had as many passes as the calibration rows.
            method: one that the tables have scores of.
            coverage: least share of rows whose interval holds the true value, 0.5 to 0.999.

        Raises:
            KeyError: there are no scores of this method.
            ValueError: the coverage is out of range.
        """
        check_coverage(coverage)
        threshold = ranked(self._scores[method], coverage)
        if method == "quantile":
            return _widened(*_heads(estimate), np.full(len(estimate.mean), threshold))
        scale = np.ones(len(estimate.mean))
        if method == "normalized":
            scale = np.maximum(estimate.total_std, self._least_std)
        by = threshold * scale
        return _widened(estimate.mean, estimate.mean, by)


def _heads(estimate: NumberEstimate) -> tuple[Floats, Floats]:
    if estimate.lower is None or estimate.upper is None:
        raise ValueError("the estimate has no heads of quantiles")
    return estimate.lower, estimate.upper


def _widened(lower: Floats, upper: Floats, by: Floats) -> Intervals:
    """Move bounds `(N,)` outwards, and by what the subtraction in a score may have rounded away.

    An interval whose bounds cross is empty, and becomes its middle: nothing is removed, so the
    coverage does not decrease.
    """
    width = np.maximum(upper - lower + 2 * by, 0.0)
    if np.isinf(by).any():
        return Intervals(np.full(len(lower), -np.inf), np.full(len(upper), np.inf), width)
    largest = np.maximum(np.maximum(np.abs(lower), np.abs(upper)), np.abs(by))
    rounded = ROUNDING * np.spacing(largest)
    below, above = lower - by - rounded, upper + by + rounded
    middle = below / 2 + above / 2
    crossed = below > above
    return Intervals(np.where(crossed, middle, below), np.where(crossed, middle, above), width)
