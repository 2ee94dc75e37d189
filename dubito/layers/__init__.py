"""Keras layers of Dubito: Monte-Carlo dropout, imputation and encoding.

Files of networks name this module only, so classes can move between the modules inside it.
"""

from dubito.layers.encode import Encode
from dubito.layers.impute import Impute
from dubito.layers.monte_carlo import (
    MCAlphaDropout,
    MCDropout,
    MCGaussianDropout,
    MCSpatialDropout1D,
)

__all__ = [
    "Encode",
    "Impute",
    "MCAlphaDropout",
    "MCDropout",
    "MCGaussianDropout",
    "MCSpatialDropout1D",
]
