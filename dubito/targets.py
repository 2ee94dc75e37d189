"""Targets of a bundle: what it predicts, and what each output of its network stands for.

A network answers `C` numbers a row. For classes they are probabilities that sum to 1. For a number
they depend on the head, in the number's unit: the value itself (`point`); mean and variance of a
normal distribution (`normal`); or three quantiles in ascending order (`quantiles`), whose middle
one is the value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dubito.errors import UsageError
from dubito.features import FeatureStats

NumberHead = Literal["point", "normal", "quantiles"]

HEAD_OUTPUTS: Mapping[NumberHead, tuple[str, ...]] = {
    "point": ("value",),
    "normal": ("value", "variance"),
    "quantiles": ("lower", "value", "upper"),
}
"""Names of the outputs of each head, in the network's order."""
VALUE = "value"
QUANTILES = 3
"""Number of levels of a head of quantiles."""


@dataclass(frozen=True, slots=True)
class ClassTarget:
    """One of several classes."""

    classes: tuple[str, ...]
    """`(C,)` class names, in the order of the network's outputs."""
    is_ordered: bool = True
    """Whether the order of the classes means something, as that of grades does."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network's outputs, the classes."""
        return self.classes


@dataclass(frozen=True, slots=True)
class NumberTarget:
    """A number, with the statistics of its true values in the training data."""

    name: str
    title: str
    aliases: tuple[str, ...]
    """Other headers of the number's column in a table."""
    unit: str
    head: NumberHead
    levels: tuple[float, ...]
    """Levels of the three quantiles, ascending; empty for other heads."""
    std: float
    """Population standard deviation of the true values, above 0: the scale of what is small."""
    seen: FeatureStats

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network's outputs."""
        return HEAD_OUTPUTS[self.head]

    @property
    def value_column(self) -> int:
        """Index of the output that is the value."""
        return self.outputs.index(VALUE)

    @property
    def unit_columns(self) -> tuple[int, ...]:
        """Indices of the outputs that are in the number's unit: all but a variance."""
        return tuple(at for at, name in enumerate(self.outputs) if name != "variance")


Target = ClassTarget | NumberTarget


def class_target(target: Target) -> ClassTarget:
    """Return a target of classes.

    Raises:
        UsageError: it is a number.
    """
    if not isinstance(target, ClassTarget):
        raise UsageError("the bundle predicts a number, not classes")
    return target


def number_target(target: Target) -> NumberTarget:
    """Return a target that is a number.

    Raises:
        UsageError: it is classes.
    """
    if not isinstance(target, NumberTarget):
        raise UsageError("the bundle predicts classes, not a number")
    return target


def level_fault(head: NumberHead, levels: Sequence[float]) -> str | None:
    """Return what is wrong with the levels of a head, as a part of a sentence; None if nothing."""
    if head != "quantiles":
        return f"is given, but a head of kind {head} has none" if levels else None
    if len(levels) == QUANTILES and 0 < levels[0] < levels[1] < levels[2] < 1:
        return None
    return f"is not {QUANTILES} levels between 0 and 1 in ascending order"
