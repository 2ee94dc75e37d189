"""Monte-Carlo dropout: the layers that stay random after training (Gal & Ghahramani 2016).

Called by Keras they draw a fresh mask at every call, whatever `training` says. The engine never
calls them: for draws it hands a mask of its own stream to `drop`, and in the deterministic pass it
leaves them out. No other layer is touched, so BatchNormalization keeps its moving statistics.
"""

from typing import Any

import keras

from app.errors import NetworkError

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
NEGATIVE_SATURATION = -SELU_ALPHA * SELU_SCALE
"""SELU's limit at minus infinity, the value of a dropped unit (Klambauer et al. 2017, §3)."""


def mask_shape(layer: Any, shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """Shape of one pass' mask for an input of `shape` `(None, …)`, by the layer's `noise_shape`.

    Raises:
        NetworkError: a mask that would depend on the batch, or an open dimension.
    """
    noise = layer.noise_shape or (None,) * len(shape)
    fits = len(noise) == len(shape) and noise[0] in (None, 1)
    units = tuple(own or size for own, size in zip(noise, shape, strict=False))[1:]
    pairs = zip(units, shape[1:], strict=False)
    if not fits or any(unit not in (1, size) or unit is None for unit, size in pairs):
        raise NetworkError(f"the mask of layer {layer.name} does not have a fixed shape of its own")
    return tuple(int(size) for size in units if size is not None)


@keras.saving.register_keras_serializable("dubito")
class MCDropout(keras.layers.Dropout):
    """Dropout that is always on; kept units are multiplied by 1/(1 − rate)."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:  # noqa: ARG002
        """Drop with a fresh mask."""
        return super().call(inputs, training=True)

    def drop(self, inputs: Any, keep: Any) -> Any:
        """Drop with a given mask: `keep` is 1 where a unit is kept, 0 elsewhere, same dtype."""
        return inputs * (keep * (1.0 / (1.0 - self.rate)))


@keras.saving.register_keras_serializable("dubito")
class MCAlphaDropout(keras.layers.AlphaDropout):
    """Alpha dropout that is always on, for SELU: keeps self-normalising mean and variance."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:  # noqa: ARG002
        """Drop with a fresh mask."""
        return super().call(inputs, training=True)

    def drop(self, inputs: Any, keep: Any) -> Any:
        """Drop with a given mask: dropped units saturate, then an affine map restores moments.

        Klambauer et al. 2017, "Self-normalizing neural networks", §3: a and b.
        """
        scale = ((1 - self.rate) * (1 + self.rate * NEGATIVE_SATURATION**2)) ** -0.5
        shift = -scale * NEGATIVE_SATURATION * self.rate
        return inputs * (keep * scale) + ((1 - keep) * (scale * NEGATIVE_SATURATION) + shift)
