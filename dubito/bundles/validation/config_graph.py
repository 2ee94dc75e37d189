"""Parses `config.json` into a graph of layers and their calls, without Keras."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dubito.bundles.manifest import NETWORK_FILE
from dubito.bundles.strict_json import strict_json
from dubito.bundles.validation.objects import check_objects, quoted
from dubito.errors import BundleError
from dubito.layer_shapes import Shape

MOST_CALLS = 1000
"""Most calls of layers in a network."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The output of one call of one layer."""

    layer: str
    call: int


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer, operator or nested model, and the operands of each of its calls."""

    name: str
    kind: str
    """Class name; lower-case for an operator, as in `add` for `x + y`."""
    settings: dict[str, Any]
    build: Any
    """Input shape, or list of shapes, for which Keras would build the weights."""
    calls: tuple[tuple[Reference | Shape, ...], ...]
    """Operands of each call: another layer's output, or the shape of a constant."""
    inner: "Blueprint | None" = None


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A model: its layers in order, its input and its output."""

    name: str
    kind: str
    layers: tuple[Layer, ...]
    entry: Reference
    exit: Reference

    @property
    def size(self) -> int:
        """Number of calls of layers; those of a nested model count once for each of its calls."""
        inner = {layer.name: layer.inner.size for layer in self.layers if layer.inner}
        return sum(1 + len(layer.calls) * (1 + inner.get(layer.name, 0)) for layer in self.layers)

    def walk(self) -> Iterator[Layer]:
        """Yield every layer, including those of nested models."""
        for layer in self.layers:
            yield layer
            if layer.inner is not None:
                yield from layer.inner.walk()


def parse_blueprint(text: bytes) -> Blueprint:
    """Parse the bytes of `config.json`.

    Raises:
        BundleError: the bytes are not strict JSON, name an object that is not allowed, or do not
            describe a network.
    """
    config = strict_json(text, f"{NETWORK_FILE}: config.json")
    check_objects(config)
    if not config.keys() >= {"class_name", "config"}:
        raise BundleError(f"{NETWORK_FILE}: config.json is not a network")
    try:
        blueprint = _blueprint(config)
    except (AttributeError, KeyError, TypeError, IndexError, ValueError) as error:
        raise BundleError(
            f"{NETWORK_FILE}: config.json is not a network as Keras writes it"
        ) from error
    if blueprint.size > MOST_CALLS:
        raise BundleError(f"{NETWORK_FILE}: the network has more than {MOST_CALLS} calls of layers")
    return blueprint


def _blueprint(model: dict[str, Any]) -> Blueprint:
    config = model["config"]
    sequential = model["class_name"] == "Sequential"
    layers = tuple(_layer(members) for members in config["layers"])
    names = [layer.name for layer in layers]
    if not layers or len(set(names)) != len(names):
        raise BundleError(f"{NETWORK_FILE}: two layers have one name, or there is none")
    if sequential:
        layers = _chained(layers)
        entry, leave = Reference(names[0], 0), Reference(names[-1], 0)
    else:
        entry, leave = _single(config["input_layers"]), _left(config["output_layers"], layers)
    if [layer.name for layer in layers if layer.kind == "InputLayer"] != [entry.layer]:
        raise BundleError(f"{NETWORK_FILE}: a model does not have exactly one input")
    return Blueprint(config["name"], model["class_name"], layers, entry, leave)


def _chained(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Add the calls of a Sequential's layers, each on the output of the layer before."""
    befores = [(), *(((Reference(layer.name, 0),),) for layer in layers[:-1])]
    return tuple(
        Layer(layer.name, layer.kind, layer.settings, layer.build, calls, layer.inner)
        for layer, calls in zip(layers, befores, strict=True)
    )


def _layer(members: dict[str, Any]) -> Layer:
    settings = members["config"]
    kind = members["class_name"]
    build = (members.get("build_config") or {}).get("input_shape")
    inner = _blueprint(members) if "layers" in settings else None
    calls = tuple(_operands(node) for node in members.get("inbound_nodes", []))
    if members["module"] == "keras.src.ops.numpy":
        kind = kind.lower()
    if (
        not isinstance(settings["name"], str)
        or members.get("name", settings["name"]) != settings["name"]
    ):
        raise BundleError(
            f"{NETWORK_FILE}: a layer has no name, or two: {quoted(settings['name'])}"
        )
    return Layer(settings["name"], kind, settings, build, calls, inner)


def _operands(node: dict[str, Any]) -> tuple[Reference | Shape, ...]:
    """Parse the operands of one call; call options, which change a layer's output, are rejected."""
    if node.keys() != {"args", "kwargs"} or any(node["kwargs"].values()):
        raise BundleError(f"{NETWORK_FILE}: a layer is called with options that are not allowed")
    return tuple(_operand(argument) for argument in _flat(node["args"]))


def _flat(arguments: list[Any]) -> Iterator[Any]:
    for argument in arguments:
        if isinstance(argument, list):
            yield from _flat(argument)
        else:
            yield argument


def _operand(argument: Any) -> Reference | Shape:
    if isinstance(argument, dict) and argument["class_name"] == "__keras_tensor__":
        return _reference(argument["config"]["keras_history"])
    return constant_shape(argument)


def constant_shape(value: Any) -> Shape:
    """Return the shape of a number or of an encoded array.

    Raises:
        ValueError: the value is neither, or contains something other than numbers.
    """
    if isinstance(value, dict) and value["class_name"] in ("__numpy__", "__tensor__"):
        value = value["config"]["value"]
    array = np.asarray(value)
    if array.dtype.kind not in "fi":
        raise ValueError("a constant is not numbers")
    return array.shape


def _single(references: list[Any]) -> Reference:
    """Parse the single reference in `["x", 0, 0]` or `[["x", 0, 0]]`."""
    return _reference(references[0] if len(references) == 1 else references)


def _left(references: list[Any], layers: tuple[Layer, ...]) -> Reference:
    """Parse the reference to a model's output.

    Keras counts the calls of a nested Functional from 1 and all others from 0.
    """
    found = _single(references)
    functional = any(one.name == found.layer and one.kind == "Functional" for one in layers)
    return Reference(found.layer, found.call - functional)


def _reference(history: list[Any]) -> Reference:
    layer, call, tensor = history
    if not isinstance(layer, str) or type(call) is not int or tensor != 0:
        raise ValueError("a reference is not a layer's name, a call and 0")
    return Reference(layer, call)
