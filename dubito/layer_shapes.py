"""A step of one layer: from the shapes it is given to its output and its weights.

Shapes are without the batch axis. What does not fit raises ValueError.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Shape = tuple[int, ...]
MOST = 2**31 - 1


class Step(NamedTuple):
    """The shape a layer gives, and those of its weights in the order Keras saves them."""

    output: Shape
    weights: tuple[Shape, ...] = ()


Settings = dict[str, Any]
Rule = Callable[[Settings, Sequence[Shape]], Step]


def whole(value: Any, name: str, least: int = 1) -> int:
    """A whole number of at least `least`."""
    if type(value) is not int or not least <= value <= MOST:
        raise ValueError(f"its {name} is not a whole number from {least} to {MOST}")
    return value


def setting(settings: Settings, name: str) -> Any:
    """One setting, which must be there."""
    if name not in settings:
        raise ValueError(f"it has no {name}")
    return settings[name]


def flag(settings: Settings, name: str) -> bool:
    """One setting that is true or false."""
    value = setting(settings, name)
    if value is True or value is False:
        return bool(value)
    raise ValueError(f"{name} is not true or false")


def axis_of(value: Any, shape: Shape) -> int:
    """The position in `shape` of an axis that Keras counts with the batch axis."""
    rank = len(shape) + 1
    if type(value) is not int or not -rank <= value < rank or value % rank == 0:
        raise ValueError("its axis is not one of its input's")
    return value % rank - 1


def one(shapes: Sequence[Shape]) -> Shape:
    """The shape of a single input."""
    if len(shapes) != 1:
        raise ValueError(f"it takes one input, not {len(shapes)}")
    return shapes[0]
