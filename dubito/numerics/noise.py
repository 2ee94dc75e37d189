"""Kinds of Monte-Carlo noise, which layers name: how each is drawn and applied, without Keras.

Every kind is an affine map of the values. `noise` is `(passes, *shape)`, in a mask 1 where a unit
is kept and 0 where it is dropped. Values and noise may be NumPy arrays or TensorFlow tensors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dubito.errors import NetworkError
from dubito.numerics.rng import PassRange, keep_masks, normals

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
NEGATIVE_SATURATION = -SELU_ALPHA * SELU_SCALE
"""Limit of SELU at minus infinity, the value of a dropped unit (Klambauer et al. 2017, §3)."""


def check_deviation(deviation: float) -> None:
    """Check that Gaussian noise of a standard deviation does something.

    Raises:
        NetworkError: it is not above 0 and at most 1, the largest that Keras takes.
    """
    if not 0 < deviation <= 1:
        raise NetworkError(f"a standard deviation of {deviation} is not above 0 and at most 1")


def applied(values: Any, terms: tuple[Any, ...], out: Any = None) -> Any:
    """Apply noise, given by its terms, to values; the product is written to `out` if given."""
    product = values * terms[0] if out is None else np.multiply(values, terms[0], out=out)
    return product if len(terms) == 1 else product + terms[1]


@dataclass(frozen=True, slots=True)
class Noise:
    """A kind of noise. Noise is a mask unless a subclass draws something else."""

    strength: float
    """Rate of a dropout, or standard deviation of Gaussian noise."""
    dtype: ClassVar[str] = "bool"
    """Dtype of the drawn noise."""

    def drawn(self, runs: Sequence[PassRange], call: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """Draw the noise of the passes of all runs, `(passes, *shape)`."""
        return keep_masks(runs, call, shape, self.strength)

    def terms(self, noise: Any) -> tuple[Any, ...]:
        """Return the factor of the values and, for some kinds, a second term to add."""
        raise NotImplementedError

    def drop(self, values: Any, noise: Any) -> Any:
        """Apply given noise, in the dtype of `values`."""
        return applied(values, self.terms(noise))


@dataclass(frozen=True, slots=True)
class Dropout(Noise):
    """Dropout: kept units are multiplied by 1/(1 − rate), dropped ones become 0."""

    def terms(self, noise: Any) -> tuple[Any, ...]:
        """Return the factor (Srivastava et al. 2014), scaled to preserve the expectation."""
        return (noise * (1.0 / (1.0 - self.strength)),)


@dataclass(frozen=True, slots=True)
class AlphaDropout(Noise):
    """Alpha dropout, for SELU: dropped units saturate, then an affine map restores the moments."""

    def terms(self, noise: Any) -> tuple[Any, ...]:
        """Return factor and offset, with the affine map's a and b.

        Klambauer et al. 2017, "Self-normalizing neural networks", §3.
        """
        scale = ((1 - self.strength) * (1 + self.strength * NEGATIVE_SATURATION**2)) ** -0.5
        shift = -scale * NEGATIVE_SATURATION * self.strength
        return noise * scale, (1 - noise) * (scale * NEGATIVE_SATURATION) + shift


@dataclass(frozen=True, slots=True)
class GaussianDropout(Noise):
    """Gaussian dropout: units are multiplied by N(1, rate / (1 − rate)).

    The drawn noise is standard normal; the factor made of it has the variance of Dropout's
    (Srivastava et al. 2014, §10).
    """

    dtype: ClassVar[str] = "float64"

    def drawn(self, runs: Sequence[PassRange], call: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """Draw standard normals, `(passes, *shape)`."""
        return normals(runs, call, shape)

    def terms(self, noise: Any) -> tuple[Any, ...]:
        """Return the factor: the noise, scaled and shifted to a mean of 1."""
        return (noise * self.deviation + 1.0,)

    @property
    def deviation(self) -> float:
        """Standard deviation of the factor."""
        return math.sqrt(self.strength / (1.0 - self.strength))


@dataclass(frozen=True, slots=True)
class GaussianNoise(Noise):
    """Gaussian noise: a normal of mean 0 is added to each unit (Bishop 1995).

    The drawn noise is standard normal.
    """

    dtype: ClassVar[str] = "float64"

    def drawn(self, runs: Sequence[PassRange], call: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """Draw standard normals, `(passes, *shape)`."""
        return normals(runs, call, shape)

    def terms(self, noise: Any) -> tuple[Any, ...]:
        """Return a factor of ones, and the scaled noise to add."""
        return noise * 0.0 + 1.0, noise * self.strength


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a Monte-Carlo layer."""

    ordinal: int
    """Index of the call in topological order, which is its key in the random stream."""
    noise: Noise
    shape: tuple[int, ...]
    """Shape of one pass' noise."""
