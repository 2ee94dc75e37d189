"""Reads a checked network as a program of NumPy kernels, without Keras.

The program is the one that `dubito.engine.compiler` makes of the same file with Keras: steps are in
Keras' order, which gives the Monte-Carlo calls their ordinals in the random stream.
"""

import io
from collections import defaultdict
from collections.abc import Iterator, Sequence

import h5py
import numpy as np

from dubito.bundles.validation.config_graph import Blueprint, Layer, Reference
from dubito.bundles.validation.own_layers import MONTE_CARLO, OWN_LAYERS, STRENGTHS
from dubito.bundles.validation.shape_inference import weight_paths
from dubito.bundles.validation.shapes import rule_of
from dubito.bundles.validation.soundness import CheckedNetwork
from dubito.domains import domains
from dubito.engine.lowering import LayerRecord, kernel_of
from dubito.engine.program import SOURCE, Operation, Program
from dubito.layer_shapes import Shape
from dubito.numerics.kernels import Array, FormulaFunction, Kernel
from dubito.numerics.noise import (
    AlphaDropout,
    Call,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    Noise,
)

NOISES: dict[str, type[Noise]] = {
    "MCDropout": Dropout,
    "MCAlphaDropout": AlphaDropout,
    "MCSpatialDropout1D": Dropout,
    "MCSpatialDropout2D": Dropout,
    "MCGaussianDropout": GaussianDropout,
    "MCGaussianNoise": GaussianNoise,
}
"""Noise of each Monte-Carlo layer, by class name."""


def read_programs(networks: Sequence[CheckedNetwork]) -> tuple[Program, ...]:
    """Translate checked networks to kernels; none if a layer of one has none."""
    programs = tuple(read_program(network) for network in networks)
    return tuple(one for one in programs if one is not None) if all(programs) else ()


def read_program(checked: CheckedNetwork) -> Program | None:
    """Translate a checked network to kernels; None if one of its layers has none."""
    with h5py.File(io.BytesIO(checked.weights), "r") as file:
        reader = _Reader(file, checked.blueprint)
        try:
            result = reader.add(checked.blueprint, SOURCE, "")
        except _NoKernel:
            return None
    outlet = reader.operations[-1]
    if outlet.output != result or not outlet.random or reader.is_operator:
        return None
    return Program(
        operations=tuple(reader.operations),
        calls=tuple(reader.calls),
        result=result,
        shape=(reader.shapes[SOURCE][0], reader.shapes[result][0]),
        dtype=reader.dtype,
        result_dtype=outlet.dtype,
    )


class _NoKernel(Exception):
    """A layer has no kernel."""


