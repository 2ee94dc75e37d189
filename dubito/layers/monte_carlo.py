"""Monte-Carlo dropout: the layers that stay random after training (Gal & Ghahramani 2016).

Called by Keras they draw fresh noise at every call, whatever `training` says. The engine never
calls them: for draws it asks a layer for its `noise`, whose stream is its own, and in the
deterministic pass it leaves the layer out. No other layer is touched, so
BatchNormalization keeps its moving statistics.
"""

from typing import Any

import keras

from dubito.engine.noise import AlphaDropout, Dropout, GaussianDropout, Noise
from dubito.engine.rng import threshold
from dubito.errors import NetworkError
from dubito.layers.registry import registered

Lengths = tuple[int | None, ...]
"""A shape with the batch axis, None where a length is open."""


class MonteCarlo:
    """What every Monte-Carlo layer adds to the Keras layer that it is."""

    name: str
    rate: float
    noise_shape: Lengths | None = None
    kind: type[Noise]

    @property
    def noise(self) -> Noise:
        """What it drops with."""
        return self.kind(self.rate)

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


@registered()
class MCDropout(MonteCarlo, keras.layers.Dropout):
    """Dropout that is always on (Srivastava et al. 2014)."""

    kind = Dropout


@registered()
class MCSpatialDropout1D(MonteCarlo, keras.layers.SpatialDropout1D):
    """Dropout of whole channels of `(steps, channels)` that is always on (Tompson et al. 2015)."""

    kind = Dropout

    def unit_shape(self, shape: Lengths) -> tuple[int, ...]:
        """`(1, channels)`: all steps of a channel are kept or dropped together."""
        return 1, super().unit_shape(shape)[-1]


@registered()
class MCAlphaDropout(MonteCarlo, keras.layers.AlphaDropout):
    """Alpha dropout that is always on, for SELU: keeps self-normalising mean and variance."""

    kind = AlphaDropout


@registered()
class MCGaussianDropout(MonteCarlo, keras.layers.GaussianDropout):
    """Gaussian dropout that is always on."""

    kind = GaussianDropout


MONTE_CARLO = (MCDropout, MCAlphaDropout, MCSpatialDropout1D, MCGaussianDropout)
"""Every layer that is random in a prediction."""
