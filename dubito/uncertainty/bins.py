"""Histogram bins for monitoring: streams of values are stored as counts, which can be added up.

Every stream has the same kinds of bins, in this order: below the reference's range, that range in
up to about twenty parts, above it, and missing. The statistics of drift use the same order. Of a
feature with a list of values, each has a bin, and what is not in the list is above.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dubito.features import Feature, NumberFeature, TensorFeature
from dubito.targets import NumberTarget
from dubito.types import AnyCalibration, Floats, Indices, NumberCalibration, Signature

BinCounts = Mapping[int, int]
"""Number of values by bin; absent bins are empty."""

MUTUAL_INFORMATION, STD = "mutual_information", "std"
"""Names of the stream of epistemic uncertainty, of classes and of a number, beside those of the
features.

It is comparable with its reference only if every row in it had as many passes as the calibration's
and a seed drawn for it alone: mutual information grows with the passes, and rows of one seed share
their masks and are therefore correlated. Other rows would raise alarms without any drift.
"""
PARTS = 20
"""Number of bins for a reference that has no histogram."""


@dataclass(frozen=True, slots=True)
class Bins:
    """Edges of a stream's bins, and the reference's counts in them."""

    edges: tuple[float, ...]
    """`(B − 2,)` increasing edges. Bin `b` begins with edge `b − 1` and ends before edge `b`; bin 0
    is below the reference's range, bin `len(edges)` above it, and the next holds missing values."""
    reference: tuple[int, ...]
    """`(B,)` counts of the reference by bin."""
    is_ordered: bool = True
    """Whether the order of the bins means something; that of a list of values does not."""

    @property
    def size(self) -> int:
        """Number of bins, `B`."""
        return len(self.edges) + 2

    @property
    def missing(self) -> int:
        """Index of the bin of missing values."""
        return len(self.edges) + 1

    def index(self, value: float) -> int:
        """Return the bin of a value; NaN is missing."""
        return bisect_right(self.edges, value) if value == value else len(self.edges) + 1

    def indices(self, values: Floats) -> Indices:
        """Return the bins `(N,)` of values `(N,)`, as in `index`."""
        found = np.searchsorted(self.edges, values, side="right")
        return np.where(np.isnan(values), self.missing, found)

    def dense(self, counts: BinCounts) -> Indices:
        """Convert counts to an array `(B,)`.

        Raises:
            IndexError: a bin does not exist.
        """
        dense = np.zeros(self.size, dtype=np.intp)
        for at, count in counts.items():
            dense[at] = count
        return dense


def bins_of(signature: Signature, calibration: AnyCalibration | None) -> dict[str, Bins]:
    """Build the bins of the streams monitored for drift: every feature, then epistemic uncertainty.

    The latter is mutual information, of a number the standard deviation over the passes. It is
    absent if the calibration has none, as in bundles of older versions.
    """
    streams = {feature.name: of_feature(feature) for feature in signature.features}
    if isinstance(calibration, NumberCalibration):
        streams[epistemic_stream(signature)] = of_reference(calibration.stds)
    elif calibration is not None and calibration.mutual_information:
        streams[epistemic_stream(signature)] = of_reference(calibration.mutual_information)
    return streams


def epistemic_stream(signature: Signature) -> str:
    """Return the name of the stream of epistemic uncertainty, which is never a feature's name."""
    name = STD if isinstance(signature.target, NumberTarget) else MUTUAL_INFORMATION
    while name in signature.names:
        name += "_"
    return name


def of_feature(feature: Feature) -> Bins:
    """Build the bins of a feature from the histogram of its training data, a tensor's of norms.

    The bin above begins just after the maximum, even if the histogram's last edge is larger.
    """
    if not isinstance(feature, NumberFeature | TensorFeature):
        listed = feature.seen
        every = tuple(map(float, range(len(listed.counts) + 1)))
        reference = (0, *listed.counts, listed.unknown, listed.missing)
        return Bins(every, reference, is_ordered=False)
    seen = feature.seen
    edges = (*seen.histogram_edges[:-1], float(np.nextafter(seen.maximum, np.inf)))
    return Bins(edges, (0, *seen.histogram_counts, 0, seen.missing))


def of_reference(values: Sequence[float]) -> Bins:
    """Build bins of values without a histogram: about `PARTS` of equal mass, fewer with many ties.

    Each begins with a value that occurs, the first with the smallest.

    Raises:
        IndexError: there are no values.
    """
    found = np.array(values, dtype=np.float64)
    levels = np.arange(PARTS) / PARTS
    starts = np.unique(np.quantile(found, levels, method="higher"))
    edges = (*starts.tolist(), float(np.nextafter(found.max(), np.inf)))
    empty = Bins(edges, ())
    counts = np.bincount(empty.indices(found), minlength=empty.size)
    return Bins(edges, tuple(counts.tolist()))
