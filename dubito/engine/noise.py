"""What Monte-Carlo layers do to values, given noise of the stream: no Keras in here.

Every kind is an affine map of the values. `noise` is `(passes, *shape)`, and 1 where a unit of a
mask is kept; values and noise may be NumPy's arrays or TensorFlow's tensors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dubito.engine.rng import Run, kept, normals

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
NEGATIVE_SATURATION = -SELU_ALPHA * SELU_SCALE
"""SELU's limit at minus infinity, the value of a dropped unit (Klambauer et al. 2017, §3)."""


def applied(values: Any, terms: tuple[Any, ...], out: Any = None) -> Any:
    """Values after noise, given its terms; written to `out` where it is an array."""
    product = values * terms[0] if out is None else np.multiply(values, terms[0], out=out)
    return product if len(terms) == 1 else product + terms[1]


@dataclass(frozen=True, slots=True)
class Noise:
    """A kind of noise, at a rate: a mask, unless a kind says otherwise."""

    rate: float
    dtype: ClassVar[str] = "bool"
    """Of what is drawn."""

    def drawn(self, runs: Sequence[Run], call: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """The noise of the passes of all runs, `(passes, *shape)`."""
        return kept(runs, call, shape, self.rate)

    def terms(self, noise: Any) -> tuple[Any, ...]:
        """What values are multiplied by, and what is added to them if anything is."""
        raise NotImplementedError

    def drop(self, values: Any, noise: Any) -> Any:
        """Drop with given noise, in the dtype of `values`."""
        return applied(values, self.terms(noise))


@dataclass(frozen=True, slots=True)
class Dropout(Noise):
    """Kept units are multiplied by 1/(1 − rate)."""

    def terms(self, noise: Any) -> tuple[Any, ...]:
        """Srivastava et al. 2014, scaled so that the expectation stays."""
        return (noise * (1.0 / (1.0 - self.rate)),)


@dataclass(frozen=True, slots=True)
class AlphaDropout(Noise):
    """Dropped units saturate, then an affine map restores moments, for SELU."""

    def terms(self, noise: Any) -> tuple[Any, ...]:
        """Klambauer et al. 2017, "Self-normalizing neural networks", §3: a and b."""
        scale = ((1 - self.rate) * (1 + self.rate * NEGATIVE_SATURATION**2)) ** -0.5
        shift = -scale * NEGATIVE_SATURATION * self.rate
        return noise * scale, (1 - noise) * (scale * NEGATIVE_SATURATION) + shift


@dataclass(frozen=True, slots=True)
class GaussianDropout(Noise):
    """Units are multiplied by N(1, rate / (1 − rate)).

    The noise is standard normal; its factor has Dropout's variance (Srivastava et al. 2014, §10).
    """

    dtype: ClassVar[str] = "float64"

    def drawn(self, runs: Sequence[Run], call: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """Standard normals."""
        return normals(runs, call, shape)

    def terms(self, noise: Any) -> tuple[Any, ...]:
        """The noise, scaled and moved to a mean of 1."""
        return (noise * math.sqrt(self.rate / (1.0 - self.rate)) + 1.0,)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a Monte-Carlo layer."""

    ordinal: int
    """Its place among the network's calls, which is its key in the random stream."""
    noise: Noise
    shape: tuple[int, ...]
    """Of one pass' noise."""
