"""Consistency checks of a manifest's signature, rules and metrics.

Every function yields faults, parts of a sentence that begin with the member's name. Only the first
fault is reliable: later checks assume that the earlier ones passed.
"""

import math
import re
import unicodedata
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from dubito.bundles.strict_json import named, walk
from dubito.features import (
    BooleanFeature,
    Category,
    CategoryFeature,
    Feature,
    FeatureStats,
    FeatureValue,
    NumberFeature,
)
from dubito.printable import is_printable
from dubito.types import MAX_SEED, DomainRule, Signature
from dubito.uncertainty.decision import BUILT_IN

LONGEST_NAME = 1_000
"""Most characters of a name, an alias, a title, a unit or a reason."""
LONGEST_TEXT = 65_536
"""Most characters of any text."""
MOST_FEATURES = MOST_CLASSES = MOST_CATEGORIES = 10_000
MOST_ALIASES = 100
MOST_RULES = 1_000
LARGEST = 1e300
"""Largest absolute value of a feature, so that a sum of a few values does not overflow."""
LEVEL = re.compile(r"0|1|0\.[0-9]{1,15}")
"""Form of a quantile's level, from 0 to 1 in plain digits."""
MEDIAN = "0.5"
RESERVED = {
    1: frozenset(BUILT_IN) - {"unknown_category"},
    2: frozenset(BUILT_IN),
}
"""Reasons that no rule may use, by format: those of the decision rule, as the format knows them."""
SHARES = re.compile(
    r"accuracy|macro_f1|ece.*|automated|wrong_automated|wrong_band|least_likelihood|coverage_.*"
    r"|aurc.*|.*auroc"
)
"""Names of metrics with values from 0 to 1."""


def text_faults(content: Any) -> Iterator[str]:
    """Yield texts that are not printable or too long, and integers that JSON does not represent."""
    for way, value in walk(content):
        texts = [text for text in (value, way[-1] if way else "") if isinstance(text, str)]
        if not all(map(is_printable, texts)):
            yield f"{named(way)} has a control character"
        if max(map(len, texts), default=0) > LONGEST_TEXT:
            yield f"{named(way)} is longer than {LONGEST_TEXT} letters"
        if isinstance(value, int) and abs(value) > MAX_SEED:
            yield f"{named(way)} is beyond the integers that JSON represents exactly"


def signature_faults(signature: Signature) -> Iterator[str]:
    """Yield faults of features and classes."""
    features, classes = signature.features, signature.classes
    if not 1 <= len(features) <= MOST_FEATURES:
        yield f"features has {len(features)} features, not 1 to {MOST_FEATURES}"
    if not 2 <= len(classes) <= MOST_CLASSES:
        yield f"classes has {len(classes)} names, not 2 to {MOST_CLASSES}"
    labels = {f"classes.{at}": name for at, name in enumerate(classes)}
    yield from _name_faults(labels)
    for at, feature in enumerate(features):
        yield from _feature_faults(f"features.{at}", feature)
    yield from _name_faults(dict(_labels(features)))
    rows = [feature.seen.rows for feature in features]
    for at, count in enumerate(rows):
        if count != rows[0]:
            yield f"features.{at}.seen counts {count} rows, but features.0.seen counts {rows[0]}"


def rule_faults(
    rules: Sequence[DomainRule], features: Sequence[Feature], reserved: Container[str]
) -> Iterator[str]:
    """Yield rules that can never apply, or whose reason is invalid or reserved."""
    known = {feature.name: feature for feature in features}
    if len(rules) > MOST_RULES:
        yield f"rules has more than {MOST_RULES} rules"
    for at, rule in enumerate(rules):
        if not _is_name(rule.reason) or rule.reason in reserved:
            yield f"rules.{at}.reason is not a name of its own"
        for name, value in rule.when.items():
            way = named(("rules", at, "when", name))
            if name not in known:
                yield f"{way} is not a feature"
            elif not _can_be(known[name], value):
                yield f"{way} is not a value that the feature can have"


