"""Checks from the bytes of `model.keras` that it fits the signature and has active dropout."""

from collections.abc import Sequence
from dataclasses import dataclass

from dubito.bundles.manifest import MANIFEST_FILE, NETWORK_FILE
from dubito.bundles.strict_json import strict_json
from dubito.bundles.validation.archive_members import read_members
from dubito.bundles.validation.config_graph import Blueprint, Layer, parse_blueprint
from dubito.bundles.validation.index_bounds import Bounds, check_indices
from dubito.bundles.validation.objects import quoted
from dubito.bundles.validation.own_layers import MONTE_CARLO, STRENGTHS
from dubito.bundles.validation.shape_inference import trace
from dubito.bundles.validation.weights import check_weights
from dubito.errors import BundleError, NetworkError
from dubito.numerics.noise import check_deviation
from dubito.numerics.rng import drop_levels
from dubito.targets import ClassTarget, Target

MOST_WEIGHTS = 64 * 2**20


@dataclass(frozen=True, slots=True)
class CheckedNetwork:
    """A network that passed all checks of its file."""

    blueprint: Blueprint
    weights: bytes
    """Content of `model.weights.h5`, as bytes."""
    weight_count: int
    work: int
    """Count of a pass' uses of all weights together."""


def check_network(network: bytes, features: Sequence[Bounds], target: Target) -> CheckedNetwork:
    """Check the bytes of `model.keras` against the bounds of the features and the target.

    Raises:
        BundleError: a check fails; the message names the first fault.
    """
    members = read_members(network)
    strict_json(members.metadata, f"{NETWORK_FILE}: metadata.json")
    blueprint = parse_blueprint(members.config)
    _check_doubt(blueprint)
    _check_input(blueprint, len(features))
    wiring = trace(blueprint, (len(features),))
    outputs = len(target.outputs)
    if wiring.output != (outputs,):
        shape = ", ".join(str(length) for length in wiring.output)
        wanted = (
            f"has {outputs} classes"
            if isinstance(target, ClassTarget)
            else f"describes a number with {outputs}, a head of kind {target.head}"
        )
        raise BundleError(
            f"{NETWORK_FILE}: the network outputs ({shape}) values a row, "
            f"but {MANIFEST_FILE} {wanted}"
        )
    if wiring.weights > MOST_WEIGHTS:
        raise BundleError(
            f"{NETWORK_FILE}: the network has {wiring.weights} weights, "
            f"more than the {MOST_WEIGHTS} allowed"
        )
    check_indices(blueprint, features)
    check_weights(members.weights, wiring.held)
    return CheckedNetwork(blueprint, members.weights, wiring.weights, wiring.work)


def _check_doubt(blueprint: Blueprint) -> None:
    """Check that there are Monte-Carlo layers and that each drops some units but not all."""
    layers = [layer for layer in blueprint.walk() if layer.kind in MONTE_CARLO]
    if not layers:
        raise BundleError(
            f"{NETWORK_FILE}: the network has no Monte-Carlo layer, so no uncertainty"
        )
    for layer in layers:
        _check_strength(layer)


def _check_strength(layer: Layer) -> None:
    if STRENGTHS[layer.kind] == "rate":
        _check_rate(layer)
        return
    deviation = layer.settings.get(STRENGTHS[layer.kind])
    named = f"{NETWORK_FILE}: the layer {quoted(layer.name)}"
    if isinstance(deviation, bool) or not isinstance(deviation, int | float):
        raise BundleError(f"{named} has no standard deviation")
    try:
        check_deviation(deviation)
    except NetworkError as error:
        raise BundleError(f"{named} is not served: {error}") from error


def _check_rate(layer: Layer) -> None:
    rate = layer.settings.get("rate")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
        raise BundleError(f"{NETWORK_FILE}: the rate of {quoted(layer.name)} is not from 0 to 1")
    try:
        drop_levels(rate)
    except NetworkError as error:
        fault = "would report no uncertainty at all" if rate < 0.5 else "would drop everything"
        raise BundleError(
            f"{NETWORK_FILE}: the layer {quoted(layer.name)} with its rate of {rate} {fault}"
        ) from error


def _check_input(blueprint: Blueprint, features: int) -> None:
    entry = next(layer for layer in blueprint.layers if layer.kind == "InputLayer")
    shape = entry.settings.get("batch_shape")
    if not isinstance(shape, list) or len(shape) != 2 or shape[0] is not None:
        raise BundleError(f"{NETWORK_FILE}: the input does not take rows of features")
    if shape[1] != features:
        raise BundleError(
            f"{NETWORK_FILE}: the input takes {str(shape[1])[:20]} features, "
            f"but {MANIFEST_FILE} has {features}"
        )
