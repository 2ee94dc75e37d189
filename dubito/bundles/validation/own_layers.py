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
from dubito.numerics.kernels import Fill

MODULE = "dubito.layers"
"""Module that files name for Dubito's own layers."""


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
    values = setting(settings, "values")
    if any(value is not None and type(value) not in (int, float) for value in values):
        raise ValueError("its values are not numbers")
    if len(values) != one(shapes)[-1]:
        raise ValueError(f"it has {len(values)} values for {one(shapes)[-1]} columns")
    return LayerShape(one(shapes))


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
    "Impute": DomainLayer("values", _impute, ("app.network.impute",), _filled)
}
"""All layers of `dubito.layers`, by class name; bundles of before version 0.4 name old modules."""
