"""Training recipes: network, optimiser, learning-rate schedule, epochs and defaults of a bundle."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pkgutil import resolve_name
from typing import Any, Literal, Protocol

import keras

from dubito.domains import STUDY, Domain
from dubito.layout import Language, Scaling
from dubito.training.architecture import Architecture
from dubito.types import Floats, Indices

Optimizer = Literal["adamw", "adam", "sgd"]

PLAIN = Architecture()

ADAPTIVE = ("adamw", "adam")
"""Optimisers that scale each weight's gradient, and with it the gradient of an L2 penalty."""


class PenaltyWarning(UserWarning):
    """Warning of an L2 penalty under an optimiser where it does not act as weight decay."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Network split into a fixed stem and a trained head."""

    model: keras.Model
    stem: keras.Model | None
    """Model from rows to the inputs of `head`, with nothing trained or random in it; None if
    `head` takes rows."""
    head: keras.Model
    """Trained part; shares its layers with `model`."""


class NetworkBuilder(Protocol):
    """Builds a network that is specific to a domain."""

    def learn(self, rows: Floats, labels: Indices, classes: int) -> "NetworkBuilder | None":
        """Return a builder with the constants of the network learnt from the fit rows.

        Args:
            rows: `(N, F)`; NaN only where a value is missing.
            labels: `(N,)`, class indices.
            classes: number of classes.

        Returns:
            The builder, or None if these rows do not suffice for the network.
        """

    def build(
        self, rows: Floats, imputed: Sequence[float | None], classes: int, seed: int
    ) -> Parts:
        """Build an untrained classifier of raw rows, with Keras' plain dropout.

        Args:
            rows: `(N, F)` fit rows, which normalisation is fitted to.
            imputed: for each column, the value that replaces a missing one, or None.
            classes: number of classes.
            seed: seed of initial weights and dropout.
        """

    def describe(self, language: Language) -> str:
        """Describe the network and its sizes for the model card: a sentence without its end."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All options of a training except data and seeds; the defaults are the study's."""

    architecture: Architecture = PLAIN
    features: Callable[[], keras.layers.Layer] | None = None
    """Factory of a layer that derives a domain's features, which replace the row as the input of
    the architecture."""
    network: NetworkBuilder | None = None
    """Builder of a network specific to a domain, used instead of the architecture."""
    fallback: "Recipe | None" = None
    """Recipe used if the fit rows do not suffice for `network`; the study's if None."""
    optimizer: Optimizer = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 4e-3
    """Decoupled weight decay of AdamW (Loshchilov & Hutter 2019); Keras' own default."""
    momentum: float = 0.9
    """Nesterov momentum of SGD."""
    schedule: Literal["constant", "cosine", "warm"] = "constant"
    """Schedule of the learning rate; `warm` is a cosine decay after a linear warm-up during the
    first twentieth of the steps."""
    clip: float | None = None
    """Largest norm of the gradient of one weight tensor; None for no clipping."""
    average: float | None = None
    """Momentum of an exponential moving average of the weights, which replaces the weights after
    the last epoch; None for early stopping instead."""
    batch: int = 16
    epochs: int = 5
    patience: int = 5
    """Epochs without a better validation loss after which training stops."""
    passes: int = 100
    """Default number of passes of the bundle."""
    encoded: bool = False
    """Whether categories, gaps and skewed numbers are encoded, see `dubito.training.encoding`;
    otherwise the network gets a category's place in the list, and numbers as they are."""
    scaling: Scaling = "standard"
    """Scaling of the columns, and of a number to predict, for training."""
    beta: float = 0.5
    """Exponent β of the loss of a normal head; the value that Seitzer et al. (2022) recommend."""
    calibrated: bool = False
    """Whether rows are held out to calibrate probabilities, sets and decisions."""

    def learn(self, rows: Floats, labels: Indices, classes: int) -> "Recipe":
        """Return the recipe with its network fitted to rows `(N, F)` with classes `(N,)`.

        If the rows do not suffice, return the fallback with this recipe's passes and calibration.
        """
        if self.network is None:
            return self
        network = self.network.learn(rows, labels, classes)
        if network is not None:
            return replace(self, network=network)
        other = self.fallback or Recipe()
        return replace(other, passes=self.passes, calibrated=self.calibrated)

    def make_optimizer(self, steps: int) -> keras.optimizers.Optimizer:
        """Create the optimiser for a training of at most `steps` steps.

        Warns about L2 with Adam or AdamW: the adaptive step divides the penalty's gradient by the
        same running scale as the loss', so weights with large gradients hardly shrink.
        """
        if self.architecture.l2 and self.optimizer in ADAPTIVE:
            warnings.warn(
                f"L2 does not decay weights under {self.optimizer}: use weight decay (AdamW)",
                PenaltyWarning,
                stacklevel=2,
            )
        rate = self._rate(steps)
        common: dict[str, Any] = {"clipnorm": self.clip}
        if self.average is not None:
            common |= {"use_ema": True, "ema_momentum": self.average}
        match self.optimizer:
            case "adamw":
                return keras.optimizers.AdamW(rate, weight_decay=self.weight_decay, **common)
            case "adam":
                return keras.optimizers.Adam(rate, **common)
            case "sgd":
                return keras.optimizers.SGD(rate, momentum=self.momentum, nesterov=True, **common)

    def _rate(self, steps: int) -> Any:
        """Return the learning rate, or its schedule over `steps` steps."""
        decay = keras.optimizers.schedules.CosineDecay
        match self.schedule:
            case "constant":
                return self.learning_rate
            case "cosine":
                return decay(self.learning_rate, steps)
            case "warm":
                rising = max(1, steps // 20)
                return decay(
                    self.learning_rate / 300,
                    steps - rising,
                    warmup_target=self.learning_rate,
                    warmup_steps=rising,
                )


TABLE_RECIPE = Recipe(
    architecture=Architecture(
        widths=(64,) * 3, activation="silu", rate=0.4, placement="hidden", residual=True
    ),
    encoded=True,
    learning_rate=1e-3,
    weight_decay=0.03,
    batch=128,
    epochs=200,
    patience=16,
    calibrated=True,
)
"""Recipe for any table: a residual network (Gorishniy et al. 2021) of encoded columns."""

REGRESSOR_RECIPE = Recipe(
    architecture=Architecture(
        widths=(2, 2), activation="relu", rate=0.2, placement="output", l1=0.01, alike=True
    ),
    optimizer="sgd",
    learning_rate=0.01,
    scaling="mean",
    epochs=40,
    calibrated=True,
)
"""The study's regressor, with columns scaled to a mean of 1 and dropout before its output."""


def find_recipe(domain: Domain, name: str) -> Recipe:
    """Return the study's recipe or one of the domain's, by name."""
    if name == STUDY:
        return Recipe()
    recipe: Recipe = resolve_name(domain.recipes[name].path)
    return recipe
