"""Translates a plan of Keras layers to a program of kernels, by `dubito.engine.lowering`."""

from collections.abc import Container
from typing import Any

import keras
import numpy as np

from dubito.engine.lowering import KERNELS, OPERATORS, LayerRecord, kernel_of
from dubito.engine.plan import Plan, PlanStep
from dubito.engine.program import Operation, Program
from dubito.layer_shapes import Shape
from dubito.layers.formula import FormulaLayer
from dubito.numerics.kernels import Formula, Kernel


def program_of(plan: Plan) -> Program | None:
    """Translate a plan to NumPy functions; None if one of its layers has no kernel."""
    runs = [step.call or kernel_in(step.layer, step.shapes) for step in plan.steps]
    operations = tuple(
        Operation(run, step.inputs, step.output, _dtype(step, plan), step.random, step.shape)
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
    )


def kernel_in(layer: Any, shapes: tuple[Shape, ...]) -> Kernel | None:
    """Return the kernel of a Keras layer, called on inputs of `shapes`; None if it has none."""
    if isinstance(layer, FormulaLayer):
        return Formula(layer.formula)
    if not is_keras(layer, KERNELS) or not _has_own_activation(layer):
        return None
    if not isinstance(layer, keras.layers.Layer):
        return kernel_of(LayerRecord(type(layer).__name__.lower(), {}, (), "", shapes))
    weights = tuple(np.asarray(weight) for weight in layer.weights)
    kind, dtype = type(layer).__name__, layer.compute_dtype
    return kernel_of(LayerRecord(kind, layer.get_config(), weights, dtype, shapes))


def _has_own_activation(layer: Any) -> bool:
    """Return whether a layer's activation, if it has one, is Keras' own of this name.

    Keras writes no more than the name of a custom function that has the name of one of its own.
    """
    function = getattr(layer, "activation", None)
    return function is None or function.__module__.startswith("keras.")


def _dtype(step: PlanStep, plan: Plan) -> str:
    return str(getattr(step.layer, "compute_dtype", plan.dtype))


def is_keras(layer: Any, names: Container[str]) -> bool:
    """Return whether a layer is of one of these classes of Keras, or an arithmetic operator."""
    kind = type(layer)
    if not isinstance(layer, keras.layers.Layer):
        return kind.__module__ == "keras.src.ops.numpy" and kind.__name__.lower() in OPERATORS
    return kind.__module__.startswith("keras.") and kind.__name__ in names
