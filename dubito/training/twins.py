"""Replaces layers of Keras that hold dropout or other layers, so that no dropout is inside of one.

Recurrent layers and attention become Dubito's, whose masks Monte-Carlo dropout makes.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from dubito.errors import NetworkError
from dubito.layers.attention import MaskedAttention
from dubito.layers.monte_carlo import MCDropout
from dubito.layers.recurrent import MaskedGRU, MaskedLSTM, Ones

MASKED: dict[Any, Any] = {keras.layers.LSTM: MaskedLSTM, keras.layers.GRU: MaskedGRU}
"""Dubito's class for each class of Keras."""
MERGES: dict[str, Any] = {
    "concat": keras.layers.Concatenate,
    "sum": keras.layers.Add,
    "mul": keras.layers.Multiply,
    "ave": keras.layers.Average,
}
"""Keras' layer that joins both directions, by the name of the way."""
KEPT = ("units", "activation", "recurrent_activation", "use_bias", "return_sequences")
"""Settings that both have under one name."""
ATTENDED = ("query", "value", "key")
"""Inputs of attention, in the order of its call."""
REPLACED = {
    *MASKED,
    keras.layers.Bidirectional,
    keras.layers.MultiHeadAttention,
    keras.layers.TimeDistributed,
}
"""Classes of Keras that are replaced."""


def has_twins(model: keras.Model) -> bool:
    """Whether a network has a layer that is replaced, at any depth."""
    layers = model._flatten_layers()  # noqa: SLF001 - Keras has no public way into nested models
    return any(type(layer) in REPLACED for layer in layers)


class _Directions(keras.layers.Layer):
    """Both directions of a recurrence, called one beside the other; it is in no network itself."""

    def __init__(self, forward: Any, backward: Any, merge: str, name: str) -> None:
        super().__init__(name=name)
        self.parts = [forward, backward]
        self.merge, self.calls = merge, 0


