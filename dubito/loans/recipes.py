"""How networks of loans are trained, besides the study's way."""

from dubito.loans.grader import Grader, Sizes
from dubito.loans.layers.features import LoanFeatures
from dubito.training.architecture import Architecture
from dubito.training.recipe import Recipe


def loan_features() -> LoanFeatures:
    """The layer that makes logs and ratios of the nine numbers."""
    return LoanFeatures(name="loan_features")


RESIDUAL = Recipe(
    architecture=Architecture(
        widths=(96,) * 5, activation="silu", rate=0.1, placement="hidden", residual=True
    ),
    features=loan_features,
    learning_rate=3e-3,
    weight_decay=0.03,
    schedule="cosine",
    batch=64,
    epochs=60,
    patience=60,
)
"""A better network of the study's kind."""

LATTICE = Recipe(
    network=Grader(Sizes()),
    fallback=RESIDUAL,
    learning_rate=3e-3,
    weight_decay=0.1,
    schedule="warm",
    clip=1.0,
    average=0.995,
    batch=128,
    epochs=16,
    patience=16,
    calibrated=True,
)
"""The best, where the lender's rate book can be read from the loans."""
