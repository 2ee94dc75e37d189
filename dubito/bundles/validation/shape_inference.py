"""Shape inference: propagates shapes through a model's graph and lists the weights it needs."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dubito.bundles.manifest import NETWORK_FILE
from dubito.bundles.validation.config_graph import Blueprint, Layer, Reference
from dubito.bundles.validation.objects import quoted
from dubito.bundles.validation.shapes import MOST_AXES, rule_of
from dubito.errors import BundleError
from dubito.layer_shapes import Shape

MOST_VALUES = 2**20
"""Most values a row in one layer's output."""


@dataclass(frozen=True, slots=True)
class Held:
    """The path of one layer's weights in `model.weights.h5`, and their shapes."""

    layer: str
    path: str
    shapes: tuple[Shape, ...]
    uses: int = 1
    """Count of a pass' uses of each of them."""

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(map(math.prod, self.shapes))


@dataclass(frozen=True, slots=True)
class Wiring:
    """The output shape of a model, and the weights of every layer."""

    output: Shape
    held: tuple[Held, ...]

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(held.weights for held in self.held)

    @property
    def work(self) -> int:
        """How often a pass uses a weight, all weights together; each layer's at its first call."""
        return sum(held.weights * held.uses for held in self.held)


def trace(blueprint: Blueprint, given: Shape, path: str = "") -> Wiring:
    """Propagate the input shape `given` through a model whose weights are under `path`.

    Raises:
        BundleError: a layer is not connected, or does not fit its input.
    """
    layers = {layer.name: layer for layer in blueprint.layers}
    _check_input(layers[blueprint.entry.layer], given)
    paths = weight_paths(blueprint, path)
    shapes = {blueprint.entry: given}
    held: dict[str, tuple[Held, ...]] = {}
    for reference, operands in in_order(blueprint):
        layer = layers[reference.layer]
        inputs = _given(layer, operands, shapes)
        met = _wired(layer, inputs, paths[layer.name], first=reference.call == 0)
        if held.setdefault(layer.name, met.held) != met.held:
            raise _misfit(layer, "its calls need different weights")
        shapes[reference] = met.output
    _check_used(blueprint)
    own = Held(blueprint.name, f"{path}vars", ())
    inside = [one for layer in blueprint.layers for one in held.get(layer.name, ())]
    entry = [] if blueprint.kind == "Sequential" else [_entry(blueprint, paths)]
    return Wiring(shapes[blueprint.exit], (own, *entry, *inside))


def _given(
    layer: Layer, operands: tuple[Reference | Shape, ...], shapes: dict[Reference, Shape]
) -> list[Shape]:
    """Return the shapes of a call's operands; a constant must not extend into the batch axis."""
    tensors = [shapes[o] for o in operands if isinstance(o, Reference)]
    constants = [o for o in operands if not isinstance(o, Reference)]
    if constants and not layer.kind.islower():
        raise _misfit(layer, "it is called on a constant")
    ranks = {len(shape) for shape in tensors}
    if not tensors or (layer.kind.islower() and len(ranks) > 1):
        raise _misfit(layer, "its operands do not have as many axes as each other")
    if any(len(constant) > min(ranks) for constant in constants):
        raise _misfit(layer, "its constant has more axes than a row")
    return tensors + constants


def _entry(blueprint: Blueprint, paths: dict[str, str]) -> Held:
    name = blueprint.entry.layer
    return Held(name, f"{paths[name]}vars", ())


def _check_input(layer: Layer, given: Shape) -> None:
    declared = layer.settings.get("batch_shape")
    if declared != [None, *given]:
        raise BundleError(
            f"{NETWORK_FILE}: the input {quoted(layer.name)} is of shape {_text(declared)}, "
            f"but is given {_text([None, *given])}"
        )


def _text(shape: Any) -> str:
    lengths = shape if isinstance(shape, list) else [shape]
    return str(tuple(str(length)[:20] for length in lengths[:MOST_AXES])).replace("'", "")


def weight_paths(blueprint: Blueprint, path: str) -> dict[str, str]:
    """Build each layer's path as Keras does: its class in snake case, numbered in layer order.

    Operators have no weights and are not counted; a Sequential does not count its input.
    """
    counts: dict[str, int] = {}
    paths = {}
    for layer in blueprint.layers:
        if layer.kind == "InputLayer" and blueprint.kind == "Sequential":
            continue
        name = snake_case(layer.kind)
        if not layer.kind.islower():
            counts[name] = counts.get(name, -1) + 1
        suffix = f"_{counts[name]}" if counts.get(name) else ""
        paths[layer.name] = f"{path}layers/{name}{suffix}/"
    return paths


def snake_case(name: str) -> str:
    """Convert a class name as Keras does in paths: `MCDropout` to `mc_dropout`."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def in_order(blueprint: Blueprint) -> Iterator[tuple[Reference, tuple[Reference | Shape, ...]]]:
    """Yield every call and its operands in topological order.

    Raises:
        BundleError: the graph has a loop, or a call or the output refers to nothing.
    """
    waiting = [
        (Reference(layer.name, n), call)
        for layer in blueprint.layers
        for n, call in enumerate(layer.calls)
    ]
    known = {blueprint.entry}
    while waiting:
        ready = [
            one for one in waiting if all(o in known for o in one[1] if isinstance(o, Reference))
        ]
        if not ready:
            raise BundleError(f"{NETWORK_FILE}: the layers are connected in a loop or to nothing")
        yield from ready
        known |= {reference for reference, _ in ready}
        waiting = [one for one in waiting if one[0] not in known]
    if blueprint.exit not in known:
        raise BundleError(f"{NETWORK_FILE}: the output is not a layer's output")


def _wired(layer: Layer, operands: list[Shape], path: str, *, first: bool) -> Wiring:
    """Infer one call of a layer; Keras builds the weights at the first."""
    if layer.inner is not None:
        if len(operands) != 1:
            raise _misfit(layer, f"it takes one input, not {len(operands)}")
        return trace(layer.inner, operands[0], path)
    try:
        step = rule_of(layer.kind)(layer.settings, operands)
        if layer.build is not None and first:
            _check_build(layer, operands)
    except ValueError as error:
        raise _misfit(layer, str(error)) from error
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        raise _misfit(layer, "a setting is not of the kind that Keras writes") from error
    if math.prod(step.output) > MOST_VALUES or len(step.output) > MOST_AXES:
        raise _misfit(layer, f"it gives a row more than {MOST_VALUES} values or {MOST_AXES} axes")
    return Wiring(step.output, (Held(layer.name, f"{path}vars", step.weights, step.uses),))


def _check_build(layer: Layer, operands: list[Shape]) -> None:
    """Check a layer's `build_config` against its input: Keras builds weights from the former."""
    many = bool(layer.build) and isinstance(layer.build[0], list)
    declared = layer.build if many else [layer.build]
    if [list(shape) for shape in operands] != [shape[1:] for shape in declared]:
        raise ValueError("its build_config is not the shape it is given")


def _check_used(blueprint: Blueprint) -> None:
    """Check that every layer contributes to the output."""
    calls = {layer.name: layer.calls for layer in blueprint.layers}
    reached: set[str] = set()
    waiting = [blueprint.exit.layer]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [o.layer for call in calls[name] for o in call if isinstance(o, Reference)]
    if unused := calls.keys() - reached:
        raise BundleError(
            f"{NETWORK_FILE}: the layer {quoted(min(unused))} is not connected to the output"
        )


def _misfit(layer: Layer, fault: str) -> BundleError:
    return BundleError(f"{NETWORK_FILE}: the layer {quoted(layer.name)} does not fit: {fault}")
