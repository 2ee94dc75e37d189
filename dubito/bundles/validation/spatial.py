"""Shape rules of layers over sequences `(steps, channels)`: convolution, pooling, dropout."""

from collections.abc import Sequence

from dubito.layer_shapes import (
    LayerSettings,
    LayerShape,
    Shape,
    bool_setting,
    one,
    setting,
    whole_setting,
)


def _pair(settings: LayerSettings, name: str) -> int:
    """Return a setting of one spatial axis, written as `[k]` or `k`."""
    value = setting(settings, name)
    return whole_setting(value[0] if isinstance(value, list) and len(value) == 1 else value, name)


def _length(settings: LayerSettings, length: int, window: int) -> int:
    stride, padding = _pair(settings, "strides"), setting(settings, "padding")
    if padding in ("same", "causal"):
        return -(-length // stride)
    if padding != "valid" or window > length:
        raise ValueError("its window does not fit its input")
    return (length - window) // stride + 1


def _series(settings: LayerSettings, shapes: Sequence[Shape]) -> tuple[int, int]:
    shape = one(shapes)
    if len(shape) != 2 or setting(settings, "data_format") != "channels_last":
        raise ValueError("its input is not steps of channels, channels last")
    return shape[0], shape[1]


def conv(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer Conv1D."""
    length, channels = _series(settings, shapes)
    kernel, filters = (
        _pair(settings, "kernel_size"),
        whole_setting(setting(settings, "filters"), "filters"),
    )
    groups = whole_setting(setting(settings, "groups"), "groups")
    if channels % groups or filters % groups:
        raise ValueError("its groups do not divide its channels")
    window = (kernel - 1) * _pair(settings, "dilation_rate") + 1
    bias = ((filters,),) if bool_setting(settings, "use_bias") else ()
    weights = ((kernel, channels // groups, filters), *bias)
    return LayerShape((_length(settings, length, window), filters), weights)


def pool(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer average and maximum pooling over a window."""
    length, channels = _series(settings, shapes)
    return LayerShape((_length(settings, length, _pair(settings, "pool_size")), channels))


def dropout(_settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer dropout of whole channels."""
    shape = one(shapes)
    if len(shape) != 2:
        raise ValueError("its input is not steps of channels")
    return LayerShape(shape)


def global_pool(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer average and maximum pooling over all steps."""
    _, channels = _series(settings, shapes)
    return LayerShape((1, channels) if bool_setting(settings, "keepdims") else (channels,))
