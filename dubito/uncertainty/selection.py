"""Selection of a policy: how much may be automated while two promises are kept.

The first promise is about all automated rows: at most the target of them is wrong. It can be kept
by rows of which nearly all are certain, and then says nothing of a doubtful one. So the second is
about the band of the least sure automated rows: at most `CASE_LIMIT` of those are wrong.

Learn then Test with a fixed sequence (Angelopoulos et al. 2021, sections 2 and 3): the hypotheses
"one of both is broken at this threshold" are tested from the strictest threshold to the loosest,
each at the full level, up to the first that is not rejected. One is rejected where both exact tests
reject (intersection–union, Berger 1982), which needs no correction. The thresholds and the bands
are fixed on the validation part, and where the sequence begins follows from a number of rows: so
one level is enough for all of them.
"""

import math
from dataclasses import dataclass

import numpy as np

from dubito.types import Band, Booleans, Floats, Indices, Policy, Promise
from dubito.uncertainty.decision import is_likely, runner_up

SHARES = (*(at / 10 for at in range(2, 9)), *(at / 200 for at in range(170, 201)))
"""Shares of the validation rows that the thresholds of a path let through: 0.2, 0.3, … 0.8, and
from 0.85 on one each half percent. Where rows are few, each step more may end it by chance."""
TARGETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1)
TARGET = 0.03
"""The default promise where the validation part speaks for none."""
MOSTLY = 0.9
"""Share of the validation rows that the default target is to automate."""
CASE_LIMIT = 0.1
"""Most P(wrong | in the band) that is promised."""
BAND = 0.1
"""Share of the automated rows that a band has, unless too few calibration rows were in it."""
BAND_ROWS = 46
"""Calibration rows that are expected in a band: 29 pass its test without an error, 46 with one."""
LIKELIHOOD = 0.5
"""Least mean probability of an automated grade: one that is more likely wrong needs no test."""
CONFIDENCE = 0.95
RESERVE = 1.1
"""How many times the rows that could pass a test without an error its first step should have."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a network answered to `N` rows of which the classes are known."""

    mean: Floats
    """`(N, C)`, over the passes."""
    labels: Indices
    """`(N,)`, the classes that were right."""
    mutual_information: Floats
    """`(N,)`, nats."""
    fixed: Booleans
    """`(N,)`, whether a fixed rule refers the row."""

    @property
    def wrong(self) -> Booleans:
        """Which rows `(N,)` were graded wrongly."""
        wrong: Booleans = np.argmax(self.mean, axis=1) != self.labels
        return wrong

    def seconds(self, epistemic: float) -> Floats:
        """The second largest probabilities `(N,)`; ∞ for rows that no threshold may automate."""
        eligible = ~self.fixed & (self.mutual_information <= epistemic)
        eligible &= is_likely(LIKELIHOOD, self.mean)
        return np.where(eligible, runner_up(self.mean), np.inf)


@dataclass(frozen=True, slots=True)
class Step:
    """One threshold of a path, and its band."""

    rows: float
    """Calibration rows that are expected to be automated."""
    threshold: float
    bound: float
    """See `dubito.types.Band`."""
    share: float
    """See `dubito.types.Band`."""


def path(validation: Floats, eligible: int) -> tuple[Step, ...]:
    """The steps from the strictest to the loosest, those with rows enough for a band.

    Args:
        validation: `(N,)`, the second probabilities of the eligible validation rows.
        eligible: how many calibration rows are. That says nothing about their labels, nor about
            which of them a threshold lets through, so that choosing by it keeps the order fixed.
    """
    if not len(validation):
        return ()
    expected = ((share, share * eligible) for share in SHARES)
    return tuple(_step(validation, share, rows) for share, rows in expected if rows >= BAND_ROWS)


def _step(validation: Floats, share: float, rows: float) -> Step:
    threshold = float(np.quantile(validation, share, method="inverted_cdf"))
    band = max(BAND, BAND_ROWS / rows)
    automated = validation[validation <= threshold]
    # The band's share from above: of equal rows either all are in it or none.
    bound = float(np.quantile(automated, 1 - band, method="higher"))
    return Step(rows, threshold, bound, band)


