"""Consistency checks of a manifest's signature, rules and metrics.

Every function yields faults, parts of a sentence that begin with the member's name. Only the first
fault is reliable: later checks assume that the earlier ones passed.
"""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from dubito.bundles.feature_consistency import (
    LARGEST,
    MOST_ALIASES,
    feature_faults,
    number_seen_faults,
)
from dubito.bundles.names import LONGEST_NAME, is_name, name_faults
from dubito.bundles.strict_json import named, walk
from dubito.features import (
    Feature,
    FeatureValue,
    NumberFeature,
    TensorFeature,
)
from dubito.printable import is_printable
from dubito.targets import ClassTarget, NumberTarget, level_fault
from dubito.types import MAX_SEED, DomainRule, Signature
from dubito.uncertainty.decision import BUILT_IN

LONGEST_TEXT = 65_536
"""Most characters of any text."""
MOST_FEATURES = MOST_CLASSES = 10_000
MOST_RULES = 1_000
RESERVED = {
    1: frozenset(BUILT_IN) - {"unknown_category", "wide"},
    2: frozenset(BUILT_IN),
    3: frozenset(BUILT_IN),
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
    """Yield faults of features and target."""
    features, target = signature.features, signature.target
    if not 1 <= len(features) <= MOST_FEATURES:
        yield f"features has {len(features)} features, not 1 to {MOST_FEATURES}"
    if len(features) > 1 and any(isinstance(one, TensorFeature) for one in features):
        yield "features has a tensor beside others, and it must be the only one"
    if isinstance(target, NumberTarget):
        yield from _number_faults(target)
    else:
        yield from _class_faults(target)
    for at, feature in enumerate(features):
        yield from feature_faults(f"features.{at}", feature)
    yield from name_faults(dict(_labels(features)))
    rows = [feature.seen.rows for feature in features]
    for at, count in enumerate(rows):
        if count != rows[0]:
            yield f"features.{at}.seen counts {count} rows, but features.0.seen counts {rows[0]}"


def _class_faults(target: ClassTarget) -> Iterator[str]:
    classes = target.classes
    if not 2 <= len(classes) <= MOST_CLASSES:
        yield f"classes has {len(classes)} names, not 2 to {MOST_CLASSES}"
    yield from name_faults({f"classes.{at}": name for at, name in enumerate(classes)})


def _number_faults(target: NumberTarget) -> Iterator[str]:
    aliases = {f"target.aliases.{at}": alias for at, alias in enumerate(target.aliases)}
    yield from name_faults({"target.name": target.name, **aliases})
    if len(target.aliases) > MOST_ALIASES:
        yield f"target.aliases has more than {MOST_ALIASES} names"
    if max(len(target.title), len(target.unit)) > LONGEST_NAME:
        yield f"target has a title or unit of more than {LONGEST_NAME} letters"
    if (fault := level_fault(target.head, target.levels)) is not None:
        yield f"target.levels {fault}"
    seen = target.seen
    if not -LARGEST <= seen.minimum <= seen.maximum <= LARGEST or seen.missing:
        yield "target.seen is not of rows that have a value, in order and within what numbers are"
    yield from number_seen_faults("target.seen", seen)
    if not 0 < target.std <= seen.maximum - seen.minimum:
        yield "target.std is not above 0 and at most the range that was seen"


def rule_faults(
    rules: Sequence[DomainRule], features: Sequence[Feature], reserved: Container[str]
) -> Iterator[str]:
    """Yield rules that can never apply, or whose reason is invalid or reserved."""
    known = {feature.name: feature for feature in features}
    if len(rules) > MOST_RULES:
        yield f"rules has more than {MOST_RULES} rules"
    for at, rule in enumerate(rules):
        if not is_name(rule.reason) or rule.reason in reserved:
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
            if not (is_name(part) and is_name(name)):
                yield f"{named(('metrics', part, name))} does not have a valid name"
            if most is not None and not 0 <= value <= most:
                yield f"{named(('metrics', part, name))} is not from 0 to {most:g}"


def _can_be(feature: Feature, value: FeatureValue) -> bool:
    """Return whether a feature takes a value, by which a rule may then name it."""
    try:
        number = feature.number_of(value)
    except ValueError:
        return False
    return isinstance(feature, NumberFeature | TensorFeature) or number < len(feature.seen.counts)


def _most(metric: str, classes: int) -> float | None:
    """Return the largest value that a metric can have; None if its name is unknown."""
    if SHARES.fullmatch(metric):
        return 1.0
    if metric.startswith("size_"):
        return float(classes)
    if metric.startswith("width_"):
        return LARGEST
    return {"brier": 2.0, "nll": LARGEST, "rmse": LARGEST, "mae": LARGEST}.get(metric)


def _labels(features: Sequence[Feature]) -> Iterator[tuple[str, str]]:
    """Yield the names and aliases of features, each after its place in the manifest."""
    for at, feature in enumerate(features):
        yield f"features.{at}.name", feature.name
        yield from ((f"features.{at}.aliases.{n}", name) for n, name in enumerate(feature.aliases))
