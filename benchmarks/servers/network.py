"""What every peer serves: the study's network, 100 passes in one tiled `tf.function`.

`benchmarks.peers` exports it; mean and standard deviation are in the graph. No peer needs more of
this project than this file.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

FEATURES = 9
NETWORK = "PEERS_NETWORK"
"""Environment variable: the folder of the exported network."""

Run = Callable[[Any], tuple[Any, Any]]


def load() -> Run:
    """From rows `(N, 9)` to mean and standard deviation `(N, C)`, already called once."""
    network = tf.saved_model.load(os.environ[NETWORK])

    def run(rows: Any) -> tuple[Any, Any]:
        mean, std = network.run(tf.constant(np.asarray(rows, dtype=np.float32)))
        return mean.numpy(), std.numpy()

    for rows in (1, 2, 64):
        run(np.ones((rows, FEATURES)))
    return run
