"""Selects a policy: the thresholds that automate most rows under two promised error rates.

The first promise is about all automated rows: at most the target's share of them is wrong. It may
hold because nearly all rows are certain, and then says nothing about the uncertain ones. The second
is therefore about the band of the least certain automated rows: at most `CASE_LIMIT` of those are
wrong.

The method is Learn then Test with a fixed sequence (Angelopoulos et al. 2021, sections 2 and 3).
The hypotheses "a promise is broken at this threshold" are tested from the strictest threshold to
the loosest, each at the full level, up to the first that is not rejected. A hypothesis is rejected
if both exact tests reject (intersection–union, Berger 1982), which needs no correction. The
thresholds and bands are fixed on the validation part, and the start of the sequence depends only on
a number of rows, so one level is sufficient for all tests.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dubito.types import Band, Booleans, Floats, Indices, Policy, Promise
from dubito.uncertainty.decision import Limits, runner_up

SHARES = (*(at / 10 for at in range(2, 9)), *(at / 200 for at in range(170, 201)))
"""Shares of the eligible validation rows that a path's thresholds automate: 0.2, 0.3, … 0.8, and
from 0.85 on in steps of half a percent. Not more, because with few rows each further step may end
the sequence by chance."""
TARGETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1)
TARGET = 0.03
"""Default target if the validation rows support none."""
MOSTLY = 0.9
"""Least share of the validation rows that the default target automates."""
CASE_LIMIT = 0.1
"""Upper bound promised for P(wrong | in the band), a rate over many rows, with `CONFIDENCE` over
the draw of the calibration rows."""
BAND = 0.1
"""Share of the automated rows in a band, larger if it would have too few calibration rows."""
BAND_ROWS = 46
"""Least expected calibration rows in a band: 29 pass its test without an error, 46 with one."""
NUMBER_BAND_ROWS = 103
"""The same for a number, whose intervals miss as often as their coverage lets them: 103 rows pass
the test with five misses. With 46 rows and a coverage of 0.99, one step in thirteen would fail."""
LIKELIHOOD = 0.5
"""Least mean probability of an automated grade; a grade that is more likely wrong needs no test."""
CONFIDENCE = 0.95
RESERVE = 1.1
"""Ratio of the first step's expected rows to the fewest that pass its test without an error."""


@dataclass(frozen=True, slots=True)
class _Count:
    rows: int
    errors: int
    of: int

    @property
    def share(self) -> float:
        """Share of these rows among all rows."""
        return self.rows / self.of

    @property
    def wrong(self) -> float:
        return self.errors / self.rows if self.rows else 0.0

    def keeps(self, rate: float) -> bool:
        """Return whether the exact test rejects that the error rate is above `rate`."""
        return binomial_tail(self.errors, self.rows, rate) <= 1 - CONFIDENCE


@dataclass(frozen=True, slots=True)
class Tested:
    """Rows on which promises are tested."""

    doubts: Floats
    """`(N,)`, by which rows are automated from the least on: of classes the second-largest
    probability, of numbers the interval's width. ∞ for a row that is not eligible."""
    wrong: Booleans
    """`(N,)`, whether a row was wrong."""

    @property
    def eligible(self) -> Floats:
        """Doubts of the eligible rows."""
        return self.doubts[np.isfinite(self.doubts)]

    def between(self, least: float, most: float) -> _Count:
        """Count the rows whose doubt is from `least` to `most`."""
        found = (self.doubts >= least) & (self.doubts <= most)
        return _Count(int(found.sum()), int((found & self.wrong).sum()), len(found))


@dataclass(frozen=True, slots=True)
class Part:
    """A network's predictions for `N` rows of known class."""

    mean: Floats
    """`(N, C)` mean probabilities over the passes."""
    labels: Indices
    """`(N,)` indices of the right classes."""
    mutual_information: Floats
    """`(N,)` mutual information, nats."""
    fixed: Booleans
    """`(N,)`, whether a fixed rule refers the row."""

    @property
    def wrong(self) -> Booleans:
        """`(N,)`, whether a row was graded wrongly."""
        wrong: Booleans = np.argmax(self.mean, axis=1) != self.labels
        return wrong

    def tested(self, epistemic: float) -> Tested:
        """Return the rows by their second-largest probabilities, see `Tested`."""
        limits = Limits(epistemic, LIKELIHOOD)
        doubtful = self.fixed | limits.exceeded(self.mean, self.mutual_information)
        return Tested(np.where(doubtful, np.inf, runner_up(self.mean)), self.wrong)


@dataclass(frozen=True, slots=True)
class PathStep:
    """One threshold of a path, and its band."""

    rows: float
    """Expected number of automated calibration rows."""
    threshold: float
    bound: float
    """Lower end of the band, see `dubito.types.Band`."""
    share: float
    """Share of the automated rows in the band, see `dubito.types.Band`."""


