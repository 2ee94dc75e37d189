"""Recurrent layers whose dropout masks are inputs, so that Monte-Carlo dropout makes them.

Keras' LSTM and GRU have dropout inside, which is idle in inference. `MaskedLSTM` and `MaskedGRU`
have the same weights and compute the same, but multiply the inputs and the states by masks that
they are given: one for a whole sequence, as in Gal & Ghahramani 2016 ("A theoretically grounded
application of dropout in recurrent neural networks"). A mask is `Ones` after `MCDropout`.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras

from dubito.layers.registry import registered

ops = keras.ops
Lengths = tuple[int | None, ...]


@registered()
class Ones(keras.layers.Layer):
    """Gives every row `units` ones, `(N, …)` to `(N, units)`: what a mask is made of."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Return the ones, whatever the input is."""
        return ops.ones((ops.shape(inputs)[0], self.units), self.compute_dtype)

    def compute_output_shape(self, input_shape: Lengths) -> Lengths:
        """Return the output's shape: `(N, …)` → `(N, units)`."""
        return input_shape[0], self.units

    def get_config(self) -> dict[str, Any]:
        """Return the configuration, which contains the number of units."""
        return {**super().get_config(), "units": self.units}


class MaskedRecurrence(keras.layers.Layer):
    """A gated recurrence over sequences `(N, T, F)`, with masks of inputs and states.

    Args:
        units: size of the state, `U`.
        activation: name of Keras' activation of the candidate state.
        recurrent_activation: name of that of the gates.
        use_bias: whether there is a bias.
        return_sequences: whether the output is the state after each step, `(N, T, U)`, or the last.
        go_backwards: whether the sequence is read from its end.
        restores_order: whether states of a sequence that is read from its end are in the order of
            the sequence, not in that of reading, as both directions need them.
        input_masks: masks of the inputs: none (0), one for all gates, or one for each.
        state_masks: whether there is a mask of the state for each gate.
    """

    gates: ClassVar[int]

    def __init__(
        self,
        units: int,
        activation: str = "tanh",
        recurrent_activation: str = "sigmoid",
        use_bias: bool = True,
        return_sequences: bool = False,
        go_backwards: bool = False,
        restores_order: bool = False,
        input_masks: int = 0,
        state_masks: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.use_bias = units, use_bias
        self.activation = keras.activations.get(activation)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.return_sequences, self.go_backwards = return_sequences, go_backwards
        self.restores_order = restores_order
        self.input_masks, self.state_masks = input_masks, state_masks

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """Shape of the bias."""
        return (self.gates * self.units,)

    def build(self, input_shape: Any) -> None:
        """Create the weights, in the order of Keras' own cell: kernel, recurrent kernel, bias."""
        features, width = _sequence(input_shape)[-1], self.gates * self.units
        self.kernel = self.add_weight(shape=(features, width), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, width), name="recurrent_kernel")
        self.bias = (
            self.add_weight(shape=self.bias_shape, name="bias", initializer="zeros")
            if self.use_bias
            else None
        )

    def call(self, inputs: Any) -> keras.KerasTensor:
        """Run the recurrence over a sequence, or a list of it and its masks."""
        sequence, *masks = inputs if isinstance(inputs, list | tuple) else [inputs]
        of_inputs = masks.pop(0) if self.input_masks else None
        of_states = self._by_gate(masks.pop(0)) if self.state_masks else None
        steps = ops.swapaxes(self._projected(sequence, of_inputs), 0, 1)
        steps = ops.flip(steps, 0) if self.go_backwards else steps
        start = self._start(ops.zeros((ops.shape(sequence)[0], self.units), self.compute_dtype))

        def step(state: Any, projected: Any) -> tuple[Any, Any]:
            after = self._step(projected, state, of_states)
            # Keras' scan of TensorFlow takes outputs of the state's own structure only.
            return after, after

        last, states = ops.scan(step, start, steps)
        if not self.return_sequences:
            return last[0]
        in_order = ops.flip(states[0], 0) if self.restores_order else states[0]
        return ops.swapaxes(in_order, 0, 1)

    def _projected(self, sequence: Any, masks: Any) -> Any:
        """Multiply the steps, masked, by the kernel, and add the bias: `(N, T, gates · U)`."""
        if self.input_masks > 1:
            kernels = ops.split(self.kernel, self.gates, axis=1)
            own = self._by_gate(masks)
            parts = [
                ops.matmul(sequence * own[:, None, gate], kernel)
                for gate, kernel in enumerate(kernels)
            ]
            projected = ops.concatenate(parts, axis=-1)
        else:
            masked = sequence if masks is None else sequence * masks[:, None]
            projected = ops.matmul(masked, self.kernel)
        return projected if self.bias is None else projected + self._input_bias()

    def _by_gate(self, masks: Any) -> Any:
        """Return masks `(N, gates, …)` of `(N, gates · …)`."""
        return ops.reshape(masks, (-1, self.gates, masks.shape[-1] // self.gates))

    def _recurrent(self, state: Any, masks: Any, gates: Sequence[int]) -> list[Any]:
        """Multiply the state, masked for each gate, by the gate's part of the recurrent kernel."""
        kernels = ops.split(self.recurrent_kernel, self.gates, axis=1)
        return [
            ops.matmul(state if masks is None else state * masks[:, gate], kernels[gate])
            for gate in gates
        ]

    def _input_bias(self) -> Any:
        return self.bias

    def _start(self, zeros: Any) -> tuple[Any, ...]:
        """Return the state before the first step, whose first part is the output."""
        raise NotImplementedError

    def _step(self, projected: Any, state: tuple[Any, ...], masks: Any) -> tuple[Any, ...]:
        """Return the state after a step."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Lengths:
        """Return the output's shape: `(N, T, F)` → `(N, U)` or `(N, T, U)`."""
        shape = _sequence(input_shape)
        return (*shape[:2], self.units) if self.return_sequences else (shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the configuration."""
        named = {
            name: keras.activations.serialize(getattr(self, name))
            for name in ("activation", "recurrent_activation")
        }
        others = ("units", "use_bias", "return_sequences", "go_backwards", "restores_order")
        own = {name: getattr(self, name) for name in (*others, "input_masks", "state_masks")}
        return {**super().get_config(), **named, **own}


@registered()
class MaskedLSTM(MaskedRecurrence):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), with masks as inputs."""

    gates = 4

    def _start(self, zeros: Any) -> tuple[Any, ...]:
        return zeros, zeros

    def _step(self, projected: Any, state: tuple[Any, ...], masks: Any) -> tuple[Any, ...]:
        hidden, carry = state
        given = ops.split(projected, self.gates, axis=-1)
        sums = [
            own + recurrent
            for own, recurrent in zip(
                given, self._recurrent(hidden, masks, range(self.gates)), strict=True
            )
        ]
        let_in, forget, out = (self.recurrent_activation(sums[gate]) for gate in (0, 1, 3))
        carry = forget * carry + let_in * self.activation(sums[2])
        return out * self.activation(carry), carry


@registered()
class MaskedGRU(MaskedRecurrence):
    """Gated recurrent unit (Cho et al. 2014), with masks as inputs.

    Args:
        reset_after: whether the reset gate is applied after the recurrent product, as Keras does by
            default.
    """

    gates = 3

    def __init__(self, *args: Any, reset_after: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reset_after = reset_after

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """Shape of the bias: of the inputs and, with `reset_after`, of the states."""
        width = self.gates * self.units
        return (2, width) if self.reset_after else (width,)

    def _input_bias(self) -> Any:
        return self.bias[0] if self.reset_after else self.bias  # type: ignore[index]

    def _start(self, zeros: Any) -> tuple[Any, ...]:
        return (zeros,)

    def _step(self, projected: Any, state: tuple[Any, ...], masks: Any) -> tuple[Any, ...]:
        (hidden,) = state
        update, reset, candidate = ops.split(projected, self.gates, axis=-1)
        biases = self._state_biases()
        for_update, for_reset = self._recurrent(hidden, masks, (0, 1))
        update = self.recurrent_activation(update + for_update + biases[0])
        reset = self.recurrent_activation(reset + for_reset + biases[1])
        if self.reset_after:
            (product,) = self._recurrent(hidden, masks, (2,))
            candidate = self.activation(candidate + reset * (product + biases[2]))
        else:
            (product,) = self._recurrent(reset * hidden, masks, (2,))
            candidate = self.activation(candidate + product)
        return (update * hidden + (1 - update) * candidate,)

    def _state_biases(self) -> Sequence[Any]:
        if self.bias is None or not self.reset_after:
            return 0.0, 0.0, 0.0
        biases: Sequence[Any] = ops.split(self.bias[1], self.gates)
        return biases

    def get_config(self) -> dict[str, Any]:
        """Return the configuration."""
        return {**super().get_config(), "reset_after": self.reset_after}


RECURRENT_LAYERS = (MaskedLSTM, MaskedGRU)
"""Recurrent layer classes."""


def _sequence(shapes: Any) -> Lengths:
    """Return the shape of the sequence among the shapes of all inputs."""
    first: Any = shapes[0] if isinstance(shapes[0], list | tuple) else shapes
    return tuple(first)
