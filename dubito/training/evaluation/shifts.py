"""Shifts: known input mistakes, such as a wrong unit, that uncertainty and guard should detect."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from dubito.domains import Domain, domains
from dubito.features import Feature, NumberFeature
from dubito.types import Booleans, Floats, Signature

FACTOR, UNIT_FACTOR = 3.0, 1000.0
"""Factors for bundles without known mistakes: of any feature, and of an amount of money."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Mistake that changes some features of every row."""

    name: str
    times: Mapping[str, float] = field(default_factory=dict)
    """Factor of each feature that is multiplied, by its name."""
    swapped: tuple[str, str] | None = None
    """Names of two features whose values are swapped; None for no swap."""

    def apply(self, rows: Floats, signature: Signature) -> Floats:
        """Return a copy of the rows `(N, F)` with the mistake."""
        shifted, names = rows.copy(), signature.names
        for name, factor in self.times.items():
            shifted[:, names.index(name)] *= factor
        if self.swapped is not None:
            first, second = map(names.index, self.swapped)
            shifted[:, [first, second]] = rows[:, [second, first]]
        return shifted


def shifts_of(signature: Signature) -> tuple[Shift, ...]:
    """Return the known mistakes of these features' domain; without a domain, generic mistakes.

    Generic mistakes are a factor for each feature, and swaps of neighbours with the same unit.
    """
    for domain in domains():
        features = domain.mistakes.features
        if features and features <= set(signature.names):
            return tuple(_known(domain))
    return tuple(_plain(signature))


def changed(rows: Floats, shifted: Floats) -> Booleans:
    """Return a mask `(N,)` of the rows `(N, F)` that changed; missing values count as equal."""
    return (~((rows == shifted) | (np.isnan(rows) & np.isnan(shifted)))).any(axis=1)


def acceptable_rows(rows: Floats, signature: Signature) -> Booleans:
    """Return a mask `(N,)` of the rows `(N, F)` that the service would accept."""
    minima = [feature.minimum for feature in signature.features]
    maxima = [feature.maximum for feature in signature.features]
    return ~((rows < minima) | (rows > maxima)).max(axis=1)


def _known(domain: Domain) -> Iterator[Shift]:
    for name, times in domain.mistakes.multiplied.items():
        yield Shift(name, times)
    for name, pair in domain.mistakes.swapped.items():
        yield Shift(name, swapped=pair)


def _plain(signature: Signature) -> Iterator[Shift]:
    """Yield mistakes in numbers; a wrong category is as good as any other."""
    for feature in signature.features:
        if not isinstance(feature, NumberFeature):
            continue
        yield Shift(f"{feature.name} × {FACTOR:g}", {feature.name: FACTOR})
        if feature.unit == "currency":
            yield Shift(f"{feature.name} × {UNIT_FACTOR:g}", {feature.name: UNIT_FACTOR})
    for first, second in pairwise(signature.features):
        if _alike(first, second):
            names = first.name, second.name
            yield Shift(f"{first.name} and {second.name} swapped", swapped=names)


def _alike(first: Feature, second: Feature) -> bool:
    """Whether two features could be swapped without being rejected."""
    if not (isinstance(first, NumberFeature) and isinstance(second, NumberFeature)):
        return False
    same = (first.unit, first.kind) == (second.unit, second.kind)
    return same and not (first.nullable or second.nullable)
