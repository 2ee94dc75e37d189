"""Entry point of compilation: builds the engine of a Keras network on the right backend."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dubito.engine.backends.choice import NO_OPERATION, engine_for
from dubito.engine.backends.tensorflow import Graph
from dubito.engine.compiler.admission import check_layer
from dubito.engine.compiler.flattening import flatten
from dubito.engine.compiler.lowering import program_of
from dubito.engine.engine import BlockEngine, Engine
from dubito.engine.ensemble import combined
from dubito.errors import BackendUnavailable, NetworkError
from dubito.layers.archive import from_bytes
from dubito.types import ALONE, Backend, Threads


def engine_of(model: keras.Model, threads: Threads = ALONE, backend: Backend = "auto") -> Engine:
    """Build the engine of a network; TensorFlow runs layers that no other backend has.

    Args:
        model: the network.
        threads: how threads share the work of one call.
        backend: the backend.

    Raises:
        NetworkError: the network has layers that are not allowed, see
            `dubito.engine.compiler.flattening`.
        BackendUnavailable: the backend is not there, or does not run all layers.
    """
    plan = flatten(model)
    program = None if backend == "tensorflow" else program_of(plan)
    if program is not None:
        return engine_for([program], backend, threads)
    for step in plan.steps:
        check_layer(step)
    if backend in ("native", "numpy"):
        raise BackendUnavailable(NO_OPERATION.format(backend))
    return BlockEngine(Graph(plan))


def read_engine(
    networks: Sequence[bytes], threads: Threads = ALONE, backend: Backend = "auto"
) -> Engine:
    """Build the engine of a bundle's networks from the bytes of their checked files.

    Raises:
        NetworkError: Keras cannot read a network, or it has layers that are not allowed.
    """
    try:
        return combined([engine_of(from_bytes(one), threads, backend) for one in networks])
    except (ValueError, TypeError, KeyError, OSError, tf.errors.OpError) as error:
        raise NetworkError("the network cannot be read by Keras") from error
