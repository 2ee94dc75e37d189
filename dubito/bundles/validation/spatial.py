"""Shape rules of layers over one or two axes in space or time, channels last.

They are convolution, pooling and dropout of `(steps, channels)` and `(height, width, channels)`.
"""

import math
from collections.abc import Sequence
from functools import partial

from dubito.layer_shapes import (
    LayerSettings,
    LayerShape,
    Shape,
    ShapeRule,
    bool_setting,
    one,
    setting,
    whole_setting,
)

NOUNS = {1: "steps of channels", 2: "height and width of channels"}
"""Noun for an input, by its number of axes besides the channels."""


def _lengths(settings: LayerSettings, name: str, axes: int) -> Shape:
    """Return a setting of each axis, written as `[k, …]` or one `k` for all."""
    value = setting(settings, name)
    listed = value if isinstance(value, list) else [value] * axes
    if len(listed) != axes:
        raise ValueError(f"its {name} is not of {axes} axes")
    return tuple(whole_setting(length, name) for length in listed)


def _shrunk(settings: LayerSettings, lengths: Shape, windows: Shape) -> Shape:
    """Return the lengths of the output for windows that move along the axes."""
    strides, padding = _lengths(settings, "strides", len(lengths)), setting(settings, "padding")
    if padding in ("same", "causal"):
        return tuple(-(-length // stride) for length, stride in zip(lengths, strides, strict=True))
    if padding != "valid" or any(w > length for w, length in zip(windows, lengths, strict=True)):
        raise ValueError("its window does not fit its input")
    moved = zip(lengths, windows, strides, strict=True)
    return tuple((length - window) // stride + 1 for length, window, stride in moved)


def _axes(settings: LayerSettings, shapes: Sequence[Shape], axes: int) -> tuple[Shape, int]:
    """Return the lengths of an input's axes, and its channels."""
    shape = one(shapes)
    if len(shape) != axes + 1 or setting(settings, "data_format") != "channels_last":
        raise ValueError(f"its input is not {NOUNS[axes]}, channels last")
    return shape[:-1], shape[-1]


def _conv(axes: int, settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    lengths, channels = _axes(settings, shapes, axes)
    kernel = _lengths(settings, "kernel_size", axes)
    filters = whole_setting(setting(settings, "filters"), "filters")
    groups = whole_setting(setting(settings, "groups"), "groups")
    if channels % groups or filters % groups:
        raise ValueError("its groups do not divide its channels")
    dilations = _lengths(settings, "dilation_rate", axes)
    windows = tuple((own - 1) * apart + 1 for own, apart in zip(kernel, dilations, strict=True))
    bias = ((filters,),) if bool_setting(settings, "use_bias") else ()
    weights = ((*kernel, channels // groups, filters), *bias)
    places = _shrunk(settings, lengths, windows)
    return LayerShape((*places, filters), weights, math.prod(places))


def _pool(axes: int, settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    lengths, channels = _axes(settings, shapes, axes)
    windows = _lengths(settings, "pool_size", axes)
    return LayerShape((*_shrunk(settings, lengths, windows), channels))


def _global_pool(axes: int, settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    _, channels = _axes(settings, shapes, axes)
    kept = (1,) * axes if bool_setting(settings, "keepdims") else ()
    return LayerShape((*kept, channels))


def _dropout(axes: int, _settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer dropout of whole channels."""
    shape = one(shapes)
    if len(shape) != axes + 1:
        raise ValueError(f"its input is not {NOUNS[axes]}")
    return LayerShape(shape)


def _rules(axes: int) -> dict[str, ShapeRule]:
    pool, over = partial(_pool, axes), partial(_global_pool, axes)
    return {
        f"Conv{axes}D": partial(_conv, axes),
        f"AveragePooling{axes}D": pool,
        f"MaxPooling{axes}D": pool,
        f"GlobalAveragePooling{axes}D": over,
        f"GlobalMaxPooling{axes}D": over,
    }


RULES: dict[str, ShapeRule] = _rules(1) | _rules(2)
"""Rules of Keras' own layers, by class name."""
DROPOUTS: dict[str, ShapeRule] = {
    f"MCSpatialDropout{axes}D": partial(_dropout, axes) for axes in NOUNS
}
"""Rules of Monte-Carlo dropout of whole channels, by class name."""
