"""Shape rules of layers over sequences `(steps, channels)`: convolution, pooling, dropout."""

from collections.abc import Sequence

from dubito.layer_shapes import Settings, Shape, Step, flag, one, setting, whole


def _pair(settings: Settings, name: str) -> int:
    """Return a setting of one spatial axis, written as `[k]` or `k`."""
    value = setting(settings, name)
    return whole(value[0] if isinstance(value, list) and len(value) == 1 else value, name)


def _length(settings: Settings, length: int, window: int) -> int:
    stride, padding = _pair(settings, "strides"), setting(settings, "padding")
    if padding in ("same", "causal"):
        return -(-length // stride)
    if padding != "valid" or window > length:
        raise ValueError("its window does not fit its input")
    return (length - window) // stride + 1


def _series(settings: Settings, shapes: Sequence[Shape]) -> tuple[int, int]:
    shape = one(shapes)
    if len(shape) != 2 or setting(settings, "data_format") != "channels_last":
        raise ValueError("its input is not steps of channels, channels last")
    return shape[0], shape[1]


def conv(settings: Settings, shapes: Sequence[Shape]) -> Step:
    """Infer Conv1D."""
    length, channels = _series(settings, shapes)
    kernel, filters = _pair(settings, "kernel_size"), whole(setting(settings, "filters"), "filters")
    groups = whole(setting(settings, "groups"), "groups")
    if channels % groups or filters % groups:
        raise ValueError("its groups do not divide its channels")
    window = (kernel - 1) * _pair(settings, "dilation_rate") + 1
    bias = ((filters,),) if flag(settings, "use_bias") else ()
    weights = ((kernel, channels // groups, filters), *bias)
    return Step((_length(settings, length, window), filters), weights)


def pool(settings: Settings, shapes: Sequence[Shape]) -> Step:
    """Infer average and maximum pooling over a window."""
    length, channels = _series(settings, shapes)
    return Step((_length(settings, length, _pair(settings, "pool_size")), channels))


def dropout(_settings: Settings, shapes: Sequence[Shape]) -> Step:
    """Infer dropout of whole channels."""
    shape = one(shapes)
    if len(shape) != 2:
        raise ValueError("its input is not steps of channels")
    return Step(shape)


def global_pool(settings: Settings, shapes: Sequence[Shape]) -> Step:
    """Infer average and maximum pooling over all steps."""
    _, channels = _series(settings, shapes)
    return Step((1, channels) if flag(settings, "keepdims") else (channels,))
