"""Shared types: frozen dataclasses passed between inputs, engine, statistics and answers.

Shapes in docstrings read `(T, N, C)` = passes, rows, classes, and `F` = features.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dubito.features import (
    BooleanFeature,
    CategoryFeature,
    Feature,
    FeatureValue,
    ScalarFeature,
    TensorFeature,
    norms,
)
from dubito.targets import ClassTarget, Target

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Booleans = NDArray[np.bool_]

NoticeKind = Literal["out_of_range", "missing", "in_margin", "unknown_category"]
"""Kind of a notice. `in_margin` (slightly outside the training range) never refers the row, and
`missing` does unless the feature says otherwise."""

SEED_BITS = 53
"""Size of a seed, bits."""
MAX_SEED = 2**SEED_BITS - 1
"""Largest seed. Seeds are integers from 0 to this, all exact in JSON."""


Backend = Literal["auto", "native", "numpy", "tensorflow"]
"""`native`: a kernel in C, with the same bits on every processor. `auto`: native where it is built
and has all operations, otherwise NumPy or, for layers without kernels, TensorFlow."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The ordered features of a bundle, and its target."""

    features: tuple[Feature, ...]
    target: Target

    @property
    def classes(self) -> tuple[str, ...]:
        """`(C,)` ordered class names; none for a number."""
        return self.target.classes if isinstance(self.target, ClassTarget) else ()

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def has_texts(self) -> bool:
        """Whether a feature's values are texts."""
        return any(isinstance(feature, CategoryFeature) for feature in self.features)

    @property
    def tensor(self) -> TensorFeature | None:
        """The only feature, if that is a tensor."""
        first = self.features[0] if self.features else None
        return first if isinstance(first, TensorFeature) else None

    @property
    def scalars(self) -> tuple[ScalarFeature, ...]:
        """The features, unless the only one is a tensor."""
        return tuple(one for one in self.features if not isinstance(one, TensorFeature))

    @property
    def width(self) -> int:
        """Count of the numbers of a row, `F` unless the only feature is a tensor."""
        return len(self.features) if self.tensor is None else self.tensor.width

    def difference(self, other: "Signature") -> str | None:
        """Return what a request for this bundle would not mean to another one, as a clause.

        The range of a number, and what was seen in training, may differ: they refuse or warn, but
        give a value no other meaning. None if there is no such difference.
        """
        if self.names != other.names:
            return "it has other features, or another order of them"
        for one, another in zip(self.features, other.features, strict=True):
            if _meaning(one) != _meaning(another):
                return f"its feature {one.name} has another kind, unit or list of values"
        if _target_meaning(self.target) != _target_meaning(other.target):
            return "it predicts something else"
        return None

    def watched(self, rows: Floats) -> Floats:
        """Return the number of each feature `(N, F)` by which it is watched: a tensor's norm."""
        return rows if self.tensor is None else norms(rows)[:, None]

    def row_of(self, values: Iterable[FeatureValue]) -> Floats:
        """Convert the values of one row to the numbers `(1, F)` that stand for them.

        Raises:
            ValueError: a feature does not take its value.
        """
        if self.tensor is not None:
            (value,) = values
            return np.array(value, np.float64).reshape(1, self.tensor.width)
        pairs = zip(self.scalars, values, strict=True)
        return np.array([[feature.number_of(value) for feature, value in pairs]])

    def values_of(self, row: Iterable[float]) -> dict[str, FeatureValue]:
        """Return the value that each number of a row stands for, by the feature's name."""
        if self.tensor is not None:
            return {self.tensor.name: self.tensor.value_of(np.array(list(row)))}
        pairs = zip(self.scalars, row, strict=True)
        return {feature.name: feature.value_of(number) for feature, number in pairs}


def _meaning(feature: Feature) -> tuple[object, ...]:
    """Return what gives a feature's numbers their meaning."""
    labels = feature.labels if isinstance(feature, CategoryFeature) else ()
    takes_unknown = isinstance(feature, CategoryFeature) and feature.takes_unknown
    unit = "" if isinstance(feature, BooleanFeature | CategoryFeature) else feature.unit
    shape = feature.shape if isinstance(feature, TensorFeature) else ()
    return feature.kind, unit, feature.nullable, labels, takes_unknown, shape


def _target_meaning(target: Target) -> tuple[object, ...]:
    """Return what gives an answer its meaning."""
    if isinstance(target, ClassTarget):
        return target.classes
    return target.name, target.unit


@dataclass(frozen=True, slots=True)
class DomainRule:
    """A domain rule as data: a row in which every named feature has its value has the reason."""

    reason: str
    when: Mapping[str, float | bool | str]


@dataclass(frozen=True, slots=True)
class Identity:
    """The bundle that computed an answer."""

    name: str
    version: int
    digest: str
    """`sha256:` and the hexadecimal SHA-256 of `bundle.json`'s canonical bytes."""


