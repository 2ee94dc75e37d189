"""Heads of networks in training: the output layers, the loss, and the truth that it compares.

A head for a number is trained in standard units, the number less its mean and divided by its
deviation in the fit rows, so that neither initial weights nor learning rates depend on the unit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from dubito.layout import Scaling
from dubito.targets import NumberTarget
from dubito.training.data import NumberRows, Rows, Table
from dubito.types import Floats

LEAST_VARIANCE = 1e-4
"""Least variance of a normal head in standard units; without one, the likelihood of a row that is
predicted exactly has no bound."""

Initializers = Iterator[keras.initializers.Initializer]
LayerOptions = Mapping[str, Any]
PLAIN: LayerOptions = {}
Loss = str | Callable[[Any, Any], Any]


class Head(Protocol):
    """Output layers of a network in training."""

    @property
    def loss(self) -> Loss:
        """The loss of a batch."""

    @property
    def metrics(self) -> list[Any]:
        """Figures that Keras shows beside the loss."""

    @property
    def monitor(self) -> str:
        """The figure of the validation rows that decides when to stop."""

    def connect(
        self, outputs: Any, initializers: Initializers, options: LayerOptions = PLAIN
    ) -> Any:
        """Add the output layers to hidden `outputs`; `options` are those of the last."""

    def truth(self, rows: Rows) -> NDArray[Any]:
        """Return what the loss compares the outputs with."""

    def finished(self, model: keras.Model) -> keras.Model:
        """Return the trained model with outputs in the target's unit."""


@dataclass(frozen=True, slots=True)
class ClassHead:
    """A softmax of classes."""

    classes: int
    loss: Loss = "sparse_categorical_crossentropy"
    monitor: str = "val_loss"

    @property
    def metrics(self) -> list[Any]:
        """The accuracy."""
        return ["accuracy"]

    def connect(
        self, outputs: Any, initializers: Initializers, options: LayerOptions = PLAIN
    ) -> Any:
        """Add a softmax layer."""
        last = keras.layers.Dense(
            self.classes,
            kernel_initializer=next(initializers),
            name="grades",
            **{**options, "activation": "softmax"},
        )
        return last(outputs)

    def truth(self, rows: Rows) -> NDArray[Any]:
        """Return the class indices `(N,)`."""
        assert isinstance(rows, Table)  # noqa: S101 - a layout of classes has read them
        return rows.labels

    def finished(self, model: keras.Model) -> keras.Model:
        """Return the model as it is."""
        return model


@dataclass(frozen=True, slots=True)
class RegressionHead:
    """A value, mean and variance, or three quantiles."""

    kind: str
    levels: tuple[float, ...]
    """Levels of the quantiles; empty for other heads."""
    mean: float
    std: float
    """Number that is 0 in training, and how much more is 1: mean and deviation in the fit rows."""
    beta: float
    """Exponent β of the loss of a normal head, see `normal_loss`."""

    @classmethod
    def of(
        cls, target: NumberTarget, values: Floats, beta: float, scaling: Scaling = "standard"
    ) -> "RegressionHead":
        """Make the head of a target, in units of the values `(N,)` of the fit rows.

        Those are standard units, or else shares of the mean's size, if that is not 0.
        """
        mean = float(values.mean())
        if scaling == "mean" and mean != 0:
            # A negative unit would turn the order of quantiles around.
            return cls(target.head, target.levels, 0.0, abs(mean), beta)
        # The deviation of equal values can differ from 0 by rounding.
        std = target.std if values.min() == values.max() else float(values.std())
        return cls(target.head, target.levels, mean, std, beta)

    @property
    def loss(self) -> Loss:
        """Squared error, β-NLL or the pinball loss."""
        if self.kind == "normal":
            return normal_loss(self.beta)
        return pinball_loss(self.levels) if self.kind == "quantiles" else "mse"

    @property
    def metrics(self) -> list[Any]:
        """The negative log-likelihood, which β-NLL is not."""
        return [nll] if self.kind == "normal" else []

    @property
    def monitor(self) -> str:
        """The loss; of a normal head the negative log-likelihood, a proper score."""
        return "val_nll" if self.kind == "normal" else "val_loss"

    def connect(
        self, outputs: Any, initializers: Initializers, options: LayerOptions = PLAIN
    ) -> Any:
        """Add the output layers, in standard units."""
        if self.kind == "normal":
            mean = _unit(outputs, initializers, "mean")
            noise = _unit(outputs, initializers, "noise", activation="softplus")
            variance = keras.layers.Rescaling(1.0, LEAST_VARIANCE, name="variance")(noise)
            return keras.layers.Concatenate(name="normal")([mean, variance])
        if self.kind == "quantiles":
            middle = _unit(outputs, initializers, "middle")
            below = _unit(outputs, initializers, "below", activation="softplus")
            above = _unit(outputs, initializers, "above", activation="softplus")
            lower = keras.layers.Subtract(name="lower")([middle, below])
            upper = keras.layers.Add(name="upper")([middle, above])
            return keras.layers.Concatenate(name="quantiles")([lower, middle, upper])
        return _unit(outputs, initializers, "value", **options)

    def truth(self, rows: Rows) -> NDArray[Any]:
        """Return the numbers in standard units, `(N, 1)`."""
        assert isinstance(rows, NumberRows)  # noqa: S101 - a layout of a number has read them
        return ((rows.values - self.mean) / self.std).astype(np.float32)[:, None]

    def finished(self, model: keras.Model) -> keras.Model:
        """Return the model with a layer that scales its outputs to the number's unit."""
        scale: Any = self.std
        offset: Any = self.mean
        if self.kind == "normal":
            scale, offset = [self.std, self.std**2], [self.mean, 0.0]
        unit = keras.layers.Rescaling(scale, offset, name="unit")
        return keras.Model(model.input, unit(model.output), name=model.name)


def normal_loss(beta: float) -> Callable[[Any, Any], Any]:
    """Return β-NLL (Seitzer et al. 2022, equation 5) of outputs mean and variance `(N, 2)`.

    With β = 0 it is the negative log-likelihood of a normal distribution, without its constant;
    with β = 1 every row's error counts alike for the mean, as in the squared error. Between them
    rows whose variance is large are not given up.
    """

    def loss(truth: Any, outputs: Any) -> Any:
        mean, variance = outputs[:, :1], outputs[:, 1:]
        nll = (keras.ops.log(variance) + keras.ops.square(truth - mean) / variance) / 2
        return keras.ops.mean(keras.ops.stop_gradient(variance) ** beta * nll, axis=-1)

    return loss


def pinball_loss(levels: Sequence[float]) -> Callable[[Any, Any], Any]:
    """Return the mean pinball loss (Koenker & Bassett 1978) of quantiles `(N, Q)` at `(Q,)` levels.

    An error counts in proportion to the level below the truth, and to 1 − level above it.
    """

    def loss(truth: Any, outputs: Any) -> Any:
        of_levels, errors = keras.ops.convert_to_tensor(levels, outputs.dtype), truth - outputs
        return keras.ops.mean(
            keras.ops.maximum(of_levels * errors, (of_levels - 1) * errors), axis=-1
        )

    return loss


def nll(truth: Any, outputs: Any) -> Any:
    """Compute the negative log-likelihood of a normal head, without its constant."""
    return normal_loss(0.0)(truth, outputs)


def _unit(outputs: Any, initializers: Initializers, name: str, **options: Any) -> Any:
    layer = keras.layers.Dense(1, kernel_initializer=next(initializers), name=name, **options)
    return layer(outputs)
