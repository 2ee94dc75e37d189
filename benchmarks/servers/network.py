"""Loads the network that every peer serves: the study's, 100 passes in one tiled `tf.function`.

`benchmarks.peers` exports it, with mean and standard deviation in the graph. This is the only file
of the project that peers need.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

FEATURES = 9
NETWORK = "PEERS_NETWORK"
"""Name of the environment variable with the exported network's folder."""

Run = Callable[[Any], tuple[Any, Any]]


def load() -> Run:
    """Load a function from rows `(N, 9)` to mean and standard deviation `(N, C)`, warmed up."""
    network = tf.saved_model.load(os.environ[NETWORK])

    def run(rows: Any) -> tuple[Any, Any]:
        mean, std = network.run(tf.constant(np.asarray(rows, dtype=np.float32)))
        return mean.numpy(), std.numpy()

    for rows in (1, 2, 64):
        run(np.ones((rows, FEATURES)))
    return run
