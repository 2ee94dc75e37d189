"""Lowering: translates Keras layers to NumPy kernels, and a plan to a program of them."""

from collections.abc import Callable, Container
from typing import Any

import keras
import numpy as np

from dubito.engine.plan import Plan, PlanStep
from dubito.engine.program import Operation, Program
from dubito.layers.formula import FormulaLayer
from dubito.numerics.kernels import (
    ACTIVATION_KERNELS,
    Affine,
    Dense,
    Formula,
    Kernel,
    Merge,
    Standardize,
    concatenate,
    linear,
    relu,
    softmax,
)


def program_of(plan: Plan) -> Program | None:
    """Translate a plan to NumPy functions; None if one of its layers has no kernel."""
    runs = [step.call or kernel_of(step.layer) for step in plan.steps]
    operations = tuple(
        Operation(run, step.inputs, step.output, _dtype(step, plan), step.random, step.units)
        for step, run in zip(plan.steps, runs, strict=True)
        if run is not None
    )
    if len(operations) < len(plan.steps):
        return None
    return Program(
        operations=operations,
        calls=plan.calls,
        result=plan.result,
        shape=(plan.features, plan.classes),
        dtype=plan.dtype,
        result_dtype=plan.result_dtype,
        portable=all(getattr(step.layer, "portable", True) for step in plan.steps),
    )


def _dtype(step: PlanStep, plan: Plan) -> str:
    return str(getattr(step.layer, "compute_dtype", plan.dtype))


def activation_of(function: Any) -> Kernel | None:
    """Return the NumPy counterpart of a Keras activation; None if there is none.

    Functions are compared by identity: a custom one may have the name of one of Keras'.
    """
    known = (name for name in ACTIVATION_KERNELS if keras.activations.get(name) is function)
    return ACTIVATION_KERNELS.get(next(known, ""))


def dense(layer: Any) -> Kernel | None:
    """Translate Dense: activation(inputs · kernel + bias); None without the activation's kernel."""
    activate = activation_of(layer.activation)
    kernel = np.ascontiguousarray(layer.kernel)
    bias = np.asarray(layer.bias) if layer.use_bias else np.zeros((), kernel.dtype)
    return None if activate is None else Dense(kernel, bias, activate)


def activation(layer: Any) -> Kernel | None:
    """Translate Activation."""
    return activation_of(layer.activation)


def softmax_layer(layer: Any) -> Kernel | None:
    """Translate Softmax along the last axis; None for another axis."""
    return softmax if layer.axis in (-1, [-1]) else None


def plain_relu(layer: Any) -> Kernel | None:
    """Translate ReLU; None if it has a slope, threshold or maximum."""
    plain = (layer.max_value, layer.negative_slope, layer.threshold) == (None, 0, 0)
    return relu if plain else None


def batch_normalization(layer: Any) -> Kernel | None:
    """Translate BatchNormalization to its affine map (Ioffe & Szegedy 2015, alg. 2).

    The map is that of inference, from the moving statistics. None if the axis is not the last.
    """
    if layer.axis not in (-1, len(layer.moving_mean.shape)):
        return None
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    factor = 1 / np.sqrt(variance + variance.dtype.type(layer.epsilon))
    factor = factor * np.asarray(layer.gamma) if layer.scale else factor
    offset = -mean * factor + (np.asarray(layer.beta) if layer.center else 0)
    return Affine(factor, offset)


def normalization(layer: Any) -> Kernel | None:
    """Translate Normalization, (inputs − mean) / deviation; None if the axis is not the last."""
    if layer.invert or layer.axis not in ((-1,), (1,)):
        return None
    mean, variance = np.asarray(layer.mean).ravel(), np.asarray(layer.variance).ravel()
    deviation = np.maximum(np.sqrt(variance), variance.dtype.type(keras.config.epsilon()))
    return Standardize(mean, deviation)


def concatenation(layer: Any) -> Kernel | None:
    """Translate Concatenate along the last axis; None for another axis."""
    return concatenate if layer.axis == -1 else None


def merge(function: np.ufunc) -> Callable[[Any], Kernel]:
    """Make the translation of a layer that merges two or more inputs elementwise."""
    return lambda _: Merge(function)


def identity(_: Any) -> Kernel:
    """Translate a layer that does nothing in inference."""
    return linear


KERNELS: dict[str, Callable[[Any], Kernel | None]] = {
    "Dense": dense,
    "Activation": activation,
    "ReLU": plain_relu,
    "Softmax": softmax_layer,
    "BatchNormalization": batch_normalization,
    "Normalization": normalization,
    "Concatenate": concatenation,
    "Add": merge(np.add),
    "Subtract": merge(np.subtract),
    "Multiply": merge(np.multiply),
    "Maximum": merge(np.maximum),
    "Minimum": merge(np.minimum),
    "Identity": identity,
    "ActivityRegularization": identity,
}
"""Translations of Keras' layers and operators, by class name; each has a batch-invariance test."""


OPERATORS = frozenset({"Add", "Subtract", "Multiply"})
"""Class names of the operators that Keras writes for `x + y`, `x - y` and `x * y`."""


def kernel_of(layer: Any) -> Kernel | None:
    """Return the kernel of a layer with its configuration; None if it has none."""
    if isinstance(layer, FormulaLayer):
        return Formula(layer.formula)
    return KERNELS[type(layer).__name__](layer) if is_keras(layer, KERNELS) else None


def is_keras(layer: Any, names: Container[str]) -> bool:
    """Return whether a layer is of one of these classes of Keras, or an arithmetic operator."""
    kind = type(layer)
    if not isinstance(layer, keras.layers.Layer):
        return kind.__module__ == "keras.src.ops.numpy" and kind.__name__ in OPERATORS
    return kind.__module__.startswith("keras.") and kind.__name__ in names
