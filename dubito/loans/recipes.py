"""Training recipes for loan networks, besides the study's."""

from dubito.loans.grader import Grader, Sizes
from dubito.loans.layers.features import LoanFeatures
from dubito.training.architecture import Architecture
from dubito.training.recipe import Recipe


def loan_features() -> LoanFeatures:
    """Create the layer that derives logs and ratios from the nine features."""
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
"""Residual network of derived features: a deeper, more accurate relative of the study's."""

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
"""Most accurate recipe, if the lender's rate book can be learnt from the loans; else `RESIDUAL`."""
