"""Keras layers of Dubito: Monte-Carlo dropout and imputation.

Files of networks name this module; where inside it a class is defined is of no matter to them.
"""

from dubito.layers.impute import Impute
from dubito.layers.monte_carlo import (
    MCAlphaDropout,
    MCDropout,
    MCGaussianDropout,
    MCSpatialDropout1D,
)

__all__ = ["Impute", "MCAlphaDropout", "MCDropout", "MCGaussianDropout", "MCSpatialDropout1D"]
