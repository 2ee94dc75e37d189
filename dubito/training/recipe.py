"""How a network is trained: architecture, optimiser, epochs."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pkgutil import resolve_name
from typing import Any, Literal, Protocol

import keras

from dubito.domains import STUDY, Domain
from dubito.layout import Language
from dubito.training.architecture import Architecture
from dubito.types import Floats, Indices

Optimizer = Literal["adamw", "adam", "sgd"]

PLAIN = Architecture()

ADAPTIVE = ("adamw", "adam")
"""Optimisers that scale each weight's gradient, and with it the gradient of an L2 penalty."""


class PenaltyWarning(UserWarning):
    """An L2 penalty with an optimiser under which it does not act as weight decay."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A network, and where its part without weights ends."""

    model: keras.Model
    stem: keras.Model | None
    """Rows to what `head` takes: nothing in it is trained or random. None where `head` takes
    rows."""
    head: keras.Model
    """Shares its layers with `model`."""


class NetworkBuilder(Protocol):
    """Builds a network that a domain has of its own."""

    def learn(self, rows: Floats, labels: Indices, classes: int) -> "NetworkBuilder | None":
        """A builder that knows what the network is built on, learnt from the fitted rows.

        Args:
            rows: `(N, F)`; NaN only where a value is missing.
            labels: `(N,)`, class indices.
            classes: number of classes.

        Returns:
            None where these rows do not teach it.
        """

    def build(
        self, rows: Floats, imputed: Sequence[float | None], classes: int, seed: int
    ) -> Parts:
        """An untrained classifier of raw rows, with Keras' plain dropout.

        Args:
            rows: `(N, F)` fitted rows, which normalisation is adapted to.
            imputed: what stands for a missing value, by column, or None.
            classes: number of classes.
            seed: of initial weights and dropout.
        """

    def describe(self, language: Language) -> str:
        """The network and its sizes, for the model card: a sentence without its end."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything about a training but data and seeds; the defaults are the study's."""

    architecture: Architecture = PLAIN
    features: Callable[[], keras.layers.Layer] | None = None
    """Makes a layer of a domain's features, which the architecture then takes for the row."""
    network: NetworkBuilder | None = None
    """A network of a domain's own, instead of the architecture's."""
    fallback: "Recipe | None" = None
    """For rows that do not teach that network enough; the study's unless given."""
    optimizer: Optimizer = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 4e-3
    """Decoupled (Loshchilov & Hutter 2019); Keras' own default for AdamW."""
    momentum: float = 0.9
    """Of SGD, Nesterov's kind."""
    schedule: Literal["constant", "cosine", "warm"] = "constant"
    """Of the learning rate; `warm` is the cosine after a twentieth of rising steps."""
    clip: float | None = None
    """Largest norm of a weight's gradient."""
    average: float | None = None
    """Momentum of an exponential moving average of the weights, which the network then gets."""
    batch: int = 16
    epochs: int = 5
    patience: int = 5
    """Epochs without a better validation loss after which training stops."""
    passes: int = 100
    """Default number of passes of the bundle."""
    calibrated: bool = False
    """Whether a part is kept to calibrate probabilities, sets and decisions on."""

    def learn(self, rows: Floats, labels: Indices, classes: int) -> "Recipe":
        """The recipe with what its network learns from rows `(N, F)` with classes `(N,)`.

        Where they do not teach it enough: the fallback, with this recipe's passes and calibration.
        """
        if self.network is None:
            return self
        network = self.network.learn(rows, labels, classes)
        if network is not None:
            return replace(self, network=network)
        other = self.fallback or Recipe()
        return replace(other, passes=self.passes, calibrated=self.calibrated)

    def make_optimizer(self, steps: int) -> keras.optimizers.Optimizer:
        """The optimiser for a training of at most `steps` steps.

        L2 with Adam or AdamW warns: the adaptive step divides the penalty's gradient by the same
        running scale as the loss', so that weights with large gradients hardly shrink.
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
        """The learning rate, or its course over `steps` steps."""
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


def find_recipe(domain: Domain, name: str) -> Recipe:
    """The study's recipe, or one of the domain's, by name."""
    if name == STUDY:
        return Recipe()
    recipe: Recipe = resolve_name(domain.recipes[name].path)
    return recipe
