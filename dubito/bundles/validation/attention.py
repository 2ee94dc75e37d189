"""Shape rule of Dubito's layer of multi-head attention."""

from collections.abc import Sequence
from math import prod

from dubito.bundles.validation.recurrent import MOST_STEPS
from dubito.layer_shapes import (
    LayerSettings,
    LayerShape,
    Shape,
    bool_setting,
    setting,
    whole_setting,
)

SETTINGS = "heads key_units value_units output_units use_bias masked causal"
"""Names of the layer's settings, separated by spaces."""
MOST_PAIRS = 2**20
"""Most pairs of a step that attends and one that is attended to, of all heads together."""


def attention(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer attention of a query to a value and its key, with a mask of their pairs if there is."""
    sequences, masks = shapes[:3], shapes[3:]
    if len(sequences) < 3 or any(len(one) != 2 or one[0] > MOST_STEPS for one in sequences):
        raise ValueError(f"its inputs are not a query, a value and a key of {MOST_STEPS} steps")
    (asking, query), (steps, value), (known, key) = sequences
    if known != steps:
        raise ValueError("its value and its key differ in length")
    names = ("heads", "key_units", "value_units", "output_units")
    heads, keys, values, units = (whole_setting(setting(settings, name), name) for name in names)
    pairs = heads * asking * steps
    if pairs > MOST_PAIRS:
        raise ValueError(f"it has {pairs} pairs of steps, more than {MOST_PAIRS}")
    if list(masks) != [(pairs,)] * bool_setting(settings, "masked"):
        raise ValueError("its mask does not fit its heads and steps")
    bool_setting(settings, "causal")
    of_keys, of_values = (heads, keys), (heads, values)
    kernels = [(query, *of_keys), (key, *of_keys), (value, *of_values), (*of_values, units)]
    biases = [of_keys, of_keys, of_values, (units,)]
    projections = zip(kernels, biases, strict=True)
    kept = 1 + bool_setting(settings, "use_bias")
    weights: list[Shape] = [shape for both in projections for shape in both[:kept]]
    # Beside the projections of every step there are the products of every pair.
    products = pairs * (keys + values)
    uses = max(asking, steps) + -(-products // sum(map(prod, weights)))
    return LayerShape((asking, units), tuple(weights), uses)
