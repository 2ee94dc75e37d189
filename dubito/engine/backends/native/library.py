"""The compiled kernel: finds and loads it, and names the forms of its arithmetic."""

import ctypes
from collections.abc import Sequence
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np

from dubito.errors import BackendUnavailable
from dubito.types import MEASURES, Floats

LANES = 32
"""Passes that the kernel computes side by side, as its source says."""
FORMS = ("scalar", "avx2", "avx512")
"""Forms of the arithmetic, slowest first; all have the same bits."""
KERNEL = Path(__file__).with_name("_kernel")
"""Path of the kernel's file, without its suffix."""
MEMORY = "there is not enough memory for these rows and passes"


class KernelOperation(ctypes.Structure):
    """`Operation` of kernel.c; slots are offsets into a tile, in floats."""

    _fields_ = (
        ("kind", ctypes.c_int32),
        ("activation", ctypes.c_int32),
        ("inputs", ctypes.c_int32),
        ("units", ctypes.c_int32),
        ("repeat", ctypes.c_int32),
        ("group", ctypes.c_int32),
        ("stride", ctypes.c_int32),
        ("input", ctypes.c_int64),
        ("other", ctypes.c_int64),
        ("third", ctypes.c_int64),
        ("output", ctypes.c_int64),
        ("first", ctypes.c_void_p),
        ("second", ctypes.c_void_p),
        ("index", ctypes.c_void_p),
        ("scale", ctypes.c_float),
        ("offset", ctypes.c_float),
        ("saturated", ctypes.c_float),
        ("call", ctypes.c_int32),
        ("noises", ctypes.c_int32),
        ("dropped", ctypes.c_int32),
        ("is_random", ctypes.c_int32),
        ("is_fused", ctypes.c_int32),
        ("last", ctypes.c_int32),
    )


class KernelSlot(ctypes.Structure):
    """`Slot` of kernel.c."""

    _fields_ = (
        ("once", ctypes.c_int64),
        ("each", ctypes.c_int64),
        ("repeat", ctypes.c_int32),
        ("units", ctypes.c_int32),
        ("is_fused", ctypes.c_int32),
    )


class KernelNetwork(ctypes.Structure):
    """`Network` of kernel.c."""

    _fields_ = (
        ("operations", ctypes.c_int32),
        ("calls", ctypes.c_int32),
        ("classes", ctypes.c_int32),
        ("inputs", ctypes.c_int32),
        ("lasting", ctypes.c_int32),
        ("repeats", ctypes.c_int32),
        ("once", ctypes.c_int64),
        ("each", ctypes.c_int64),
        ("result", ctypes.c_int64),
        ("operation", ctypes.c_void_p),
        ("input", ctypes.c_void_p),
        ("last", ctypes.c_void_p),
        ("repeat", ctypes.c_void_p),
    )


RUN_ARGUMENTS = (
    ctypes.c_void_p,
    ctypes.c_int32,
    *(ctypes.c_void_p,) * 2,
    *(ctypes.c_int64,) * 4,
    *(ctypes.c_void_p,) * 2,
)
"""Types of the arguments of `dubito_run`."""


