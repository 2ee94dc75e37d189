"""The loans' own network: learnt with a rate book, or not at all."""

import numpy as np
import pytest

from dubito.layout import Language
from dubito.loans.grader import Grader, Sizes
from dubito.loans.recipes import LATTICE, RESIDUAL
from tests.dubito.loans.lender import NORTH, loans
from tests.service import ROOT

CARDS: dict[Language, str] = {"en": "MODEL_CARD.md", "ko": "MODEL_CARD.ko.md"}
SHIPPED = ROOT / "models" / "loan-grade" / "5"


def test_a_lenders_loans_teach_it_the_rate_book() -> None:
    """The rest of the recipe stays, and the network has the lattice of that book."""
    made = loans(NORTH, 400, 1)
    recipe = LATTICE.learn(made.rows, made.labels, 4)
    assert isinstance(recipe.network, Grader)
    assert recipe.network.book is not None
    assert set(NORTH.terms) <= set(recipe.network.book.terms)
    parts = recipe.network.build(made.rows, [None] * 9, 4, 0)
    assert {"lattice", "loan_features", "grades"} <= {layer.name for layer in parts.model.layers}
    assert parts.stem is not None
    assert not parts.stem.trainable_weights


def test_loans_without_a_book_are_for_the_residual_network() -> None:
    """Calibrated as it was asked for."""
    nothing = np.tile([5_000.0, 5e4, 20, 25, 0, 0, 0, 0, 0], (50, 1))
    recipe = LATTICE.learn(nothing, np.zeros(50, np.intp), 7)
    assert RESIDUAL.architecture == recipe.architecture
    assert recipe.network is None
    assert recipe.calibrated


def test_it_is_not_built_before_it_has_learnt() -> None:
    """There is no network without a rate book."""
    with pytest.raises(ValueError, match="has not learnt"):
        Grader(Sizes()).build(np.zeros((1, 9)), [None] * 9, 7, 0)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_shipped_cards_have_its_description(language: Language) -> None:
    """Sizes and rates of the shipped recipe, in either language."""
    assert LATTICE.network is not None
    card = (SHIPPED / CARDS[language]).read_text(encoding="utf-8")
    assert LATTICE.network.describe(language) in card
