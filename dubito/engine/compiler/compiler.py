"""Compilation: from a Keras network to the engine that runs it."""

import keras
import tensorflow as tf

from dubito.engine.backends.numpy import Stacked
from dubito.engine.backends.tensorflow import Graph
from dubito.engine.compiler.lowering import program_of
from dubito.engine.compiler.plan import plan
from dubito.engine.engine import Engine
from dubito.errors import NetworkError
from dubito.layers.archive import from_bytes


def engine_of(model: keras.Model, threads: int = 1) -> Engine:
    """The engine of a network: on the lean execution where all its layers have kernels.

    Args:
        model: the network.
        threads: how many may share the work of one call.

    Raises:
        NetworkError: a network that is not made of allowed layers, see `dubito.engine.compiler.plan`.
    """
    laid = plan(model)
    program = program_of(laid)
    return Engine(Graph(laid) if program is None else Stacked(program, threads))


def read_engine(network: bytes, threads: int = 1) -> Engine:
    """The engine of a network in the bytes of a checked `model.keras`.

    Raises:
        NetworkError: Keras cannot read it, or it is not made of allowed layers.
    """
    try:
        return engine_of(from_bytes(network), threads)
    except (ValueError, TypeError, KeyError, OSError, tf.errors.OpError) as error:
        raise NetworkError("the network cannot be read by Keras") from error
