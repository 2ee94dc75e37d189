"""Checks that an embedding is never asked for a row that it does not have.

Keras raises for such an index on one processor and invents a row on another. So the bounds of the
numbers that reach an embedding are followed through the network, from those of the features.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dubito.bundles.manifest import NETWORK_FILE
from dubito.bundles.validation.config_graph import Blueprint, Layer, Reference
from dubito.bundles.validation.objects import quoted
from dubito.bundles.validation.shape_inference import in_order
from dubito.errors import BundleError

MOST_EXACT = 2**24
"""Number of indices that float32 tells apart; a greater one may be rounded to another row."""


class Bounds(NamedTuple):
    """The least and the largest number of a unit."""

    least: float
    most: float
    may_miss: bool = False
    """Whether it may be NaN instead."""

    def joined(self, other: "Bounds") -> "Bounds":
        """Return the bounds of two units."""
        least, most = min(self.least, other.least), max(self.most, other.most)
        return Bounds(least, most, self.may_miss or other.may_miss)


Units = tuple[Bounds, ...] | None
"""Bounds of each unit of the last axis, or one for all of them; None if nothing is known."""


def check_indices(blueprint: Blueprint, features: Sequence[Bounds]) -> None:
    """Check every embedding of a network whose rows have numbers within the bounds `(F,)`.

    Raises:
        BundleError: an index may be none of the rows; the message names the layer.
    """
    _outlet(blueprint, tuple(features))


def _outlet(blueprint: Blueprint, given: Units) -> Units:
    """Follow bounds through a model, and return those of its output."""
    layers = {layer.name: layer for layer in blueprint.layers}
    known: dict[Reference, Units] = {blueprint.entry: given}
    for reference, operands in in_order(blueprint):
        layer = layers[reference.layer]
        inputs = [known[one] for one in operands if isinstance(one, Reference)]
        known[reference] = _follow(layer, inputs)
    return known[blueprint.exit]


def _follow(layer: Layer, inputs: Sequence[Units]) -> Units:
    """Return the bounds of a layer's output.

    Raises:
        BundleError: it is an embedding, and its input may be none of its rows.
    """
    if layer.inner is not None:
        return _outlet(layer.inner, inputs[0])
    (first, *_), settings = inputs, layer.settings
    match layer.kind:
        case "Embedding":
            _check_rows(layer, first)
        case "Lookup":
            found = [*settings["indices"], settings["unknown"]]
            return (Bounds(min(found), max(found)),)
        case "Discretize":
            return (Bounds(0, len(settings["boundaries"])),)
        case "Identity":
            return first
        case "Flatten" | "Reshape":
            return _of_all(first)
        case "SelectColumns" if first is not None:
            return first if len(first) == 1 else tuple(first[at] for at in settings["indices"])
        case "Impute" if first is not None and len(first) == len(settings["values"]):
            return tuple(_imputed(first, settings["values"]))
        case "Concatenate" if None not in inputs:
            return _of_all(tuple(one for units in inputs for one in units or ()))
    return None


def _of_all(units: Units) -> Units:
    """Return bounds that all units are within."""
    if units is None:
        return None
    first, *others = units
    for other in others:
        first = first.joined(other)
    return (first,)


def _imputed(units: Sequence[Bounds], values: Sequence[float | None]) -> Iterator[Bounds]:
    for bounds, value in zip(units, values, strict=True):
        if value is None:
            yield bounds
        else:
            yield Bounds(min(bounds.least, value), max(bounds.most, value))


def _check_rows(layer: Layer, units: Units) -> None:
    rows = min(layer.settings["input_dim"], MOST_EXACT)
    for bounds in units or (None,):
        if bounds is None or bounds.may_miss or bounds.least < 0 or bounds.most >= rows:
            asked = "any number" if bounds is None else f"{bounds.least:g} to {bounds.most:g}"
            missing = " or a missing one" if bounds is not None and bounds.may_miss else ""
            raise BundleError(
                f"{NETWORK_FILE}: the embedding {quoted(layer.name)} has rows for 0 to {rows - 1}, "
                f"but may get {asked}{missing}"
            )
