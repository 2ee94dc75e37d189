"""Which execution a network gets."""

import keras

from app.network.engine import Engine
from app.network.graph import Graph
from app.network.lowering import program_of
from app.network.plan import plan
from app.network.stacked import Stacked


def engine_of(model: keras.Model, threads: int = 1) -> Engine:
    """The engine of a network: on the lean execution where all its layers have kernels.

    Args:
        model: the network.
        threads: how many may share the work of one call.

    Raises:
        NetworkError: a network that is not made of allowed layers, see `app.network.plan`.
    """
    laid = plan(model)
    program = program_of(laid)
    return Engine(Graph(laid) if program is None else Stacked(program, threads))
