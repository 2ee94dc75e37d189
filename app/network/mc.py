"""Monte-Carlo dropout: the layers that stay random after training (Gal & Ghahramani 2016).

Called by Keras they draw fresh noise at every call, whatever `training` says. The engine never
calls them: for draws it asks a layer for the noise of its own stream and hands that to `drop`, and
in the deterministic pass it leaves the layer out. No other layer is touched, so
BatchNormalization keeps its moving statistics.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from numpy.typing import NDArray

from app.errors import NetworkError
from app.network.stream import Run, kept, normals, threshold

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
NEGATIVE_SATURATION = -SELU_ALPHA * SELU_SCALE
"""SELU's limit at minus infinity, the value of a dropped unit (Klambauer et al. 2017, §3)."""

Lengths = tuple[int | None, ...]
"""A shape with the batch axis, None where a length is open."""


class MonteCarlo:
    """What every Monte-Carlo layer adds to the Keras layer that it is.

    Its noise is a mask, True where a unit is kept, unless a layer says otherwise.
    """

    name: str
    rate: float
    noise_shape: Lengths | None = None
    noise_dtype = "bool"

    def call(self, inputs: Any, training: bool | None = None) -> Any:  # noqa: ARG002
        """Drop with fresh noise."""
        return super().call(inputs, training=True)  # type: ignore[misc]

    def unit_shape(self, shape: Lengths) -> tuple[int, ...]:
        """Shape of one pass' noise for an input of `shape` `(None, …)`.

        Raises:
            NetworkError: noise that would depend on the batch, an open dimension, or a rate that
                drops nothing or everything.
        """
        try:
            threshold(self.rate)
        except NetworkError as error:
            raise NetworkError(f"layer {self.name}: {error}") from error
        return fixed_shape(self.name, self.noise_shape, shape)

    def noise(self, runs: Sequence[Run], call: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """The noise of the passes of all runs, `(passes, *shape)` of `noise_dtype`."""
        return kept(runs, call, shape, self.rate)

    def drop(self, inputs: Any, noise: Any) -> Any:
        """Drop with given noise, in the dtype of `inputs`: a mask is 1 where a unit is kept."""
        raise NotImplementedError


def fixed_shape(name: str, noise: Lengths | None, shape: Lengths) -> tuple[int, ...]:
    """`noise` without the batch, and as long as `shape` where it is open.

    Raises:
        NetworkError: see `MonteCarlo.unit_shape`.
    """
    noise = noise or (None,) * len(shape)
    fits = len(noise) == len(shape) and noise[0] in (None, 1)
    units = tuple(own or size for own, size in zip(noise, shape, strict=False))[1:]
    pairs = zip(units, shape[1:], strict=False)
    if not fits or any(unit not in (1, size) or unit is None for unit, size in pairs):
        raise NetworkError(f"the mask of layer {name} does not have a fixed shape of its own")
    return tuple(int(size) for size in units if size is not None)


@keras.saving.register_keras_serializable("dubito")
class MCDropout(MonteCarlo, keras.layers.Dropout):
    """Dropout that is always on; kept units are multiplied by 1/(1 − rate)."""

    def drop(self, inputs: Any, noise: Any) -> Any:
        """Srivastava et al. 2014, scaled so that the expectation stays."""
        return inputs * (noise * (1.0 / (1.0 - self.rate)))


@keras.saving.register_keras_serializable("dubito")
class MCSpatialDropout1D(MonteCarlo, keras.layers.SpatialDropout1D):
    """Dropout of whole channels of `(steps, channels)` that is always on (Tompson et al. 2015)."""

    def unit_shape(self, shape: Lengths) -> tuple[int, ...]:
        """`(1, channels)`: all steps of a channel are kept or dropped together."""
        return 1, super().unit_shape(shape)[-1]

    def drop(self, inputs: Any, noise: Any) -> Any:
        """As MCDropout, broadcast over the steps."""
        return inputs * (noise * (1.0 / (1.0 - self.rate)))


@keras.saving.register_keras_serializable("dubito")
class MCAlphaDropout(MonteCarlo, keras.layers.AlphaDropout):
    """Alpha dropout that is always on, for SELU: keeps self-normalising mean and variance."""

    def drop(self, inputs: Any, noise: Any) -> Any:
        """Dropped units saturate, then an affine map restores moments.

        Klambauer et al. 2017, "Self-normalizing neural networks", §3: a and b.
        """
        scale = ((1 - self.rate) * (1 + self.rate * NEGATIVE_SATURATION**2)) ** -0.5
        shift = -scale * NEGATIVE_SATURATION * self.rate
        return inputs * (noise * scale) + ((1 - noise) * (scale * NEGATIVE_SATURATION) + shift)


@keras.saving.register_keras_serializable("dubito")
class MCGaussianDropout(MonteCarlo, keras.layers.GaussianDropout):
    """Gaussian dropout that is always on: units are multiplied by N(1, rate / (1 − rate)).

    The noise is standard normal; its factor has Dropout's variance (Srivastava et al. 2014, §10).
    """

    noise_dtype = "float64"

    def noise(self, runs: Sequence[Run], call: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """Standard normals."""
        return normals(runs, call, shape)

    def drop(self, inputs: Any, noise: Any) -> Any:
        """Multiply by the noise, scaled and moved to a mean of 1."""
        return inputs * (noise * math.sqrt(self.rate / (1.0 - self.rate)) + 1.0)


MONTE_CARLO = (MCDropout, MCAlphaDropout, MCSpatialDropout1D, MCGaussianDropout)
"""Every layer that is random in a prediction."""
