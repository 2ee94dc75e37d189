"""Folding a temperature into a network, so that the file itself is calibrated."""

import keras
import numpy as np

from app.errors import NetworkError
from app.network.plan import plan


def fold(model: keras.Model, temperature: float) -> None:
    """Divide the last layer's logits by `temperature`, in place (Guo et al. 2017, equation 9).

    Raises:
        NetworkError: what gives the probabilities is no Dense softmax and has no temperature.
    """
    last = plan(model).outlet
    if hasattr(last, "temperature"):
        last.temperature = float(last.temperature * temperature)
    elif isinstance(last, keras.layers.Dense) and last.activation is keras.activations.softmax:
        last.set_weights([np.asarray(weight) / temperature for weight in last.get_weights()])
    else:
        raise NetworkError(f"the last layer, {last.name}, has no logits that could be divided")
