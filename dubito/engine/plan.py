"""Plans: networks as steps in topological order, which compilation and backends read."""

from dataclasses import dataclass
from typing import Any

from dubito.numerics.noise import Call


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One call of one layer, which reads slots and writes one."""

    layer: Any
    inputs: tuple[int, ...]
    output: int
    call: Call | None
    """The Monte-Carlo call, if the layer is one; otherwise None."""
    random: bool
    """Whether the output differs between passes."""
    shape: tuple[int, ...]
    """Shape of one pass' output."""
    dtype: str
    """Dtype of the output."""
    listed: bool
    """Whether the layer takes its inputs as one list."""
    shapes: tuple[tuple[int, ...], ...]
    """Shapes of the inputs, without the batch axis."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A network as steps in topological order."""

    steps: tuple[PlanStep, ...]
    result: int
    """Slot that holds the probabilities."""
    features: int
    classes: int
    dtype: str
    """Dtype of the network's input."""
    calls: tuple[Call, ...]
    """Calls of Monte-Carlo layers, in order of their ordinals."""

    @property
    def result_dtype(self) -> str:
        """Dtype of the network's output."""
        return self._last.dtype

    @property
    def outlet(self) -> Any:
        """Layer that computes the probabilities, also if it is in a nested model."""
        return self._last.layer

    @property
    def _last(self) -> PlanStep:
        (step,) = (step for step in self.steps if step.output == self.result)
        return step
