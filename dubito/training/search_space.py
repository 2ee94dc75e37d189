"""Search space of `dubito tune`: regularisers, network size and optimiser of the study's recipe."""

from collections.abc import Mapping

import keras_tuner

from dubito.training.architecture import Architecture
from dubito.training.recipe import Recipe

Choices = Mapping[str, int | float | str | bool]
"""Value of each hyperparameter of the space, by name."""

DIGITS = 3
"""Significant digits of a drawn number, few enough for people to read and type a recipe."""


def space() -> keras_tuner.HyperParameters:
    """Return the hyperparameters, each with the study's own value as its default."""
    choices = keras_tuner.HyperParameters()
    choices.Choice("layers", [1, 2, 3], default=2)
    choices.Choice("width", [8, 16, 32, 64, 96], default=16)
    choices.Choice("activation", ["relu", "selu", "silu"], ordered=False, default="relu")
    choices.Float("rate", 0.02, 0.6, default=0.4)
    choices.Choice("placement", ["every", "hidden", "output"], ordered=False, default="every")
    choices.Boolean("batch_norm", default=False)
    choices.Choice("l1", [0.0, 1e-5, 1e-4, 1e-3], default=0.0)
    choices.Float("learning_rate", 3e-4, 1e-2, sampling="log", default=1e-3)
    choices.Float("weight_decay", 1e-4, 1e-1, sampling="log", default=4e-3)
    choices.Choice("batch", [16, 32, 64], default=16)
    return choices


def rounded(drawn: Choices) -> Choices:
    """Round the drawn floats to `DIGITS` significant digits."""
    return {
        name: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
        for name, value in drawn.items()
    }


def flags_of(choices: Choices, epochs: int) -> dict[str, object]:
    """Return the choices as arguments of `dubito train`, by name."""
    flags: dict[str, object] = dict(choices)
    layers, width = int(choices["layers"]), int(choices["width"])
    del flags["layers"], flags["width"]
    return {**flags, "widths": (width,) * layers, "epochs": epochs}


def recipe_of(choices: Choices, epochs: int) -> Recipe:
    """Return the study's recipe with the choices applied."""
    flags = flags_of(choices, epochs)
    shape = Architecture.__dataclass_fields__
    architecture = {name: value for name, value in flags.items() if name in shape}
    others = {name: value for name, value in flags.items() if name not in shape}
    return Recipe(architecture=Architecture(**architecture), **others)  # type: ignore[arg-type]
