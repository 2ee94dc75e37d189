"""TensorFlow backend: the compiled Keras graph, mapped over blocks of one fixed shape.

It runs networks with a layer that has no batch-invariant NumPy kernel. One compiled call maps over
the blocks, so every block runs the same operations on the same shapes: slower than the NumPy
backend, and equal to the last bit whatever is computed in the same call.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from dubito.engine.blocks import PASSES, Blocks
from dubito.engine.plan import Plan, PlanStep
from dubito.engine.program import SOURCE
from dubito.numerics.kernels import Array
from dubito.types import Floats
from dubito.uncertainty.decomposition import OVERFLOWING


class Graph:
    """Runs a plan by calling its Keras layers in a compiled function."""

    name = "graph"
    program = None

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.calls, self.shape = plan.calls, (plan.features, plan.classes)
        rows = tf.TensorSpec((None, plan.features), plan.dtype)
        index = tf.TensorSpec((None,), tf.int64)
        noises = [
            tf.TensorSpec((None, PASSES, *call.shape), call.noise.dtype) for call in plan.calls
        ]
        self._deterministic = tf.function(self._map_rows, input_signature=(rows,))
        self._draws = tf.function(self._map_blocks, input_signature=(rows, index, index, *noises))
        # What Keras cannot trace must be found where the network is read.
        for compiled in (self._deterministic, self._draws):
            compiled.get_concrete_function()

    @OVERFLOWING
    def deterministic(self, rows: Floats) -> Array:
        """Compute probabilities `(N, C)` of the deterministic pass, without dropout."""
        return np.asarray(self._deterministic(rows.astype(self._plan.dtype)))

    @OVERFLOWING
    def draws(self, blocks: Blocks) -> Array:
        """Compute probabilities `(N, L · PASSES, C)` of every pass of every row."""
        rows, length = blocks.rows.astype(self._plan.dtype), blocks.length
        row = np.repeat(np.arange(len(rows)), length)
        noises = [noise.reshape(-1, *noise.shape[2:]) for noise in blocks.noises]
        share = np.arange(len(row)) % (len(blocks.noises[0]) * length)
        drawn = np.asarray(self._draws(rows, row, share, *noises))
        return drawn.reshape(len(rows), length * PASSES, -1)

    def _map_rows(self, rows: Any) -> Any:
        def one(row: Any) -> Any:
            slots = {SOURCE: row[None]}
            for step in self._plan.steps:
                inputs = [slots[slot] for slot in step.inputs]
                slots[step.output] = _call(step, inputs) if step.call is None else inputs[0]
            return slots[self._plan.result][0]

        return tf.map_fn(one, rows, fn_output_signature=self._plan.result_dtype)

    def _map_blocks(self, rows: Any, row: Any, share: Any, *noises: Any) -> Any:
        once = self._once(rows)

        def one(block: Any) -> Any:
            slots = {slot: values[block[0]] for slot, values in once.items()}
            for step in self._plan.steps:
                if not step.random:
                    continue
                inputs = [_all_passes(slots[slot]) for slot in step.inputs]
                if step.call is None:
                    slots[step.output] = _call(step, inputs)
                else:
                    noise = tf.cast(noises[step.call.ordinal][block[1]], inputs[0].dtype)
                    slots[step.output] = step.call.noise.drop(inputs[0], noise)
            return slots[self._plan.result]

        return tf.map_fn(one, (row, share), fn_output_signature=self._plan.result_dtype)

    def _once(self, rows: Any) -> dict[int, Any]:
        """Compute once a row the steps whose output is equal in all passes: slots `(N, 1, …)`."""
        steps = [step for step in self._plan.steps if not step.random]

        def one(row: Any) -> list[Any]:
            slots = {SOURCE: row[None]}
            for step in steps:
                slots[step.output] = _call(step, [slots[slot] for slot in step.inputs])
            return list(slots.values())

        names = [SOURCE, *(step.output for step in steps)]
        signature = [rows.dtype, *(step.dtype for step in steps)]
        return dict(zip(names, tf.map_fn(one, rows, fn_output_signature=signature), strict=True))


def _call(step: PlanStep, inputs: list[Any]) -> Any:
    return step.layer(inputs) if step.listed else step.layer(*inputs)


def _all_passes(values: Any) -> Any:
    """Repeat a row's value for every pass, unless it has that axis already."""
    if values.shape[0] == PASSES:
        return values
    return tf.repeat(values, PASSES, axis=0)
