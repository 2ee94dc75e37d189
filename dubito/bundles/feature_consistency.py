"""Consistency checks of a manifest's features: ranges, lists of values, and what training saw.

Every function yields faults, parts of a sentence that begin with the member's name. Only the first
fault is reliable: later checks assume that the earlier ones passed.
"""

import math
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from dubito.bundles.names import LONGEST_NAME, name_faults
from dubito.features import (
    INSTANCES,
    BooleanFeature,
    Category,
    CategoryFeature,
    Feature,
    FeatureStats,
    NumberFeature,
    ScalarFeature,
    TensorFeature,
)

MOST_CATEGORIES = 10_000
MOST_ALIASES = 100
LARGEST = 1e300
"""Largest absolute value of a feature, so that a sum of a few values does not overflow."""
LEVEL = re.compile(r"0|1|0\.[0-9]{1,15}")
"""Form of a quantile's level, from 0 to 1 in plain digits."""
MEDIAN = "0.5"
ROUNDING = 1e-9
MOST_AXES, MOST_NUMBERS = 4, 65_536
"""Most axes and numbers of a tensor."""
LARGEST_OF_TENSOR = 1e100
"""Largest absolute value of a tensor's numbers, so that their squares can be added up."""


def can_stand_for(feature: Feature, number: float) -> bool:
    """Return whether a number of a row may stand for a value of the feature."""
    fits = not feature.is_whole or _are_whole(number)
    return fits and feature.minimum <= number <= feature.maximum


def feature_faults(way: str, feature: Feature) -> Iterator[str]:
    """Yield faults of one feature, at a place in the manifest."""
    unit = feature.unit if isinstance(feature, NumberFeature | TensorFeature) else ""
    if max(len(feature.title), len(unit)) > LONGEST_NAME:
        yield f"{way} has a title or unit of more than {LONGEST_NAME} letters"
    if len(feature.aliases) > MOST_ALIASES:
        yield f"{way}.aliases has more than {MOST_ALIASES} names"
    if isinstance(feature, TensorFeature):
        yield from _tensor_faults(way, feature)
        return
    if isinstance(feature, NumberFeature):
        yield from _range_faults(way, feature)
    if isinstance(feature, CategoryFeature):
        yield from _category_faults(way, feature)
    yield from _missing_faults(way, feature)
    if isinstance(feature, NumberFeature):
        yield from _seen_faults(f"{way}.seen", feature)
    else:
        yield from _count_faults(f"{way}.seen", feature)


def _tensor_faults(way: str, feature: TensorFeature) -> Iterator[str]:
    shape = feature.shape
    if not 1 <= len(shape) <= MOST_AXES or min(shape) < 1 or math.prod(shape) > MOST_NUMBERS:
        yield f"{way}.shape is not of 1 to {MOST_AXES} lengths, or of more than {MOST_NUMBERS:,}"
    if not -LARGEST_OF_TENSOR <= feature.minimum < feature.maximum <= LARGEST_OF_TENSOR:
        yield f"{way}.minimum is not below its maximum, or one is beyond ±{LARGEST_OF_TENSOR:g}"
    largest = max(abs(feature.minimum), abs(feature.maximum)) * math.sqrt(math.prod(shape))
    seen = feature.seen
    if seen.missing or not 0 <= seen.minimum <= seen.maximum <= largest * (1 + ROUNDING):
        yield f"{way}.seen is not of norms that the tensors can have"
    if INSTANCES in (feature.name, *feature.aliases):
        yield f"{way} is called {INSTANCES}, which is the list of several rows"
    yield from number_seen_faults(f"{way}.seen", feature.seen)


def _missing_faults(way: str, feature: ScalarFeature) -> Iterator[str]:
    if feature.nullable != (feature.imputed is not None):
        yield f"{way} needs an imputed value exactly if it is nullable"
    if not (feature.nullable or feature.missing_refers):
        yield f"{way}.missing_refers is false, but the value may not be missing"
    if feature.imputed is not None and not _can_be_imputed(feature, feature.imputed):
        yield f"{way}.imputed is not a number that the network can get for it"
    if feature.seen.missing and not feature.nullable:
        yield f"{way}.seen.missing counts rows without a value, which may not be null"


def _range_faults(way: str, feature: NumberFeature) -> Iterator[str]:
    if not -LARGEST <= feature.minimum < feature.maximum <= LARGEST:
        yield f"{way}.minimum is not below its maximum, or one is beyond ±{LARGEST:g}"
    if feature.is_whole and not _are_whole(feature.minimum, feature.maximum):
        yield f"{way} is an {feature.kind} with a minimum or maximum that is not whole"