class Library:
    """The kernel's functions, in one form of its arithmetic. Threads may call them at once."""

    def __init__(self, library: ctypes.CDLL, form: str | None = None) -> None:
        """Take a compiled kernel.

        Args:
            library: the kernel.
            form: form of the arithmetic, one of `forms`; the fastest if None.

        Raises:
            ValueError: this processor does not have the form.
        """
        self._run, self._round = library.dubito_run, library.dubito_round
        # Converted by their types, numbers need no objects of ctypes.
        self._run.argtypes = RUN_ARGUMENTS
        self._statistics = library.dubito_statistics
        self.forms = FORMS[: library.dubito_forms()]
        self.has_fma = bool(library.dubito_has_fma())
        self._form = self.forms.index(form or self.forms[-1])

    def rounded(self, rows: Floats) -> Floats:
        """Round numbers to single precision, whatever the caller's rounding mode is."""
        given = doubles(rows)
        found = np.empty_like(given)
        self._round(pointer(given), pointer(found), ctypes.c_int64(given.size))
        return found

    def plain(self, network: KernelNetwork, inputs: Sequence[Floats]) -> Any:
        """Compute float32 probabilities `(N, C)` of rows, without dropout.

        Args:
            network: the network.
            inputs: values of each of its inputs, `(N, …)`; the kernel rounds them to float32.

        Raises:
            MemoryError: the kernel cannot allocate what it needs.
        """
        given = [doubles(values) for values in inputs]
        found = np.empty((len(given[0]), network.classes), np.float32)
        self._compute(network, given, None, (0, 1, 1), found, None)
        return found

    def passes(
        self,
        network: KernelNetwork,
        inputs: Sequence[Floats],
        seeds: Sequence[int],
        first: int,
        passes: int,
    ) -> tuple[Any, Floats]:
        """Compute some passes of every row under its seed, and the statistics over them.

        Args:
            network: the network.
            inputs: values of each of its inputs, `(N, …)`; the kernel rounds them to float32.
            seeds: `N` seeds.
            first: index of the first pass.
            passes: number of passes, `T`.

        Returns:
            Probabilities `(N, C, T)` in float32, and statistics `(N, 2 C + M)`, columns in the
            order of `Summary`'s fields.

        Raises:
            MemoryError: the kernel cannot allocate what it needs.
        """
        given, padded = [doubles(values) for values in inputs], -(-passes // LANES) * LANES
        # Zeros, because statistics read the unused lanes of the last passes before they drop them.
        draws = np.zeros((len(seeds), network.classes, padded), np.float32)
        found = np.empty((len(seeds), 2 * network.classes + len(MEASURES)))
        bounds = (first, passes, padded)
        self._compute(network, given, np.array(seeds, np.uint64), bounds, draws, found)
        return draws[:, :, :passes], found

    def statistics(self, draws: Floats) -> Floats:
        """Compute the statistics `(N, 2 C + M)` over draws `(N, C, T)`, see `passes`."""
        rows, classes, passes = draws.shape
        padded = np.zeros((rows, classes, -(-passes // LANES) * LANES), np.float32)
        padded[:, :, :passes] = draws
        found = np.empty((rows, 2 * classes + len(MEASURES)))
        self._statistics(
            self._form,
            pointer(padded),
            ctypes.c_int64(rows),
            ctypes.c_int32(classes),
            ctypes.c_int64(passes),
            ctypes.c_int64(padded.shape[2]),
            pointer(found),
        )
        return found

    def _compute(
        self,
        network: KernelNetwork,
        given: Sequence[Floats],
        seeds: Any,
        bounds: tuple[int, int, int],
        draws: Any,
        found: Any,
    ) -> None:
        addresses = (ctypes.c_void_p * len(given))(*(values.ctypes.data for values in given))
        first, passes, padded = bounds
        if self._run(
            ctypes.byref(network),
            self._form,
            addresses,
            None if seeds is None else pointer(seeds),
            len(given[0]),
            first,
            passes,
            padded,
            pointer(draws),
            None if found is None else pointer(found),
        ):
            raise MemoryError(MEMORY)


def doubles(rows: Floats) -> Floats:
    """Lay numbers out as kernels read them: they know nothing of strides and types."""
    return np.ascontiguousarray(rows, np.float64)


def pointer(values: Any) -> Any:
    """Return the address of an array's first number, as an argument of a function in C."""
    try:
        # A third of the time of the array's own attribute.
        return ctypes.byref(ctypes.c_char.from_buffer(values))
    except (TypeError, ValueError):
        # It must not be written, or is empty.
        return ctypes.c_void_p(values.ctypes.data)


@cache
def kernel() -> Library:
    """Load the compiled kernel in its fastest form.

    Raises:
        BackendUnavailable: it was not built, cannot be loaded, or needs another processor.
    """
    library = Library(compiled(KERNEL))
    if not library.has_fma:
        raise BackendUnavailable("the native backend needs a processor with FMA")
    return library


def compiled(module: Path) -> ctypes.CDLL:
    """Load a kernel that was built with this Python.

    Args:
        module: path of its file, without the suffix of extension modules.

    Raises:
        BackendUnavailable: it was not built, or cannot be loaded.
    """
    path = module.with_name(module.name + EXTENSION_SUFFIXES[0])
    if not path.is_file():
        raise BackendUnavailable("the native backend was not built: there was no C compiler")
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise BackendUnavailable("the native backend cannot be loaded by this system") from error