def metric_faults(metrics: Mapping[str, Mapping[str, float]], classes: int) -> Iterator[str]:
    """Yield metrics whose value is outside the range that their name implies."""
    for part, figures in metrics.items():
        for name, value in figures.items():
            most = _most(name, classes)
            if not (_is_name(part) and _is_name(name)):
                yield f"{named(('metrics', part, name))} does not have a valid name"
            if most is not None and not 0 <= value <= most:
                yield f"{named(('metrics', part, name))} is not from 0 to {most:g}"


def can_stand_for(feature: Feature, number: float) -> bool:
    """Return whether a number of a row may stand for a value of the feature."""
    fits = not feature.is_whole or _are_whole(number)
    return fits and feature.minimum <= number <= feature.maximum


def _can_be(feature: Feature, value: FeatureValue) -> bool:
    """Return whether a feature takes a value, by which a rule may then name it."""
    try:
        number = feature.number_of(value)
    except ValueError:
        return False
    return isinstance(feature, NumberFeature) or number < len(feature.seen.counts)


def _most(metric: str, classes: int) -> float | None:
    """Return the largest value that a metric can have; None if its name is unknown."""
    if SHARES.fullmatch(metric):
        return 1.0
    if metric.startswith("size_"):
        return float(classes)
    return {"brier": 2.0, "nll": LARGEST}.get(metric)


def _labels(features: Sequence[Feature]) -> Iterator[tuple[str, str]]:
    """Yield the names and aliases of features, each after its place in the manifest."""
    for at, feature in enumerate(features):
        yield f"features.{at}.name", feature.name
        yield from ((f"features.{at}.aliases.{n}", name) for n, name in enumerate(feature.aliases))


def _category_labels(way: str, categories: Sequence[Category]) -> Iterator[tuple[str, str]]:
    """Yield the names and aliases of categories, each after its place in the manifest."""
    for place, category in enumerate(categories):
        yield f"{way}.{place}.name", category.name
        for number, alias in enumerate(category.aliases):
            yield f"{way}.{place}.aliases.{number}", alias


def _name_faults(names: Mapping[str, str]) -> Iterator[str]:
    """Yield names that are invalid or given twice, compared in Unicode's form NFC."""
    seen: dict[str, str] = {}
    for way, name in names.items():
        if not _is_name(name):
            yield f"{way} is not a name of 1 to {LONGEST_NAME} letters without blanks around it"
        before = seen.setdefault(unicodedata.normalize("NFC", name), way)
        if before != way:
            yield f"{way} is the same name as {before}"


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST_NAME and text == text.strip()


def _feature_faults(way: str, feature: Feature) -> Iterator[str]:
    unit = feature.unit if isinstance(feature, NumberFeature) else ""
    if max(len(feature.title), len(unit)) > LONGEST_NAME:
        yield f"{way} has a title or unit of more than {LONGEST_NAME} letters"
    if len(feature.aliases) > MOST_ALIASES:
        yield f"{way}.aliases has more than {MOST_ALIASES} names"
    if isinstance(feature, NumberFeature):
        yield from _range_faults(way, feature)
    if isinstance(feature, CategoryFeature):
        yield from _category_faults(way, feature)
    if feature.nullable != (feature.imputed is not None):
        yield f"{way} needs an imputed value exactly if it is nullable"
    if feature.imputed is not None and not _can_be_imputed(feature, feature.imputed):
        yield f"{way}.imputed is not a number that the network can get for it"
    if feature.seen.missing and not feature.nullable:
        yield f"{way}.seen.missing counts rows without a value, which may not be null"
    if isinstance(feature, NumberFeature):
        yield from _seen_faults(f"{way}.seen", feature)
    else:
        yield from _count_faults(f"{way}.seen", feature)


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
    yield from _name_faults(dict(_category_labels(f"{way}.categories", categories)))


def _can_be_imputed(feature: Feature, number: float) -> bool:
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


def _seen_faults(way: str, feature: NumberFeature) -> Iterator[str]:
    seen = feature.seen
    if not feature.minimum <= seen.minimum <= seen.maximum <= feature.maximum:
        yield f"{way}.minimum and maximum are not in order within what the feature may be"
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
    if feature.is_whole and not _are_whole(
        seen.minimum, seen.maximum, *values, *seen.histogram_edges
    ):
        yield f"{way} has values that are not whole, but the feature is an {feature.kind}"


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
