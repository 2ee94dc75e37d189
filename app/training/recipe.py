"""How a network is trained: architecture, optimiser, epochs."""

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import keras

from app.network.architecture import Architecture
from app.network.loans.features import LoanFeatures

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
    features: Literal["plain", "loan"] = "plain"
    """The nine numbers as they are, or their logs and ratios inside the network."""
    optimizer: Optimizer = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 4e-3
    """Decoupled (Loshchilov & Hutter 2019); Keras' own default for AdamW."""
    momentum: float = 0.9
    """Of SGD, Nesterov's kind."""
    schedule: Literal["constant", "cosine"] = "constant"
    batch: int = 16
    epochs: int = 5
    patience: int = 5
    """Epochs without a better validation loss after which training stops."""
    passes: int = 100
    """Default number of passes of the bundle."""

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
        rate: Any = self.learning_rate
        if self.schedule == "cosine":
            rate = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps)
        match self.optimizer:
            case "adamw":
                return keras.optimizers.AdamW(rate, weight_decay=self.weight_decay)
            case "adam":
                return keras.optimizers.Adam(rate)
            case "sgd":
                return keras.optimizers.SGD(rate, momentum=self.momentum, nesterov=True)


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
}
"""By name: the study's own training, and the one of the better network."""
