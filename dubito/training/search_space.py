"""Search spaces of `dubito tune`: regularisers, size and optimiser of a recipe, by its name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import keras_tuner

from dubito.domains import STUDY, TABLE
from dubito.training.recipe import TABLE_RECIPE, Recipe

Choices = Mapping[str, int | float | str | bool]
"""Value of each hyperparameter of the space, by name."""

DIGITS = 3
"""Significant digits of a drawn number, few enough for people to read and type a recipe."""


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Values of hyperparameters that are tried, and the recipe whose others stay."""

    base: Recipe
    hyperparameters: Callable[[], keras_tuner.HyperParameters]
    """Each has the base's own value as its default."""
    epochs: int
    """Default of the largest number of epochs of a trial."""


def _study() -> keras_tuner.HyperParameters:
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


def _table() -> keras_tuner.HyperParameters:
    choices = keras_tuner.HyperParameters()
    choices.Choice("layers", [2, 3, 4], default=3)
    choices.Choice("width", [32, 64, 128, 192], default=64)
    choices.Choice("activation", ["relu", "silu"], ordered=False, default="silu")
    choices.Float("rate", 0.02, 0.6, default=0.4)
    choices.Choice("placement", ["every", "hidden", "output"], ordered=False, default="hidden")
    choices.Float("learning_rate", 3e-4, 1e-2, sampling="log", default=1e-3)
    choices.Float("weight_decay", 1e-4, 1e-1, sampling="log", default=0.03)
    choices.Choice("batch", [32, 64, 128, 256], default=128)
    return choices


SPACES: Mapping[str, SearchSpace] = {
    STUDY: SearchSpace(Recipe(), _study, epochs=10),
    TABLE: SearchSpace(TABLE_RECIPE, _table, epochs=60),
}
"""Spaces by the name of the recipe."""


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


def recipe_of(choices: Choices, epochs: int, base: Recipe) -> Recipe:
    """Return a recipe with the choices applied."""
    flags, shape = flags_of(choices, epochs), base.architecture
    known = type(shape).__dataclass_fields__
    architecture = {name: value for name, value in flags.items() if name in known}
    others = {name: value for name, value in flags.items() if name not in known}
    return replace(base, architecture=replace(shape, **architecture), **others)  # type: ignore[arg-type]
