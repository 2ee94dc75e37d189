"""Keras layers of Dubito: Monte-Carlo dropout, recurrence, imputation, encoding and lookup.

Files of networks name this module only, so classes can move between the modules inside it.
"""

from dubito.layers.attention import MaskedAttention
from dubito.layers.encode import Encode
from dubito.layers.impute import Impute
from dubito.layers.lookup import Discretize, Lookup, SelectColumns
from dubito.layers.monte_carlo import (
    MCAlphaDropout,
    MCDropout,
    MCGaussianDropout,
    MCGaussianNoise,
    MCSpatialDropout1D,
    MCSpatialDropout2D,
)
from dubito.layers.recurrent import MaskedGRU, MaskedLSTM, Ones

__all__ = [
    "Discretize",
    "Encode",
    "Impute",
    "Lookup",
    "MCAlphaDropout",
    "MCDropout",
    "MCGaussianDropout",
    "MCGaussianNoise",
    "MCSpatialDropout1D",
    "MCSpatialDropout2D",
    "MaskedAttention",
    "MaskedGRU",
    "MaskedLSTM",
    "Ones",
    "SelectColumns",
]