@dataclass(frozen=True, slots=True)
class Band:
    """The least certain automated rows, whose error rate is bounded separately."""

    bound: float
    """Lower end of the band: the smallest second-largest mean probability in it, for a number the
    smallest width of an interval."""
    share: float
    """Share of the automated validation rows that are in the band, up to ties."""
    automated: float
    """Share of the calibration rows that were in the band."""
    wrong: float
    """Share of the band's calibration rows that were wrong; 0 if it has none."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One line of a policy: a promised error rate, and the share of rows it lets automate."""

    target: float
    """Upper bound promised, with the policy's `confidence` over the draw of the calibration rows,
    for P(wrong | automated) of rows exchangeable with them: a rate over many rows, not the
    probability of one. A number is wrong if its interval misses the true value."""
    threshold: float | None
    """Limit of an automated row's second-largest mean probability, for a number of the width of its
    interval; None if no row qualifies."""
    automated: float
    """Share of the calibration rows that were automated."""
    wrong: float
    """Share of the automated calibration rows that were wrong; 0 if there were none."""
    band: Band | None = None
    """Band of this line; None if no row may be automated or the policy promises nothing of it."""
    wanting: int | None = None
    """Eligible calibration rows short of those that testing this line needs; None if uncounted."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Conditions under which an answer may be used without a person; each line holds separately."""

    confidence: float
    """Probability, over the draw of the calibration rows, that both promises of a line hold for
    rows exchangeable with them."""
    target: float
    """Target of the default line."""
    epistemic: float
    """Largest mutual information of an automated row, nats, for a number the largest standard
    deviation over the passes, in its unit; fixed before calibration."""
    promises: tuple[Promise, ...]
    case_limit: float | None = None
    """Upper bound promised, with `confidence`, for P(wrong | in a line's band) of rows exchangeable
    with the calibration rows; None if the policy has no band."""
    likelihood: float | None = None
    """Least mean probability of an automated grade; None for a number, or without a band."""

    @property
    def is_of_cases(self) -> bool:
        """Whether the policy also bounds the error rate of the band of least certain rows.

        Older policies do not, and answers under them keep their form.
        """
        return self.case_limit is not None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Results on held-out rows: nonconformity scores for prediction sets, and a policy."""

    passes: int
    """Passes a row that the scores were computed with; fewer passes carry no guarantee."""
    coverage: float
    """Default coverage of prediction sets."""
    labels: tuple[int, ...]
    """`(N,)` class indices of the calibration rows."""
    scores: dict[str, tuple[float, ...]]
    """Nonconformity scores `(N,)` by method, see `dubito.uncertainty.scores`."""
    penalty: float
    """Penalty λ of RAPS."""
    free: int
    """Number of classes without a penalty, k of RAPS."""
    accuracy: float
    """Share of the calibration rows whose grade was right."""
    policy: Policy
    mutual_information: tuple[float, ...] = ()
    """`(N,)` mutual information of the calibration rows, nats, the reference of drift; empty in
    older bundles."""


@dataclass(frozen=True, slots=True)
class NumberCalibration:
    """Results on held-out rows of a number: nonconformity scores for intervals, and a policy.

    One half of the calibration rows gave the scores, the other tested the policy.
    """

    passes: int
    """Passes a row that the scores were computed with; fewer passes carry no guarantee."""
    coverage: float
    """Default coverage of intervals, and that of the intervals that decisions are about."""
    method: str
    """Default method of intervals, and that of the intervals that decisions are about."""
    least_std: float
    """Least standard deviation that `normalized` divides by, in the number's unit; above 0."""
    scores: dict[str, tuple[float, ...]]
    """Nonconformity scores `(n,)` by method, see `dubito.uncertainty.intervals`."""
    tested: int
    """Number of rows that the policy was tested on."""
    policy: Policy
    stds: tuple[float, ...]
    """Standard deviations over the passes of all calibration rows, the reference of drift."""


AnyCalibration = Calibration | NumberCalibration


@dataclass(frozen=True, slots=True)
class PredictionSets:
    """Conformal prediction sets of `N` rows, as they are served."""

    sets: Booleans
    """`(N, C)`, whether a class is in a row's set; the row's grade always is."""
    always: tuple[int, ...]
    """Indices of classes in every set, because too few calibration rows allow excluding them."""
    below_accuracy: bool
    """Whether the requested coverage is below the grades' accuracy, so that the sets cover more."""

    def where(self, rows: slice) -> "PredictionSets":
        """Select some rows."""
        return replace(self, sets=self.sets[rows])

    @classmethod
    def joined(cls, parts: "Sequence[PredictionSets]") -> "PredictionSets":
        """Concatenate the sets of several parts of one request."""
        return replace(parts[0], sets=np.concatenate([part.sets for part in parts]))


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an answer may be used without a person; it says nothing about granting a loan."""

    action: Literal["automate", "refer"]
    reasons: tuple[str, ...]
    """Reasons for referring the row to a person, empty if automated: those of
    `dubito.uncertainty.decision.BUILT_IN` and of the bundle's rules."""
    guaranteed: bool
    """Whether the policy's promises apply to this answer: it had enough passes."""