class _Reader:
    """Collects operations; nested models call `add` again with the slot they are called on."""

    def __init__(self, file: h5py.File, blueprint: Blueprint) -> None:
        self._file = file
        entry = next(one for one in blueprint.layers if one.name == blueprint.entry.layer)
        self.dtype = _dtype(entry, "float32")
        self.operations: list[Operation] = []
        self.calls: list[Call] = []
        self.shapes: dict[int, Shape] = {SOURCE: tuple(entry.settings["batch_shape"][1:])}
        self.is_operator = False
        """Whether the last operation is an operator, whose dtype depends on its inputs'."""
        self._random: set[int] = set()

    def add(self, blueprint: Blueprint, source: int, path: str) -> int:
        """Add a model's operations, whose weights are below `path`; return the output's slot."""
        layers = {layer.name: layer for layer in blueprint.layers}
        paths = weight_paths(blueprint, path)
        slots = {blueprint.entry: source}
        for reference in keras_order(blueprint):
            layer = layers[reference.layer]
            operands = layer.calls[reference.call]
            inputs = tuple(slots[one] for one in operands if isinstance(one, Reference))
            if len(inputs) < len(operands):
                raise _NoKernel
            slots[reference] = (
                self._step(layer, inputs, paths[layer.name])
                if layer.inner is None
                else self.add(layer.inner, inputs[0], paths[layer.name])
            )
        return slots[blueprint.exit]

    def _step(self, layer: Layer, inputs: tuple[int, ...], path: str) -> int:
        shapes = tuple(self.shapes[slot] for slot in inputs)
        made = rule_of(layer.kind)(layer.settings, shapes)
        run: Kernel | Call
        if layer.kind in MONTE_CARLO:
            run = self._call(layer, shapes[0])
        else:
            run = self._kernel(layer, shapes, path, len(made.weights))
        output = len(self.shapes)
        is_random = isinstance(run, Call) or not self._random.isdisjoint(inputs)
        self.operations.append(
            Operation(
                run=run,
                inputs=inputs,
                output=output,
                dtype=_dtype(layer, self.dtype),
                random=is_random,
                shape=made.output,
            )
        )
        self.shapes[output] = made.output
        self.is_operator = layer.kind.islower()
        self._random |= {output} if is_random else set()
        return output

    def _call(self, layer: Layer, shape: Shape) -> Call:
        units = shape
        if layer.kind.startswith("MCSpatialDropout"):
            units = (*(1,) * (len(shape) - 1), shape[-1])
        elif (noise := layer.settings.get("noise_shape")) is not None:
            units = tuple(own or size for own, size in zip(noise[1:], shape, strict=True))
        noise_of = NOISES[layer.kind](float(layer.settings[STRENGTHS[layer.kind]]))
        self.calls.append(Call(len(self.calls), noise_of, units))
        return self.calls[-1]

    def _kernel(self, layer: Layer, shapes: tuple[Shape, ...], path: str, weights: int) -> Kernel:
        dtype = _dtype(layer, self.dtype)
        read = tuple(self._weight(f"{path}vars/{at}", dtype) for at in range(weights))
        formula = _formula(layer, dtype)
        record = LayerRecord(layer.kind, layer.settings, read, dtype, shapes, formula)
        try:
            kernel = kernel_of(record)
        except KeyError:
            # Keras has a default for a setting that the file leaves out.
            kernel = None
        if kernel is None:
            raise _NoKernel
        return kernel

    def _weight(self, path: str, dtype: str) -> Array:
        return np.asarray(self._file[path][()], dtype)


def _dtype(layer: Layer, otherwise: str) -> str:
    """Return the dtype of a layer's arithmetic; `otherwise` for an operator, which has none."""
    policy = layer.settings.get("dtype", otherwise)
    return str(policy["config"]["name"] if isinstance(policy, dict) else policy)


def _formula(layer: Layer, dtype: str) -> FormulaFunction | None:
    """Make the formula of one of Dubito's layers or a domain's; None for a layer of Keras."""
    known = [OWN_LAYERS, *(domain.layers for domain in domains())]
    own = next((layers[layer.kind] for layers in known if layer.kind in layers), None)
    if own is None:
        return None
    if own.formula is None:
        raise _NoKernel
    return own.formula(layer.settings, dtype)


def keras_order(blueprint: Blueprint) -> Iterator[Reference]:
    """Yield a model's calls as Keras orders them: by depth, then by the order of the layers.

    The depth of a call is the length of the longest way to the output, or that of another call of
    its layer if it was found to be greater before.
    """
    calls = {
        Reference(layer.name, at): [one for one in operands if isinstance(one, Reference)]
        for layer in blueprint.layers
        for at, operands in enumerate(layer.calls)
    }
    depths: dict[Reference, int] = {}
    of_layers: dict[str, int] = defaultdict(int)
    for reference in reversed(_visited(blueprint.exit, calls)):
        depth = max(depths.get(reference, 0), of_layers[reference.layer])
        depths[reference] = of_layers[reference.layer] = depth
        for operand in calls.get(reference, ()):
            depths[operand] = max(depths.get(operand, 0), depth + 1)
    place = {layer.name: at for at, layer in enumerate(blueprint.layers)}
    found = [reference for reference in calls if reference in depths]
    yield from sorted(found, key=lambda one: (-depths[one], place[one.layer], one.call))


def _visited(outlet: Reference, calls: dict[Reference, list[Reference]]) -> list[Reference]:
    """List the calls that a depth-first search from the output leaves, in the order it does so."""
    left: dict[Reference, None] = {}
    entered: set[Reference] = set()
    waiting = [outlet]
    while waiting:
        reference = waiting[-1]
        if reference not in entered:
            entered.add(reference)
            waiting += [one for one in reversed(calls.get(reference, [])) if one not in entered]
        else:
            waiting.pop()
            left.setdefault(reference)
    return list(left)
