"""Bins: what a stream of values is kept as, so that streams can be added up.

Every stream has the same kinds of bins: below what the reference saw, what it saw in up to about
twenty parts, above it, and missing; in this order, which is the order that drift is looked for in.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dubito.types import Calibration, Feature, Floats, Indices, Signature

Counts = Mapping[int, int]
"""Bin to how many values are in it; bins that are not named have none."""

MUTUAL_INFORMATION = "mutual_information"
"""The stream of what the network does not know, beside those of the features.

It is like its reference only if every row in it had as many passes as the calibration's and a seed
drawn for it alone: mutual information grows with the passes, and rows of one seed share their masks
and so their luck. Rows that had not would raise alarms without any drift.
"""
PARTS = 20
"""Of a reference's values that have no histogram yet."""


@dataclass(frozen=True, slots=True)
class Bins:
    """Where values go, and how many of the reference went there."""

    edges: tuple[float, ...]
    """Increasing. Bin `b` begins with edge `b − 1` and ends before edge `b`; bin 0 is below all,
    bin `len(edges)` above all that was seen, and the one after it holds the missing values."""
    reference: tuple[int, ...]
    """`(B,)`, what each bin holds of the reference."""

    @property
    def size(self) -> int:
        """How many bins there are, `B`."""
        return len(self.edges) + 2

    @property
    def missing(self) -> int:
        """The bin of missing values."""
        return len(self.edges) + 1

    def index(self, value: float) -> int:
        """The bin of a value; NaN is missing."""
        return bisect_right(self.edges, value) if value == value else len(self.edges) + 1

    def indices(self, values: Floats) -> Indices:
        """The bins `(N,)` of values `(N,)`, as `index` has them."""
        found = np.searchsorted(self.edges, values, side="right")
        return np.where(np.isnan(values), self.missing, found)

    def dense(self, counts: Counts) -> Indices:
        """Counts as an array `(B,)`.

        Raises:
            IndexError: a bin that is none.
        """
        dense = np.zeros(self.size, dtype=np.intp)
        for at, count in counts.items():
            dense[at] = count
        return dense


def bins_of(signature: Signature, calibration: Calibration | None) -> dict[str, Bins]:
    """The streams that drift is looked for in: every feature, then mutual information.

    The latter is left out where the calibration has none, as in bundles of an older Dubito.
    """
    streams = {feature.name: of_feature(feature) for feature in signature.features}
    if calibration is not None and calibration.mutual_information:
        streams[information_stream(signature)] = of_reference(calibration.mutual_information)
    return streams


def information_stream(signature: Signature) -> str:
    """What the stream of mutual information is called, which is never a feature's name."""
    name = MUTUAL_INFORMATION
    while name in signature.names:
        name += "_"
    return name


def of_feature(feature: Feature) -> Bins:
    """The bins of a feature: those of the histogram of what training saw.

    What is above begins behind the maximum, also where the histogram's last edge is further off.
    """
    seen = feature.seen
    edges = (*seen.histogram_edges[:-1], float(np.nextafter(seen.maximum, np.inf)))
    return Bins(edges, (0, *seen.histogram_counts, 0, seen.missing))


def of_reference(values: Sequence[float]) -> Bins:
    """The bins of values without a histogram: about `PARTS` of equal mass, fewer where many tie.

    Each begins with a value that occurs, the first with the least.

    Raises:
        IndexError: no values.
    """
    found = np.array(values, dtype=np.float64)
    levels = np.arange(PARTS) / PARTS
    starts = np.unique(np.quantile(found, levels, method="higher"))
    edges = (*starts.tolist(), float(np.nextafter(found.max(), np.inf)))
    empty = Bins(edges, ())
    counts = np.bincount(empty.indices(found), minlength=empty.size)
    return Bins(edges, tuple(counts.tolist()))