@dataclass(frozen=True, slots=True)
class Query:
    """Rows for Monte-Carlo prediction with one number of passes and one seed."""

    features: Floats
    """`(N, F)` feature values; NaN only where a nullable feature is missing."""
    passes: int
    seed: int
    first: int = 0
    """Index of the first pass; above 0 if only a part of the passes is drawn."""


@dataclass(frozen=True, slots=True)
class Threads:
    """How many threads share a call of an engine, and from what size of it on."""

    most: int = 1
    shared: int = 1 << 21
    """Least multiplications of a call that the native backend shares between threads. Less takes
    about as long alone as handing it out does."""


ALONE = Threads()
"""The calling thread computes everything."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Statistics over the passes for `N` rows, in float64; entropies in nats.

    Of a number, `C` are the outputs of the network, and what follows `std` has no meaning.
    """

    mean: Floats
    """`(N, C)` mean class probabilities."""
    std: Floats
    """`(N, C)` population standard deviation (`ddof=0`)."""
    predictive_entropy: Floats
    """`(N,)` H[mean]: total uncertainty."""
    expected_entropy: Floats
    """`(N,)` mean over passes of H[pass]: aleatoric uncertainty."""
    mutual_information: Floats
    """`(N,)` predictive minus expected entropy, at least 0: epistemic uncertainty (BALD)."""
    variation_ratio: Floats
    """`(N,)` 1 − share of passes that vote for the most-voted class (Freeman 1965)."""
    within_std: Floats | None = None
    """`(N, C)` root of the mean variance within the members of an ensemble; None for one
    network."""
    between_members: Floats | None = None
    """`(N,)` H[mean] minus the members' mean H[mean of the member]: the part of the mutual
    information that is between the members of an ensemble; None for one network."""

    @property
    def sampling_std(self) -> Floats:
        """`(N, C)` standard deviation of a pass whose member is given, on which precision rests."""
        return self.std if self.within_std is None else self.within_std

    @property
    def between_std(self) -> Floats | None:
        """`(N, C)` standard deviation of the members' means; None for one network.

        By the law of total variance, the variance over all passes is its square plus that within
        the members.
        """
        if self.within_std is None:
            return None
        between: Floats = np.sqrt(np.maximum(np.square(self.std) - np.square(self.within_std), 0.0))
        return between

    @property
    def predicted(self) -> Indices:
        """`(N,)` class indices: the argmax of the mean, a tie to the lower index."""
        predicted: Indices = np.argmax(self.mean, axis=1)
        return predicted

    def where(self, rows: Indices | Booleans | slice) -> "Summary":
        """Select the statistics of some rows, in the order of the selection."""
        parts: list[Any] = [
            None if values is None else values[rows] for values in _statistics(self)
        ]
        return Summary(*parts)

    @classmethod
    def of_columns(cls, columns: Floats) -> "Summary":
        """View `(N, 2 C + M)` columns, in the order of the fields, as statistics of one network."""
        classes = (columns.shape[1] - len(MEASURES)) // 2
        mean, std = columns[:, :classes], columns[:, classes : 2 * classes]
        return cls(mean, std, *columns[:, 2 * classes :].T)

    @classmethod
    def of_ensemble(cls, columns: Floats) -> "Summary":
        """View `(N, 3 C + M + 1)` columns, in the order of the fields, as those of an ensemble."""
        classes = (columns.shape[1] - len(MEASURES) - 1) // 3
        width = 2 * classes + len(MEASURES)
        own = cls.of_columns(columns[:, :width])
        return replace(own, within_std=columns[:, width:-1], between_members=columns[:, -1])

    @classmethod
    def joined(cls, parts: "Sequence[Summary]") -> "Summary":
        """Concatenate the statistics of several sets of rows."""
        if len(parts) == 1:
            return parts[0]
        every = zip(*map(_statistics, parts), strict=True)
        whole: list[Any] = [
            None if several[0] is None else np.concatenate(several) for several in every
        ]
        return cls(*whole)


_statistics = attrgetter(*(field.name for field in fields(Summary)))
MEASURES = (
    "predictive_entropy",
    "expected_entropy",
    "mutual_information",
    "variation_ratio",
)
"""Names of the measures of uncertainty that every network has, one number a row each."""
measures = attrgetter(*MEASURES)
"""Function from a `Summary` to its measures, `(N,)` each."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A missing or unusual value of one row, with the range that training saw."""

    kind: NoticeKind
    feature: str
    value: float | None
    """The number; None if it is missing, and for a feature with a list of values."""
    seen_minimum: float | None
    seen_maximum: float | None
    """Range that training saw; None for a feature with a list of values."""
    refers: bool
    """Whether this alone refers the row to a person."""


@dataclass(frozen=True, slots=True)
class Cards:
    """The model card in each available language, Markdown."""

    english: str = ""
    korean: str | None = None
    """Korean model card; None in older bundles, which have none."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The numerical environment: where it is equal, answers are equal to the last bit."""

    fingerprint: str
    facts: dict[str, str]
