"""Builds the engine of a program on the backend that is asked for; without Keras."""

from typing import Literal

from dubito.engine.backends.native.engine import NativeEngine
from dubito.engine.backends.native.library import kernel
from dubito.engine.backends.native.network import lowered
from dubito.engine.backends.numpy import Stacked
from dubito.engine.engine import BlockEngine, Engine
from dubito.engine.program import Program
from dubito.errors import NetworkError

Backend = Literal["numpy", "native"]
NO_KERNEL = "the network has operations that the native backend does not run: use numpy"


def engine_for(program: Program, backend: Backend, threads: int = 1) -> Engine:
    """Build the engine of a program.

    Args:
        program: the network.
        backend: `numpy`, or `native`, a kernel in C whose bits no library or version changes.
        threads: most threads that share the work of one call.

    Raises:
        NetworkError: the native backend was not built, or does not have all operations.
    """
    if backend == "numpy":
        return BlockEngine(Stacked(program, threads))
    library, network = kernel(), lowered(program)
    if library is None:
        raise NetworkError(
            "the native backend is not there: it needs a C compiler at installation, and "
            "an x86-64 processor with FMA"
        )
    if network is None:
        raise NetworkError(NO_KERNEL)
    return NativeEngine(library, network, program, threads)
