"""Monte-Carlo dropout layers, which stay random after training (Gal & Ghahramani 2016).

When Keras calls such a layer, it draws fresh noise, whatever `training` is. The engine never calls
it: for draws it applies the layer's `noise` with the engine's own random stream, and it omits the
layer in the deterministic pass. All other layers run in inference mode, so BatchNormalization keeps
its moving statistics.
"""

import keras

from dubito.errors import NetworkError
from dubito.layers.registry import registered
from dubito.numerics.noise import (
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    Noise,
    check_deviation,
)
from dubito.numerics.rng import drop_levels

Lengths = tuple[int | None, ...]
"""Shape with the batch axis, None for lengths that are not fixed."""


class MonteCarlo:
    """Mixin of every Monte-Carlo layer, over the Keras layer it derives from."""

    name: str
    rate: float
    noise_shape: Lengths | None = None
    kind: type[Noise]

    @property
    def noise(self) -> Noise:
        """Noise of the layer, of its kind and strength."""
        return self.kind(self.rate)

    def check_strength(self) -> None:
        """Check that the noise does something.

        Raises:
            NetworkError: the rate drops nothing or everything.
        """
        drop_levels(self.rate)

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:  # noqa: ARG002
        """Apply fresh noise, whatever `training` is."""
        return super().call(inputs, training=True)  # type: ignore[misc]

    def unit_shape(self, shape: Lengths) -> tuple[int, ...]:
        """Compute the shape of one pass' noise for an input of `shape` `(None, …)`.

        Raises:
            NetworkError: the noise would depend on the batch, a dimension is not fixed, or the
                rate drops nothing or everything.
        """
        try:
            self.check_strength()
        except NetworkError as error:
            raise NetworkError(f"layer {self.name}: {error}") from error
        return fixed_shape(self.name, self.noise_shape, shape)


def fixed_shape(name: str, noise: Lengths | None, shape: Lengths) -> tuple[int, ...]:
    """Remove the batch axis from `noise`, and replace None in it by the length in `shape`.

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
        """Return `(1, channels)`: all steps of a channel are kept or dropped together."""
        return 1, super().unit_shape(shape)[-1]


@registered()
class MCSpatialDropout2D(MonteCarlo, keras.layers.SpatialDropout2D):
    """Dropout of whole channels of `(height, width, channels)` that is always on."""

    kind = Dropout

    def unit_shape(self, shape: Lengths) -> tuple[int, ...]:
        """Return `(1, 1, channels)`: all places of a channel are kept or dropped together.

        Raises:
            NetworkError: the channels are not the last axis; see also `MonteCarlo.unit_shape`.
        """
        if self.data_format != "channels_last":
            raise NetworkError(f"the channels of layer {self.name} are not its last axis")
        return 1, 1, super().unit_shape(shape)[-1]


@registered()
class MCAlphaDropout(MonteCarlo, keras.layers.AlphaDropout):
    """Alpha dropout that is always on, for SELU: keeps self-normalising mean and variance."""

    kind = AlphaDropout


@registered()
class MCGaussianDropout(MonteCarlo, keras.layers.GaussianDropout):
    """Gaussian dropout that is always on."""

    kind = GaussianDropout


@registered()
class MCGaussianNoise(MonteCarlo, keras.layers.GaussianNoise):
    """Added Gaussian noise that is always on."""

    stddev: float
    kind = GaussianNoise

    @property
    def noise(self) -> Noise:
        """Noise of the layer's standard deviation."""
        return self.kind(self.stddev)

    def check_strength(self) -> None:
        """Check that the noise does something.

        Raises:
            NetworkError: the standard deviation is not above 0 and at most 1.
        """
        check_deviation(self.stddev)


MONTE_CARLO_LAYERS = (
    MCDropout,
    MCAlphaDropout,
    MCSpatialDropout1D,
    MCSpatialDropout2D,
    MCGaussianDropout,
    MCGaussianNoise,
)
"""Layer classes that are random in a prediction."""