class Twins:
    """Copies layers, those with dropout inside as masked ones, and makes the masks of calls."""

    def __init__(self, twin: Callable[[Any], Any]) -> None:
        """Take the function that copies any other layer."""
        self._twin = twin
        self._pairs: list[tuple[Any, Any]] = []
        self._rates: dict[int, tuple[float, ...]] = {}
        """Rates of the dropout inside, by the identity of the copy: of a recurrence's inputs and
        states, of attention's weights."""

    def copied(self, model: keras.Model) -> keras.Model:
        """Copy a network with its weights.

        Raises:
            NetworkError: a layer that is replaced is inside an inner Sequential model.
        """
        for inner in model._flatten_layers(include_self=False):  # noqa: SLF001 - see `has_twins`
            if isinstance(inner, keras.Sequential) and has_twins(inner):
                raise NetworkError(
                    f"the inner model {inner.name} is Sequential and has a recurrent layer, "
                    "attention or TimeDistributed: put its layers into the outer model"
                )
        whole = keras.Model(model.inputs, model.outputs, name=model.name)
        copy = keras.models.clone_model(
            whole, clone_function=self._copy, call_function=self._called, recursive=True
        )
        for layer, twin in self._pairs:
            if layer.weights:
                twin.set_weights(layer.get_weights())
        return copy

    def _copy(self, layer: Any) -> Any:
        if isinstance(layer, keras.layers.Bidirectional):
            forward = self._copy(layer.forward_layer)
            backward = self._copy(layer.backward_layer)
            backward.restores_order = backward.return_sequences
            return _Directions(forward, backward, layer.merge_mode, layer.name)
        twin = self._single(layer)
        self._pairs.append((layer, twin))
        return twin

    def _single(self, layer: Any) -> Any:
        """Copy a layer that becomes one other layer."""
        if isinstance(layer, keras.layers.TimeDistributed):
            # It works on every step alike, and so does the layer inside, see `keras_file`.
            twin = self._twin(layer.layer)
            twin.name = layer.name
            return twin
        if isinstance(layer, keras.layers.MultiHeadAttention):
            return self._attending(layer)
        kind = MASKED.get(type(layer))
        return self._twin(layer) if kind is None else self._masked(layer, kind)

    def _attending(self, layer: Any) -> Any:
        """Make the masked layer of attention."""
        twin = MaskedAttention(
            heads=layer.num_heads,
            key_units=layer.key_dim,
            value_units=layer.value_dim,
            output_units=layer.weights[-1].shape[-1],
            use_bias=layer.use_bias,
            masked=bool(layer.dropout),
            name=layer.name,
            dtype=layer.dtype_policy,
        )
        self._rates[id(twin)] = (layer.dropout,)
        return twin

    def _masked(self, layer: Any, kind: Any) -> Any:
        """Make the masked layer of a recurrent one, with the masks that Keras draws for it."""
        settings, cell = layer.get_config(), layer.cell
        # Keras draws a mask for each gate in its first implementation, and one in its second.
        of_inputs = kind.gates if cell.implementation == 1 else 1
        more = {"reset_after": cell.reset_after} if kind is MaskedGRU else {}
        twin = kind(
            **{name: settings[name] for name in KEPT},
            **more,
            go_backwards=layer.go_backwards,
            input_masks=of_inputs if cell.dropout else 0,
            state_masks=bool(cell.recurrent_dropout),
            name=layer.name,
            dtype=layer.dtype_policy,
        )
        self._rates[id(twin)] = cell.dropout, cell.recurrent_dropout
        return twin

    def _called(self, layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, _Directions):
            both = [self._called(part, *args, **kwargs) for part in layer.parts]
            layer.calls += 1
            name = layer.name if layer.calls == 1 else f"{layer.name}_{layer.calls}"
            return MERGES[layer.merge](name=name)(both)
        rates = self._rates.get(id(layer))
        if rates is None:
            # Options that stand at None, such as TimeDistributed's mask, are not the twin's.
            return layer(*args, **{name: one for name, one in kwargs.items() if one is not None})
        if isinstance(layer, MaskedAttention):
            return _attended(layer, rates[0], dict(zip(ATTENDED, args, strict=False)) | kwargs)
        if len(args) != 1:
            raise NetworkError(f"layer {layer.name} is called with a state, which is not served")
        (sequence,) = args
        of_inputs, of_states = rates
        given = [sequence]
        if of_inputs:
            units = layer.input_masks * sequence.shape[-1]
            given.append(_masks(layer, sequence, units, of_inputs, "inputs"))
        if of_states:
            units = layer.gates * layer.units
            given.append(_masks(layer, sequence, units, of_states, "states"))
        return layer(given if len(given) > 1 else sequence)


def _attended(layer: MaskedAttention, rate: float, given: Mapping[str, Any]) -> Any:
    """Call attention with what Keras' layer is given; its key is its value where none is."""
    causal = bool(given.get("use_causal_mask"))
    if layer.built and layer.causal != causal:
        raise NetworkError(f"layer {layer.name} has calls with and without a causal mask")
    layer.causal = causal
    query, value = given["query"], given["value"]
    inputs = [query, value, value if given.get("key") is None else given["key"]]
    if layer.masked:
        pairs = layer.heads * query.shape[1] * value.shape[1]
        inputs.append(_masks(layer, query, pairs, rate, "weights"))
    return layer(inputs)


def _masks(layer: Any, sequence: Any, units: int, rate: float, name: str) -> Any:
    """Make masks of a row for all its steps; a layer's second call has masks of its own."""
    calls = len(layer._inbound_nodes)  # noqa: SLF001 - Keras has no public way to a layer's calls
    called = f"{layer.name}_{name}" + (f"_{calls}" if calls else "")
    ones = Ones(units, name=f"{called}_ones", dtype=layer.dtype_policy)(sequence)
    return MCDropout(rate, name=f"{called}_dropout", dtype=layer.dtype_policy)(ones)
