"""Multi-head attention whose dropout mask is an input, so that Monte-Carlo dropout makes it."""

from collections.abc import Sequence
from typing import Any

import keras

from dubito.layers.registry import registered

ops = keras.ops


@registered()
class MaskedAttention(keras.layers.Layer):
    """Multi-head attention (Vaswani et al. 2017, §3.2), with a mask of its weights as an input.

    Keras' `MultiHeadAttention` has dropout inside, which is idle in inference. This layer has the
    same weights and computes the same, of a list of query `(N, T, D)`, value `(N, S, E)`, key
    `(N, S, G)` and, if it is masked, a mask `(N, heads · T · S)`, which is `Ones` after
    `MCDropout`. The output is `(N, T, output_units)`.

    Args:
        heads: number of heads.
        key_units: size of queries and keys of each head.
        value_units: size of values of each head.
        output_units: size of the output.
        use_bias: whether the four projections have biases.
        masked: whether there is a mask.
        causal: whether a step of the query attends to no later step of the value.
    """

    def __init__(
        self,
        heads: int,
        key_units: int,
        value_units: int,
        output_units: int,
        use_bias: bool = True,
        masked: bool = False,
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.heads, self.key_units, self.value_units = heads, key_units, value_units
        self.output_units, self.use_bias = output_units, use_bias
        self.masked, self.causal = masked, causal

    def build(self, input_shape: Sequence[Any]) -> None:
        """Create the weights, in Keras' order: of query, key, value and output, a bias after each.

        Their names in a file are their places, so none needs one of its own.
        """
        query, value, key = (shape[-1] for shape in input_shape[:3])
        of_keys, of_values = (self.heads, self.key_units), (self.heads, self.value_units)
        self.query = self._projection((query, *of_keys), of_keys)
        self.key = self._projection((key, *of_keys), of_keys)
        self.value = self._projection((value, *of_values), of_values)
        self.outputs = self._projection((*of_values, self.output_units), (self.output_units,))

    def _projection(self, kernel: tuple[int, ...], bias: tuple[int, ...]) -> list[Any]:
        """Add a kernel and its bias, if there is one."""
        made = [self.add_weight(shape=kernel)]
        return [*made, self.add_weight(shape=bias, initializer="zeros")] if self.use_bias else made

    def call(self, inputs: Sequence[Any]) -> keras.KerasTensor:
        """Attend: the softmax of scaled products of queries and keys weighs the values."""
        query, value, key, *masks = inputs
        queries = _projected("ntd,dhk->nthk", query, self.query) * self.key_units**-0.5
        keys = _projected("nsd,dhk->nshk", key, self.key)
        values = _projected("nsd,dhv->nshv", value, self.value)
        scores = ops.einsum("nthk,nshk->nhts", queries, keys)
        if self.causal:
            scores = ops.where(ops.tril(ops.ones(scores.shape[2:], "bool")), scores, -float("inf"))
        weights = ops.softmax(scores)
        if masks:
            weights = weights * ops.reshape(masks[0], (-1, *scores.shape[1:]))
        attended = ops.einsum("nhts,nshv->nthv", weights, values)
        return _projected("nthv,hvo->nto", attended, self.outputs)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, ...]:
        """Return the output's shape: that of the query, with the output's units."""
        return (*input_shape[0][:2], self.output_units)

    def get_config(self) -> dict[str, Any]:
        """Return the configuration."""
        names = ("heads", "key_units", "value_units", "output_units")
        own = {name: getattr(self, name) for name in (*names, "use_bias", "masked", "causal")}
        return {**super().get_config(), **own}


def _projected(equation: str, values: Any, weights: Sequence[Any]) -> Any:
    """Multiply values by a kernel, and add its bias, if there is one."""
    kernel, *bias = weights
    product = ops.einsum(equation, values, kernel)
    return product + bias[0] if bias else product
