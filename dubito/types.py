"""The vocabulary: frozen dataclasses that travel between the layers.

Shapes in docstrings read `(T, N, C)` = passes, rows, classes, and `F` = features.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Booleans = NDArray[np.bool_]

NoticeKind = Literal["out_of_range", "missing", "in_margin"]
"""`in_margin` refers no row: it is outside what training saw, and not by much."""

MAX_SEED = 2**53 - 1
"""Seeds are integers from 0 to this, all exact in JSON."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What training saw of one feature, computed on the rows that have a value."""

    minimum: float
    maximum: float
    quantiles: dict[str, float]
    """Quantile level as text ("0.05") to value."""
    histogram_edges: tuple[float, ...]
    histogram_counts: tuple[int, ...]
    missing: int
    """Rows without a value."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One input of a bundle: its names, its unit and what it may be."""

    name: str
    title: str
    aliases: tuple[str, ...]
    kind: Literal["integer", "float"]
    unit: str
    nullable: bool
    imputed: float | None
    """What the network puts in place of a missing value; None where not nullable."""
    minimum: float
    maximum: float
    seen: Seen


@dataclass(frozen=True, slots=True)
class Signature:
    """The ordered features and classes of a bundle."""

    features: tuple[Feature, ...]
    classes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The feature names, in order."""
        return tuple(feature.name for feature in self.features)


@dataclass(frozen=True, slots=True)
class Rule:
    """A domain fact as data: the reason holds where every named feature has its value."""

    reason: str
    when: dict[str, float]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which bundle gave an answer."""

    name: str
    version: int
    digest: str
    """`sha256:` and the hexadecimal SHA-256 of `bundle.json`'s canonical bytes."""


@dataclass(frozen=True, slots=True)
class Band:
    """The least sure of the automated rows, of which something of their own is promised."""

    bound: float
    """Smallest second mean probability of a row in the band."""
    share: float
    """Of the automated rows, that is in it: of the validation rows, up to ties."""
    automated: float
    """Share of the calibration rows that were in it."""
    wrong: float
    """Share of those that were wrong; 0 where there were none."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One line of a policy: a promised error rate, and what keeping it costs."""

    target: float
    """Most P(wrong | automated) that is promised."""
    threshold: float | None
    """Largest second mean probability of an automated row; None where nothing may be automated."""
    automated: float
    """Share of the calibration rows that were automated."""
    wrong: float
    """Share of those that were wrong; 0 where there were none."""
    band: Band | None = None
    """None where nothing may be automated, or nothing is promised of single cases."""
    wanting: int | None = None
    """Calibration rows that were too few to begin with; None where nobody has counted."""


@dataclass(frozen=True, slots=True)
class Policy:
    """When an answer may be used without a person; every line is valid by itself."""

    confidence: float
    """Over the draw of the calibration part, that a line's promises are kept, both together."""
    target: float
    """The default promise."""
    epistemic: float
    """Most mutual information of an automated row, nats; fixed before calibration."""
    promises: tuple[Promise, ...]
    case_limit: float | None = None
    """Most P(wrong | in the band) that is promised; None in policies of the average alone."""
    likelihood: float | None = None
    """Least mean probability of an automated grade; None as well."""

    @property
    def is_of_cases(self) -> bool:
        """Whether it speaks of single cases too; answers under older ones stay as they were."""
        return self.case_limit is not None


@dataclass(frozen=True, slots=True)
class Calibration:
    """What held-out rows say about the mean of the passes: scores of sets, and a policy."""

    passes: int
    """Passes the scores were computed with; with fewer, nothing is promised."""
    coverage: float
    """Default coverage of prediction sets."""
    labels: tuple[int, ...]
    """`(N,)` class indices of the calibration rows."""
    scores: dict[str, tuple[float, ...]]
    """Method (`lac`, `aps`, `raps`, `adjacent`) to the rows' nonconformity scores `(N,)`."""
    penalty: float
    """RAPS' λ."""
    free: int
    """RAPS' k: classes without a penalty."""
    accuracy: float
    """Share of the calibration rows whose grade was right."""
    policy: Policy
    mutual_information: tuple[float, ...] = ()
    """`(N,)` of the calibration rows, nats, to tell drift by; none in older bundles."""


@dataclass(frozen=True, slots=True)
class PredictionSets:
    """Conformal sets of `N` rows, as they are served."""

    sets: Booleans
    """`(N, C)`: whether a class is in a row's set; the row's grade always is."""
    always: tuple[int, ...]
    """Classes that are in every set, as too few calibration rows speak for leaving them out."""
    below_accuracy: bool
    """Whether less coverage was asked than grades alone have: the sets cover more than asked."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a grade may be used without a person; it says nothing about granting a loan."""

    action: Literal["automate", "refer"]
    reasons: tuple[str, ...]
    """Why a person should look, none if automated: a notice's kind (`out_of_range`, `missing`), a
    reason of the bundle's rules, `epistemic` (the passes disagree), `ambiguous` (a second class is
    too probable for the promise), `unlikely` (the grade itself is less probable than the policy
    allows), `few_passes` (fewer than the promise was calibrated with)."""
    guaranteed: bool
    """Whether the policy's promises hold for this answer: it had enough passes."""


@dataclass(frozen=True, slots=True)
class Query:
    """Rows to be graded by Monte Carlo with one number of passes and one seed."""

    features: Floats
    """`(N, F)`; NaN only where a nullable feature is missing."""
    passes: int
    seed: int
    first: int = 0
    """The pass it begins with, where only a part of the passes is drawn."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Statistics over the passes for `N` rows, in float64; entropies in nats."""

    mean: Floats
    """`(N, C)`"""
    std: Floats
    """`(N, C)`, population standard deviation (`ddof=0`)."""
    predictive_entropy: Floats
    """`(N,)`, H[mean]: total uncertainty."""
    expected_entropy: Floats
    """`(N,)`, mean over passes of H[pass]: aleatoric."""
    mutual_information: Floats
    """`(N,)`, their difference, at least 0: epistemic."""
    variation_ratio: Floats
    """`(N,)`, 1 − share of passes that vote for the most-voted class."""

    @property
    def predicted(self) -> Indices:
        """`(N,)` class indices: the argmax of the mean, a tie to the lower index."""
        predicted: Indices = np.argmax(self.mean, axis=1)
        return predicted

    def rows(self, start: int, stop: int) -> "Summary":
        """The statistics of rows `start` to `stop`."""
        return Summary(
            self.mean[start:stop],
            self.std[start:stop],
            self.predictive_entropy[start:stop],
            self.expected_entropy[start:stop],
            self.mutual_information[start:stop],
            self.variation_ratio[start:stop],
        )

    def where(self, rows: Indices | Booleans | slice) -> "Summary":
        """The statistics of a selection of rows, in its order."""
        return Summary(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def joined(cls, parts: "Sequence[Summary]") -> "Summary":
        """The statistics of several sets of rows, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            *(
                np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(cls)
            )
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about one row that its reader should know."""

    kind: NoticeKind
    feature: str
    value: float | None
    seen_minimum: float
    seen_maximum: float


@dataclass(frozen=True, slots=True)
class Cards:
    """The model card in each language it is there in, Markdown."""

    english: str = ""
    korean: str | None = None
    """None in bundles of before there was one."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The numerical environment: where it is equal, answers are equal to the last bit."""

    fingerprint: str
    facts: dict[str, str]