def path(validation: Floats, eligible: int, band_rows: int = BAND_ROWS) -> tuple[PathStep, ...]:
    """Build the steps from the strictest to the loosest that have enough rows for a band.

    Args:
        validation: `(N,)`, the doubts of the eligible validation rows, see `Tested`.
        eligible: number of eligible calibration rows. It reveals neither their labels nor which of
            them a threshold automates, so the sequence remains fixed in advance.
        band_rows: least expected calibration rows in a band.
    """
    if not len(validation):
        return ()
    expected = ((share, share * eligible) for share in SHARES)
    return tuple(
        _step(validation, share, rows, band_rows) for share, rows in expected if rows >= band_rows
    )


def _step(validation: Floats, share: float, rows: float, band_rows: int) -> PathStep:
    threshold = float(np.quantile(validation, share, method="inverted_cdf"))
    band = max(BAND, band_rows / rows)
    automated = validation[validation <= threshold]
    # `higher`: the bound is a row's own value, and rows equal to it are all in the band.
    bound = float(np.quantile(automated, 1 - band, method="higher"))
    return PathStep(rows, threshold, bound, band)


def select_policy(validation: Part, calibration: Part, epistemic: float) -> Policy:
    """Select the policy for the default targets.

    For each line separately, its two promises hold together with probability `CONFIDENCE` over the
    draw of the calibration rows.

    Args:
        validation: rows that fix the path of thresholds, the bands and the default target.
        calibration: rows on which the promises are tested.
        epistemic: largest mutual information of an automated row, nats, chosen without these rows.
    """
    before, now = validation.tested(epistemic), calibration.tested(epistemic)
    return Policy(
        confidence=CONFIDENCE,
        target=_default_target(before),
        epistemic=epistemic,
        promises=select_promises(before.eligible, now, TARGETS),
        case_limit=CASE_LIMIT,
        likelihood=LIKELIHOOD,
    )


def select_promises(
    validation: Floats, tested: Tested, targets: Sequence[float], band_rows: int = BAND_ROWS
) -> tuple[Promise, ...]:
    """Select the line of each target: the loosest threshold whose two promises pass their tests.

    Args:
        validation: `(n,)` doubts of the eligible validation rows, which fix the paths.
        tested: the calibration rows.
        targets: error rates to promise.
        band_rows: least expected calibration rows in a band.
    """
    return tuple(_promise(target, validation, tested, band_rows) for target in targets)


def binomial_tail(errors: int, rows: int, rate: float) -> float:
    """Compute P(Bin(`rows`, `rate`) ≤ `errors`) as the exact sum; 0 < `rate` < 1."""
    logs = (
        math.lgamma(rows + 1)
        - math.lgamma(k + 1)
        - math.lgamma(rows - k + 1)
        + k * math.log(rate)
        + (rows - k) * math.log1p(-rate)
        for k in range(min(errors, rows) + 1)
    )
    return min(1.0, math.fsum(map(math.exp, logs)))


def least_rows(target: float, band_rows: int = BAND_ROWS) -> float:
    """Compute the least expected number of automated rows in the first step for a target.

    Fewer than log(1 − confidence) / log(1 − target) rows fail the test even without an error, which
    would end the sequence at once.
    """
    needed = math.log(1 - CONFIDENCE) / math.log1p(-target)
    return max(RESERVE * needed, band_rows)


def _promise(target: float, validation: Floats, tested: Tested, band_rows: int) -> Promise:
    """Build the line of the loosest step that passes both tests, if there is one."""
    eligible = len(tested.eligible)
    least = least_rows(target, band_rows)
    steps = [step for step in path(validation, eligible, band_rows) if step.rows >= least]
    wanting = 0 if steps else max(0, math.ceil(least) - eligible)
    kept = Promise(target, None, 0.0, 0.0, wanting=wanting)
    for step in steps:
        automated = tested.between(-np.inf, step.threshold)
        band = tested.between(step.bound, step.threshold)
        if not (automated.keeps(target) and band.keeps(CASE_LIMIT)):
            break
        found = Band(step.bound, step.share, band.share, band.wrong)
        kept = Promise(target, step.threshold, automated.share, automated.wrong, found, wanting)
    return kept


def _default_target(validation: Tested) -> float:
    """Return the smallest target that automates at least `MOSTLY` of the validation rows."""
    promises = (_promise(target, validation.eligible, validation, BAND_ROWS) for target in TARGETS)
    return next((one.target for one in promises if one.automated >= MOSTLY), TARGET)


def best_target(validation: Tested, band_rows: int = NUMBER_BAND_ROWS) -> float:
    """Return the smallest target that keeps what the largest automates of the validation rows.

    A number's intervals miss as often as their coverage lets them, so that the smallest targets
    automate no row, whatever the network. Half of a target must be kept by the validation rows:
    else every other one that they just keep would fail its test on the calibration rows.
    """
    automated = {
        target: _promise(target / 2, validation.eligible, validation, band_rows).automated
        for target in TARGETS
    }
    most = automated[TARGETS[-1]]
    return next((one for one in TARGETS if most and automated[one] >= most), TARGETS[-1])
