"""Dubito's own Keras layers as files contain them: settings, shapes and modules, without Keras."""

from collections.abc import Sequence

from dubito.bundles.validation import spatial
from dubito.domains import DomainLayer
from dubito.layer_shapes import (
    LayerSettings,
    LayerShape,
    Shape,
    broadcast_into,
    one,
    setting,
    whole_setting,
)
from dubito.numerics.encoding import INPUT_KINDS, Encoding, InputEncoding
from dubito.numerics.kernels import Fill

MODULE = "dubito.layers"
"""Module that files name for Dubito's own layers."""
MOST_SLOTS = 100_000
"""Largest number of slots of one category."""


def _dropout(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer dropout; `noise_shape` must not contain the batch, as a mask belongs to one pass."""
    shape = one(shapes)
    noise = setting(settings, "noise_shape") or [None] * (len(shape) + 1)
    own = [size or length for size, length in zip(noise[1:], shape, strict=True)]
    if noise[0] not in (None, 1):
        raise ValueError("its noise_shape holds the batch")
    broadcast_into(tuple(whole_setting(size, "noise_shape") for size in own), shape)
    return LayerShape(shape)


def _same(_settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    return LayerShape(one(shapes))


def _impute(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    _check_values(settings, one(shapes)[-1])
    return LayerShape(one(shapes))


def _check_values(settings: LayerSettings, columns: int) -> None:
    values = setting(settings, "values")
    if any(value is not None and type(value) not in (int, float) for value in values):
        raise ValueError("its values are not numbers")
    if len(values) != columns:
        raise ValueError(f"it has {len(values)} values for {columns} columns")


def _encode(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    shape = one(shapes)
    _check_values(settings, shape[-1])
    kinds, slots = setting(settings, "kinds"), setting(settings, "slots")
    if len(kinds) != shape[-1] or any(kind not in INPUT_KINDS for kind in kinds):
        raise ValueError(f"its kinds are not one of {', '.join(INPUT_KINDS)} for each column")
    if len(slots) != shape[-1]:
        raise ValueError(f"it has slots for {len(slots)} of {shape[-1]} columns")
    for kind, count in zip(kinds, slots, strict=True):
        least = int(kind == "category")
        if whole_setting(count, "slots", least) > least * MOST_SLOTS:
            raise ValueError("its slots are those of a number, or too many")
    return LayerShape((*shape[:-1], sum(len(one.outputs) for one in _inputs(settings))))


def _inputs(settings: LayerSettings) -> list[InputEncoding]:
    named = zip(settings["kinds"], settings["slots"], settings["values"], strict=True)
    return [InputEncoding(*one) for one in named]


def _encoded(settings: LayerSettings, dtype: str) -> Encoding:
    return Encoding.of(_inputs(settings), dtype)


def _filled(settings: LayerSettings, dtype: str) -> Fill:
    return Fill.of(settings["values"], dtype)


_OLD = ("app.network.mc",)
MONTE_CARLO = {
    "MCDropout": DomainLayer("rate seed noise_shape", _dropout, _OLD),
    "MCAlphaDropout": DomainLayer("rate seed noise_shape", _dropout, _OLD),
    "MCSpatialDropout1D": DomainLayer("rate seed", spatial.dropout, _OLD),
    "MCGaussianDropout": DomainLayer("rate seed", _same, _OLD),
}
"""Layers that are random in a prediction, by class name."""
OWN_LAYERS = MONTE_CARLO | {
    "Impute": DomainLayer("values", _impute, ("app.network.impute",), _filled),
    "Encode": DomainLayer("kinds slots values", _encode, (), _encoded),
}
"""All layers of `dubito.layers`, by class name; bundles of before version 0.4 name old modules."""
