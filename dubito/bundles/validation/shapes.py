"""Shape rules of the allowed layers: output and weight shapes from settings and input shapes.

Shapes are without the batch axis; the rules are those of Keras' `build` and
`compute_output_shape`. A rule raises ValueError for settings or shapes that do not fit.
"""

import math
from collections.abc import Sequence

import numpy as np

from dubito.bundles.validation import spatial
from dubito.bundles.validation.config_graph import constant_shape
from dubito.bundles.validation.own_layers import OWN_LAYERS
from dubito.domains import domains
from dubito.layer_shapes import (
    LayerSettings,
    LayerShape,
    Shape,
    ShapeRule,
    axis_of,
    bool_setting,
    broadcast_into,
    one,
    setting,
    whole_setting,
)

MOST_AXES = 6


def _same(_settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    return LayerShape(one(shapes))


def _along(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer Softmax and UnitNormalization, whose axis must not be the batch axis."""
    _axes(settings, one(shapes))
    return LayerShape(one(shapes))


def _dense(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    shape, units = one(shapes), whole_setting(setting(settings, "units"), "units")
    bias = ((units,),) if bool_setting(settings, "use_bias") else ()
    weights = ((shape[-1], units), *bias)
    return LayerShape((*shape[:-1], units), weights, math.prod(shape[:-1]))


def _axes(settings: LayerSettings, shape: Shape) -> Shape:
    value = setting(settings, "axis")
    chosen = [axis_of(axis, shape) for axis in (value if isinstance(value, list) else [value])]
    return tuple(shape[axis] for axis in sorted(chosen))


def _affine(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer LayerNormalization and GroupNormalization."""
    shape = one(shapes)
    own = _axes(settings, shape)
    groups = whole_setting(settings.get("groups", -1), "groups", -1)
    if groups == 0 or own[0] % groups:
        raise ValueError(f"its {groups} groups do not divide its input")
    if settings.get("rms_scaling"):
        return LayerShape(shape, (own,))
    return LayerShape(
        shape, (own,) * (bool_setting(settings, "scale") + bool_setting(settings, "center"))
    )


def _batch_norm(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    shape = one(shapes)
    own = (shape[axis_of(setting(settings, "axis"), shape)],)
    return LayerShape(
        shape, (own,) * (2 + bool_setting(settings, "scale") + bool_setting(settings, "center"))
    )


def _normalization(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    shape = one(shapes)
    own = _axes(settings, shape)
    mean, variance = setting(settings, "mean"), setting(settings, "variance")
    if mean is None and variance is None:
        return LayerShape(shape, (own, own, ()))
    for given in (mean, variance):
        broadcast_into(constant_shape(given), own)
    return LayerShape(shape)


def _rescaling(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    for name in ("scale", "offset"):
        broadcast_into(constant_shape(setting(settings, name)), one(shapes))
    return LayerShape(one(shapes))


def _prelu(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    shape = one(shapes)
    own = list(shape)
    for axis in setting(settings, "shared_axes") or ():
        own[axis_of(axis, shape)] = 1
    return LayerShape(shape, (tuple(own),))


def _merge(_settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    if len(shapes) < 2 or len({len(shape) for shape in shapes}) != 1:
        raise ValueError("its inputs do not have as many axes as each other")
    return LayerShape(np.broadcast_shapes(*shapes))


def _operator(_settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    if len(shapes) != 2:
        raise ValueError("it does not have two operands")
    return LayerShape(np.broadcast_shapes(*shapes))


def _concatenate(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    first = shapes[0]
    axis = axis_of(setting(settings, "axis"), first)
    rests = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(shapes) < 2 or len(rests) != 1 or {len(shape) for shape in shapes} != {len(first)}:
        raise ValueError("its inputs do not fit together")
    joined = sum(shape[axis] for shape in shapes)
    return LayerShape((*first[:axis], joined, *first[axis + 1 :]))


def _flatten(_settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    return LayerShape((math.prod(one(shapes)),))


def _reshape(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    size = math.prod(one(shapes))
    target = [
        whole_setting(length, "target_shape", -1) for length in setting(settings, "target_shape")
    ]
    known = math.prod(length for length in target if length != -1)
    if target.count(-1) == 1 and known > 0 and size % known == 0:
        target[target.index(-1)] = size // known
    if not 0 < len(target) <= MOST_AXES or min(target) < 1 or math.prod(target) != size:
        raise ValueError("its input does not have as many values as its target shape")
    return LayerShape(tuple(target))


def _permute(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    shape, order = one(shapes), setting(settings, "dims")
    if sorted(order) != list(range(1, len(shape) + 1)):
        raise ValueError("its order is not one of its input's axes")
    return LayerShape(tuple(shape[axis - 1] for axis in order))


def _repeat(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    (width,) = one(shapes)
    return LayerShape((whole_setting(setting(settings, "n"), "n"), width))


def _embedding(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    table = tuple(
        whole_setting(setting(settings, name), name) for name in ("input_dim", "output_dim")
    )
    return LayerShape((*one(shapes), table[1]), (table,))


RULES: dict[str, ShapeRule] = {
    "Embedding": _embedding,
    "Dense": _dense,
    "PReLU": _prelu,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _affine,
    "GroupNormalization": _affine,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    "Softmax": _along,
    "UnitNormalization": _along,
    "Concatenate": _concatenate,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat,
}
RULES |= spatial.RULES
RULES |= dict.fromkeys(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), _merge)
RULES |= dict.fromkeys(("add", "subtract", "multiply"), _operator)
RULES |= dict.fromkeys(
    (
        "Activation",
        "ReLU",
        "LeakyReLU",
        "ELU",
        "ActivityRegularization",
        "Identity",
    ),
    _same,
)


def rule_of(kind: str) -> ShapeRule:
    """Return the shape rule of an allowed layer class, Dubito's or a domain's."""
    if kind in RULES:
        return RULES[kind]
    if kind in OWN_LAYERS:
        return OWN_LAYERS[kind].shape
    return next(found.layers[kind].shape for found in domains() if kind in found.layers)