def select(validation: Part, calibration: Part, epistemic: float) -> Policy:
    """The policy for the default targets.

    Every line's two promises are kept, both together, with probability `CONFIDENCE` over the draw
    of the calibration rows.

    Args:
        validation: fixes the path of thresholds, the bands and the default target.
        calibration: is tested.
        epistemic: most mutual information of an automated row, chosen without these rows.
    """
    before, now = _Tested.of(validation, epistemic), _Tested.of(calibration, epistemic)
    return Policy(
        confidence=CONFIDENCE,
        target=_default_target(before),
        epistemic=epistemic,
        promises=tuple(_promise(target, before.eligible, now) for target in TARGETS),
        case_limit=CASE_LIMIT,
        likelihood=LIKELIHOOD,
    )


def binomial_tail(errors: int, rows: int, rate: float) -> float:
    """P(Bin(`rows`, `rate`) ≤ `errors`), the exact sum; 0 < `rate` < 1."""
    logs = (
        math.lgamma(rows + 1)
        - math.lgamma(k + 1)
        - math.lgamma(rows - k + 1)
        + k * math.log(rate)
        + (rows - k) * math.log1p(-rate)
        for k in range(min(errors, rows) + 1)
    )
    return min(1.0, math.fsum(map(math.exp, logs)))


def least_rows(target: float) -> float:
    """Calibration rows that must be expected to be automated by the first step for a target.

    Fewer than log(1 − confidence) / log(1 − target) fail its test even without an error, and would
    end the sequence at once.
    """
    needed = math.log(1 - CONFIDENCE) / math.log1p(-target)
    return max(RESERVE * needed, BAND_ROWS)


@dataclass(frozen=True, slots=True)
class _Tested:
    """Rows that promises are tested on."""

    seconds: Floats
    """`(N,)`, see `Part.seconds`."""
    wrong: Booleans
    """`(N,)`"""

    @classmethod
    def of(cls, part: Part, epistemic: float) -> "_Tested":
        return cls(part.seconds(epistemic), part.wrong)

    @property
    def eligible(self) -> Floats:
        """The second probabilities of the rows that may be automated."""
        return self.seconds[np.isfinite(self.seconds)]

    def between(self, least: float, most: float) -> "_Count":
        """Rows whose second probability is in a range."""
        found = (self.seconds >= least) & (self.seconds <= most)
        return _Count(int(found.sum()), int((found & self.wrong).sum()), len(found))


@dataclass(frozen=True, slots=True)
class _Count:
    rows: int
    errors: int
    of: int

    @property
    def share(self) -> float:
        """Of all rows."""
        return self.rows / self.of

    @property
    def wrong(self) -> float:
        return self.errors / self.rows if self.rows else 0.0

    def keeps(self, rate: float) -> bool:
        """Whether the exact test rejects that more than a rate is wrong."""
        return binomial_tail(self.errors, self.rows, rate) <= 1 - CONFIDENCE


def _promise(target: float, validation: Floats, tested: _Tested) -> Promise:
    """The loosest step that passed both tests."""
    eligible = len(tested.eligible)
    steps = [step for step in path(validation, eligible) if step.rows >= least_rows(target)]
    wanting = 0 if steps else max(0, math.ceil(least_rows(target)) - eligible)
    kept = Promise(target, None, 0.0, 0.0, wanting=wanting)
    for step in steps:
        automated = tested.between(0, step.threshold)
        band = tested.between(step.bound, step.threshold)
        if not (automated.keeps(target) and band.keeps(CASE_LIMIT)):
            break
        found = Band(step.bound, step.share, band.share, band.wrong)
        kept = Promise(target, step.threshold, automated.share, automated.wrong, found, wanting)
    return kept


def _default_target(validation: _Tested) -> float:
    """The smallest target at which the validation rows alone would automate most of them."""
    promises = (_promise(target, validation.eligible, validation) for target in TARGETS)
    return next((one.target for one in promises if one.automated >= MOSTLY), TARGET)
