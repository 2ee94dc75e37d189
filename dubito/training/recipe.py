"""How a network is trained: architecture, optimiser, epochs."""

import warnings
from dataclasses import dataclass, replace
from typing import Any, Literal

import keras

from dubito.loans.grader import Grader
from dubito.loans.layers.features import LoanFeatures
from dubito.training.architecture import Architecture

Optimizer = Literal["adamw", "adam", "sgd"]

STUDY = Architecture()

ADAPTIVE = ("adamw", "adam")
"""Optimisers that scale each weight's gradient, and with it the gradient of an L2 penalty."""


class PenaltyWarning(UserWarning):
    """An L2 penalty with an optimiser under which it does not act as weight decay."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything about a training but data and seeds; the defaults are the study's."""

    architecture: Architecture = STUDY
    grader: Grader | None = None
    """Instead of the architecture: the network that reads loans by their lender's rate book."""
    features: Literal["plain", "loan"] = "plain"
    """The nine numbers as they are, or their logs and ratios inside the network."""
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

    def without_grader(self) -> "Recipe":
        """For loans whose lender's rate book cannot be read: the next best network."""
        return replace(RECIPES["residual"], passes=self.passes, calibrated=self.calibrated)

    def feature_layer(self) -> keras.layers.Layer | None:
        """The layer of domain features, if there is one."""
        return LoanFeatures(name="loan_features") if self.features == "loan" else None

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


RECIPES = {
    "study": Recipe(),
    "residual": Recipe(
        architecture=Architecture(
            widths=(96,) * 5, activation="silu", rate=0.1, placement="hidden", residual=True
        ),
        features="loan",
        learning_rate=3e-3,
        weight_decay=0.03,
        schedule="cosine",
        batch=64,
        epochs=60,
        patience=60,
    ),
    "lattice": Recipe(
        grader=Grader(),
        features="loan",
        learning_rate=3e-3,
        weight_decay=0.1,
        schedule="warm",
        clip=1.0,
        average=0.995,
        batch=128,
        epochs=16,
        patience=16,
        calibrated=True,
    ),
}
"""By name: the study's own training, a better network of its kind, and the best."""
