"""Folds a calibration temperature into a network's weights, so that the file is calibrated."""

from typing import Any

import keras
import numpy as np

from dubito.engine.compiler.flattening import flatten
from dubito.engine.plan import Plan, PlanStep
from dubito.errors import NetworkError
from dubito.training.binary import NAME

SQUASHING = (keras.activations.softmax, keras.activations.sigmoid)
"""Activations that turn logits into probabilities."""


PASSING = (keras.layers.Identity, keras.layers.Flatten, keras.layers.Reshape)
"""Layers that change no number."""


def fold(model: keras.Model, temperature: float) -> None:
    """Divide the last layer's logits by `temperature`, in place (Guo et al. 2017, equation 9).

    Raises:
        NetworkError: the output layer has neither logits nor a temperature.
    """
    laid = flatten(model)
    last = laid.outlet
    if hasattr(last, "temperature"):
        last.temperature = float(last.temperature * temperature)
        return
    layer = _logits(laid)
    if layer is None:
        raise NetworkError(f"the last layer, {last.name}, has no logits that could be divided")
    layer.set_weights([np.asarray(weight) / temperature for weight in layer.get_weights()])


def _logits(laid: Plan) -> Any:
    """Return the Dense layer whose only use is to compute the logits; None if there is none."""
    step = _before(laid, laid.result)
    if step is not None and step.layer.name == NAME:
        step = _before(laid, *step.inputs)
    if step is not None and not isinstance(step.layer, keras.layers.Dense) and _squashes(step):
        step = _before(laid, *step.inputs)
        is_linear = step is not None and _activation(step) is keras.activations.linear
    else:
        is_linear = step is not None and _squashes(step)
    if step is None or not is_linear or not isinstance(step.layer, keras.layers.Dense):
        return None
    calls = sum(other.layer is step.layer for other in laid.steps)
    return step.layer if calls == 1 else None


def answers_probabilities(laid: Plan) -> bool:
    """Whether a network ends with a softmax or a sigmoid, behind which nothing else computes."""
    step = _before(laid, laid.result)
    while step is not None and _passes_on(step):
        step = _before(laid, *step.inputs)
    return step is not None and _squashes(step)


def _passes_on(step: PlanStep) -> bool:
    """Whether a step gives the numbers that it gets, in a shape of its own perhaps."""
    is_linear = isinstance(step.layer, keras.layers.Activation) and (
        _activation(step) is keras.activations.linear
    )
    return is_linear or isinstance(step.layer, PASSING)


def _before(laid: Plan, slot: int) -> PlanStep | None:
    """Return the step that writes to a slot, if any."""
    return next((step for step in laid.steps if step.output == slot), None)


def _squashes(step: PlanStep) -> bool:
    return isinstance(step.layer, keras.layers.Softmax) or _activation(step) in SQUASHING


def _activation(step: PlanStep) -> Any:
    return getattr(step.layer, "activation", None)
