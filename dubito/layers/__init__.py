"""Keras layers of Dubito: Monte-Carlo dropout, imputation, encoding and lookup.

Files of networks name this module only, so classes can move between the modules inside it.
"""

from dubito.layers.encode import Encode
from dubito.layers.impute import Impute
from dubito.layers.lookup import Discretize, Lookup, SelectColumns
from dubito.layers.monte_carlo import (
    MCAlphaDropout,
    MCDropout,
    MCGaussianDropout,
    MCSpatialDropout1D,
)

__all__ = [
    "Discretize",
    "Encode",
    "Impute",
    "Lookup",
    "MCAlphaDropout",
    "MCDropout",
    "MCGaussianDropout",
    "MCSpatialDropout1D",
    "SelectColumns",
]
