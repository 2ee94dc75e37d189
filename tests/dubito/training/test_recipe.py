"""Recipes with a network of a domain's own, and what is done where it cannot be built."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np

from dubito.bundles.validation.inspection import inspect
from dubito.layout import CardWords, Language, Layout
from dubito.loans.columns import LAYOUT
from dubito.training.data import Table
from dubito.training.fit import fit
from dubito.training.heads import ClassHead
from dubito.training.model_card import training_cards
from dubito.training.recipe import Parts, Recipe
from dubito.training.split import Split
from dubito.types import Floats, Indices
from tests.service import ROOT

ROWS = np.array([[0.0, 1.0], [1.0, 0.0]] * 20)
TABLE = Table(ROWS, ROWS[:, 1].astype(np.intp), "toy", "sha256:")
NOTHING = np.array([], np.intp)


@dataclass(frozen=True)
class Toy:
    """A network of one layer, which needs to know a number of units."""

    units: int = 0

    def learn(self, rows: Floats, labels: Indices, classes: int) -> "Toy | None":
        return replace(self, units=rows.shape[1] + classes) if len(labels) else None

    def build(
        self, rows: Floats, imputed: Sequence[float | None], classes: int, seed: int
    ) -> Parts:
        inputs = keras.Input((rows.shape[1],))
        hidden = keras.layers.Dropout(0.5, seed=seed)(keras.layers.Dense(self.units)(inputs))
        model = keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(hidden))
        return Parts(model, stem=None, head=model)

    def describe(self, language: Language) -> str:
        return {"en": "A toy", "ko": "장난감"}[language] + f" ({self.units})"


def test_a_network_is_built_of_what_it_learnt() -> None:
    """`fit` trains what the domain's network builds, with its dropout on for good."""
    recipe = Recipe(network=Toy(), epochs=1).learn(ROWS, TABLE.labels, 2)
    model = fit(recipe, TABLE, TABLE, [None, None], ClassHead(2), 0, verbose=0)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert ["InputLayer", "Dense", "MCDropout", "Dense"] == kinds
    assert 4 == model.layers[1].units


def test_rows_that_teach_nothing_are_for_the_fallback() -> None:
    """Its own recipe, or the study's; passes and calibration stay as they were asked for."""
    other = Recipe(epochs=9)
    recipe = Recipe(network=Toy(), fallback=other, passes=20, calibrated=True)
    taken = recipe.learn(ROWS[:0], NOTHING, 2)
    assert replace(other, passes=20, calibrated=True) == taken
    study = replace(recipe, fallback=None).learn(ROWS[:0], NOTHING, 2)
    assert Recipe(passes=20, calibrated=True) == study


def test_a_recipe_of_an_architecture_learns_nothing() -> None:
    """It is built of the rows alone."""
    assert Recipe(epochs=2) == Recipe(epochs=2).learn(ROWS, TABLE.labels, 2)


def test_cards_have_the_domains_words() -> None:
    """Its network and its rows in each language; where it has no words, English and rows."""
    manifest = inspect(ROOT / "models" / "loan-grade" / "5").manifest
    split = Split(NOTHING, NOTHING, np.array([0]), NOTHING)
    recipe = Recipe(network=Toy(3), average=0.9)

    def written(layout: Layout) -> tuple[str, str | None]:
        told = training_cards(manifest, layout, recipe, TABLE, split, 10)
        return told.english, told.korean

    english, korean = written(
        replace(
            LAYOUT,
            words={"en": CardWords("toys", ("Do not swallow.",)), "ko": CardWords("장난감")},
        )
    )
    assert "A toy (3); adamw" in english
    assert "averaged with momentum 0.9." in english
    assert "for toys exchangeable" in english
    assert "Do not swallow. None of the figures" in english
    assert korean is not None
    assert "장난감 (3). adamw" in korean
    plain, none = written(replace(LAYOUT, words={}))
    assert "for rows exchangeable" in plain
    assert none is None
