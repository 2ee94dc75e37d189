"""Shifts: labelled rows made wrong in one known way, which doubt should tell from the originals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from dubito.domains import Domain, domains
from dubito.types import Booleans, Feature, Floats, Signature

FACTOR, UNIT_FACTOR = 3.0, 1000.0
"""For bundles of which no mistakes are known: any feature, and an amount of money."""


@dataclass(frozen=True, slots=True)
class Shift:
    """One way in which rows are made wrong."""

    name: str
    times: Mapping[str, float] = field(default_factory=dict)
    """Feature to what it is multiplied by."""
    swapped: tuple[str, str] | None = None
    """Two features in each other's place."""

    def apply(self, rows: Floats, signature: Signature) -> Floats:
        """The rows `(N, F)` made wrong."""
        shifted, names = rows.copy(), signature.names
        for name, factor in self.times.items():
            shifted[:, names.index(name)] *= factor
        if self.swapped is not None:
            first, second = map(names.index, self.swapped)
            shifted[:, [first, second]] = rows[:, [second, first]]
        return shifted


def shifts_of(signature: Signature) -> tuple[Shift, ...]:
    """The mistakes that a domain knows of these features; else one for each feature and more."""
    for domain in domains():
        features = domain.mistakes.features
        if features and features <= set(signature.names):
            return tuple(_known(domain))
    return tuple(_plain(signature))


def changed(rows: Floats, shifted: Floats) -> Booleans:
    """Which of the rows `(N, F)` are not as they were; a missing value equals another."""
    return (~((rows == shifted) | (np.isnan(rows) & np.isnan(shifted)))).any(axis=1)


def allowed(rows: Floats, signature: Signature) -> Booleans:
    """Which of the rows `(N, F)` a service takes at all."""
    minima = [feature.minimum for feature in signature.features]
    maxima = [feature.maximum for feature in signature.features]
    return ~((rows < minima) | (rows > maxima)).max(axis=1)


def _known(domain: Domain) -> Iterator[Shift]:
    for name, times in domain.mistakes.multiplied.items():
        yield Shift(name, times)
    for name, pair in domain.mistakes.swapped.items():
        yield Shift(name, swapped=pair)


def _plain(signature: Signature) -> Iterator[Shift]:
    for feature in signature.features:
        yield Shift(f"{feature.name} × {FACTOR:g}", {feature.name: FACTOR})
        if feature.unit == "currency":
            yield Shift(f"{feature.name} × {UNIT_FACTOR:g}", {feature.name: UNIT_FACTOR})
    for first, second in pairwise(signature.features):
        if _alike(first, second):
            names = first.name, second.name
            yield Shift(f"{first.name} and {second.name} swapped", swapped=names)


def _alike(first: Feature, second: Feature) -> bool:
    """Whether one could stand in the other's place and nobody would refuse it."""
    same = (first.unit, first.kind) == (second.unit, second.kind)
    return same and not (first.nullable or second.nullable)