def _category_faults(way: str, feature: CategoryFeature) -> Iterator[str]:
    categories = feature.categories
    if not 1 <= len(categories) <= MOST_CATEGORIES:
        yield f"{way}.categories has {len(categories)} names, not 1 to {MOST_CATEGORIES}"
    for place, category in enumerate(categories):
        if len(category.aliases) > MOST_ALIASES:
            yield f"{way}.categories.{place}.aliases has more than {MOST_ALIASES} names"
    yield from name_faults(dict(_category_labels(f"{way}.categories", categories)))


def _can_be_imputed(feature: ScalarFeature, number: float) -> bool:
    """Return whether the network may get a number for a missing value."""
    if isinstance(feature, CategoryFeature):
        # The slot after all others may be one of its own.
        return _are_whole(number) and 0 <= number <= feature.maximum + 1
    fits = isinstance(feature, NumberFeature) or _are_whole(number)
    return fits and feature.minimum <= number <= feature.maximum


def _count_faults(way: str, feature: BooleanFeature | CategoryFeature) -> Iterator[str]:
    seen, size = feature.seen, len(feature.labels)
    if len(seen.counts) != size:
        yield f"{way}.counts has {len(seen.counts)} counts, not {size}"
    if min(*seen.counts, seen.unknown, seen.missing, 0) < 0 or not sum(seen.counts):
        yield f"{way} has a count below 0, or counts no row"
    if seen.unknown and not (isinstance(feature, CategoryFeature) and feature.takes_unknown):
        yield f"{way}.unknown counts rows with a value that the feature does not take"


def _category_labels(way: str, categories: Sequence[Category]) -> Iterator[tuple[str, str]]:
    """Yield the names and aliases of categories, each after its place in the manifest."""
    for place, category in enumerate(categories):
        yield f"{way}.{place}.name", category.name
        for number, alias in enumerate(category.aliases):
            yield f"{way}.{place}.aliases.{number}", alias


def _seen_faults(way: str, feature: NumberFeature) -> Iterator[str]:
    seen = feature.seen
    if not feature.minimum <= seen.minimum <= seen.maximum <= feature.maximum:
        yield f"{way}.minimum and maximum are not in order within what the feature may be"
    yield from number_seen_faults(way, seen)
    values = seen.quantiles.values()
    if feature.is_whole and not _are_whole(
        seen.minimum, seen.maximum, *values, *seen.histogram_edges
    ):
        yield f"{way} has values that are not whole, but the feature is an {feature.kind}"


def number_seen_faults(way: str, seen: FeatureStats) -> Iterator[str]:
    """Yield contradictions between the histogram, the quantiles and the range of a number."""
    yield from _histogram_faults(way, seen)
    levels = sorted((float(level), level) for level in seen.quantiles if LEVEL.fullmatch(level))
    if MEDIAN not in seen.quantiles or len(levels) != len(seen.quantiles):
        yield f"{way}.quantiles has no {MEDIAN}, or a level that is not from 0 to 1"
    values = [seen.quantiles[name] for _, name in levels]
    if any(first[0] == second[0] for first, second in pairwise(levels)) or values != sorted(values):
        yield f"{way}.quantiles is not in order"
    for level, name in levels:
        low, high = _bounds(seen, level)
        if not low <= seen.quantiles[name] <= high:
            yield f"{way}.quantiles.{name} contradicts the histogram"


def _histogram_faults(way: str, seen: FeatureStats) -> Iterator[str]:
    edges, counts = seen.histogram_edges, seen.histogram_counts
    if len(edges) != len(counts) + 1 or not counts:
        yield f"{way}.histogram_edges is not one edge more than histogram_counts"
    if any(first >= second for first, second in pairwise(edges)):
        yield f"{way}.histogram_edges does not increase"
    if edges[0] != seen.minimum or not edges[-2] <= seen.maximum <= edges[-1]:
        yield f"{way}.histogram_edges does not begin and end with what was seen"
    if min(*counts, seen.missing, 0) < 0 or not sum(counts):
        yield f"{way}.histogram_counts or missing is below 0, or counts no row"


def _bounds(seen: FeatureStats, level: float) -> tuple[float, float]:
    """Bound a quantile by the histogram, for every way of interpolating quantiles."""
    edges, ends = seen.histogram_edges, list(accumulate(seen.histogram_counts))
    rows = ends[-1]
    first, last = max(0, math.floor(level * rows) - 1), min(rows - 1, math.ceil(level * rows))
    low = next(at for at, end in enumerate(ends) if end > first)
    high = next(at for at, end in enumerate(ends) if end > last)
    return edges[low], min(edges[high + 1], seen.maximum)


def _are_whole(*values: float) -> bool:
    return all(float(value).is_integer() for value in values)
