"""Types and helpers of the rules that infer a layer's output and weight shapes from its settings.

A rule maps a layer's settings and input shapes to its output and weight shapes. Shapes are without
the batch axis. Every function here raises ValueError for invalid settings or shapes.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Shape = tuple[int, ...]
MOST = 2**31 - 1


class LayerShape(NamedTuple):
    """Output shape of a layer, its weights' shapes in the order of Keras, and their uses."""

    output: Shape
    weights: tuple[Shape, ...] = ()
    uses: int = 1
    """Count of a pass' uses of each weight: one for each step or place."""


LayerSettings = dict[str, Any]
ShapeRule = Callable[[LayerSettings, Sequence[Shape]], LayerShape]


def whole_setting(value: Any, name: str, least: int = 1) -> int:
    """Return a setting's value after checking that it is a whole number of at least `least`."""
    if type(value) is not int or not least <= value <= MOST:
        raise ValueError(f"its {name} is not a whole number from {least} to {MOST}")
    return value


def setting(settings: LayerSettings, name: str) -> Any:
    """Return the value of a required setting."""
    if name not in settings:
        raise ValueError(f"it has no {name}")
    return settings[name]


def bool_setting(settings: LayerSettings, name: str) -> bool:
    """Return the value of a required setting that is true or false."""
    value = setting(settings, name)
    if value is True or value is False:
        return bool(value)
    raise ValueError(f"{name} is not true or false")


def axis_of(value: Any, shape: Shape) -> int:
    """Convert an axis, which Keras counts with the batch axis, to its position in `shape`."""
    rank = len(shape) + 1
    if type(value) is not int or not -rank <= value < rank or value % rank == 0:
        raise ValueError("its axis is not an axis of its input")
    return value % rank - 1


def one(shapes: Sequence[Shape]) -> Shape:
    """Return the shape of a layer's only input."""
    if len(shapes) != 1:
        raise ValueError(f"it takes one input, not {len(shapes)}")
    return shapes[0]


def broadcast_into(given: Shape, shape: Shape) -> None:
    """Check that a constant's shape can be broadcast to another shape.

    Raises:
        ValueError: it cannot be.
    """
    if len(given) > len(shape) or np.broadcast_shapes(given, shape) != shape:
        raise ValueError("its constants do not fit its input")
