"""Chooses the backend of a network, and builds the engine of a program on it; without Keras."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dubito.engine.backends.native.engine import NativeEngine
from dubito.engine.backends.native.library import kernel
from dubito.engine.backends.native.lowering import lowered
from dubito.engine.backends.numpy import Stacked
from dubito.engine.engine import BlockEngine, Engine
from dubito.engine.ensemble import combined
from dubito.engine.program import Program
from dubito.errors import BackendUnavailable
from dubito.types import ALONE, Backend, Threads

BACKENDS: dict[str, Backend] = {"native": "native", "stacked": "numpy", "graph": "tensorflow"}
"""Backends, by the first word of the engine's name in a numerical environment."""
NO_OPERATION = "the network has layers that the {} backend does not run"


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend other than `auto`, and why it is not the native one."""

    backend: Backend
    why: str | None = None
    """Clause; None with the native backend, and with one that was asked for."""


def choose(programs: Sequence[Program], backend: Backend = "auto") -> Choice:
    """Choose the backend of networks, given as programs, or none if a layer has no kernel.

    A backend other than `auto` is returned as it is, whether it runs the network or not.
    """
    if backend != "auto":
        return Choice(backend)
    if not programs:
        return Choice("tensorflow", NO_OPERATION.format("native"))
    try:
        for program in programs:
            _native(program, ALONE)
    except BackendUnavailable as error:
        return Choice("numpy", str(error))
    return Choice("native")


def engine_for(programs: Sequence[Program], backend: Backend, threads: Threads = ALONE) -> Engine:
    """Build the engine of programs.

    Args:
        programs: the network, or the members of an ensemble.
        backend: the backend; `tensorflow` runs no programs.
        threads: how threads share the work of one call.

    Raises:
        BackendUnavailable: the native backend was not built, or does not have all operations.
    """
    if choose(programs, backend).backend == "native":
        return combined([_native(program, threads) for program in programs])
    return combined([BlockEngine(Stacked(program, threads.most)) for program in programs])


def backend_of(engine: str) -> Backend | None:
    """Return the backend of an engine, by its name in a numerical environment; None if unknown."""
    return BACKENDS.get(engine.partition(" ")[0].rstrip(","))


def has_backend(backend: Backend) -> bool:
    """Whether this machine has a backend."""
    if backend == "native":
        try:
            kernel()
        except BackendUnavailable:
            return False
    return True


def _native(program: Program, threads: Threads) -> Engine:
    library, network = kernel(), lowered(program)
    if network is None:
        raise BackendUnavailable(NO_OPERATION.format("native"))
    # A formula of a domain may need a kernel of its own, which may not be there.
    network.inputs(library, np.ones((1, program.shape[0])))
    return NativeEngine(library, network, program, threads)
