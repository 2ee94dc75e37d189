"""Training recipes that belong to no domain."""

from dubito.training.architecture import Architecture
from dubito.training.recipe import Recipe

TABLE_RECIPE = Recipe(
    architecture=Architecture(
        widths=(64,) * 3, activation="silu", rate=0.2, placement="hidden", residual=True
    ),
    encoded=True,
    learning_rate=2e-3,
    weight_decay=0.01,
    batch=64,
    epochs=200,
    patience=16,
    calibrated=True,
)
"""Recipe for any table: a residual network (Gorishniy et al. 2021) of encoded columns."""
