"""The loans' kernel in C: scores, lists and describes hypotheses, and computes loan features.

All limits decide as in NumPy, because nothing but logarithms and other functions rounds otherwise.
The NumPy backend therefore uses its scores only to exclude hypotheses that cannot be among the
best, by a margin far above rounding error; the native backend uses all of it.
"""

import ctypes
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dubito.engine.backends.native.library import FORMS, MEMORY, compiled, doubles, pointer
from dubito.loans.shapes import FEATURES_WIDTH, HYPOTHESIS_WIDTH
from dubito.types import Floats, Indices

SPARE = 8
"""Number of hypotheses on the list beyond those to be selected."""
DOUBT = 1e-7
"""Margin for the difference of scores by rounding alone, if amounts of money are small."""
DOUBT_A_UNIT = 1e-12
"""Margin added for every unit of money, because a score falls by about 1 for each cent."""

CONSTANTS = (
    "rate",
    "annuity",
    "growth",
    "accumulated",
    "paid",
    "months",
    "first",
    "grade",
    "beginning",
    "prior",
)


class KernelHypotheses(ctypes.Structure):
    """`Hypotheses` of lattice.c."""

    _fields_ = (("count", ctypes.c_int64), *((name, ctypes.c_void_p) for name in CONSTANTS))


class Scoring:
    """The compiled scores of one lattice."""

    def __init__(self, constants: Mapping[str, Floats], kept: int, form: str | None = None) -> None:
        """Take the constants of every hypothesis, `(E,)` each, and how many are to be selected.

        Args:
            constants: constants of every hypothesis, `(E,)` each, by the names in `CONSTANTS`.
            kept: number of hypotheses to select.
            form: form of the kernel's arithmetic; the fastest if None.

        Raises:
            BackendUnavailable: the kernel was not built, or cannot be loaded.
        """
        self._library, self._form = scoring_library(), _form(form)
        self._kept = kept
        self.constants = {name: doubles(constants[name]) for name in CONSTANTS}
        """Constants of every hypothesis, `(E,)` each, by the names in `CONSTANTS`."""
        self._count, self._length = len(constants["prior"]), kept + SPARE
        addresses = [values.ctypes.data for values in self.constants.values()]
        self._hypotheses = KernelHypotheses(self._count, *addresses)

    def scores(self, rows: Floats) -> Floats:
        """Compute scores `(N, E)` of rows `(N, 9)`."""
        given = doubles(rows)
        found = np.empty((len(rows), self._count))
        self._call("dubito_scores", pointer(given), ctypes.c_int64(len(rows)), pointer(found))
        return found

    def described(self, rows: Floats, classes: int) -> Floats:
        """Compute the features `(N, kept, W)` of the best hypotheses of rows `(N, 9)`."""
        given = doubles(rows)
        found = np.empty((len(rows), self._kept, classes + HYPOTHESIS_WIDTH))
        self._call(
            "dubito_describe",
            pointer(given),
            ctypes.c_int64(len(rows)),
            ctypes.c_int64(self._kept),
            ctypes.c_int32(classes),
            pointer(found),
        )
        return found

    def shortlist(self, rows: Floats) -> tuple[Indices, Floats]:
        """List the hypotheses that may be among the best of rows `(N, 9)`.

        Returns:
            Positions `(N, M)` of hypotheses, increasing, and upper bounds `(N,)` on the score of
            any other hypothesis.
        """
        given, count = doubles(rows), len(rows)
        places, others = np.empty((count, self._length), np.int64), np.empty(count)
        self._call(
            "dubito_shortlist",
            pointer(given),
            ctypes.c_int64(count),
            ctypes.c_int64(self._length),
            pointer(places),
            pointer(others),
        )
        return places, others + DOUBT + DOUBT_A_UNIT * rows.max(axis=1)

    def _call(self, name: str, *arguments: Any) -> None:
        function = getattr(self._library, name)
        if function(ctypes.byref(self._hypotheses), ctypes.c_int32(self._form), *arguments):
            raise MemoryError(MEMORY)


def kernel_features(rows: Floats, form: str | None = None) -> Floats:
    """Compute the features `(N, 23)` of loans `(N, 9)`, in a form of the kernel's arithmetic.

    Raises:
        BackendUnavailable: the kernel was not built, or cannot be loaded.
    """
    library, given = scoring_library(), doubles(rows)
    found = np.empty((len(rows), FEATURES_WIDTH))
    count = ctypes.c_int64(len(rows))
    library.dubito_features(ctypes.c_int32(_form(form)), pointer(given), count, pointer(found))
    return found


@cache
def _form(name: str | None) -> int:
    # The kernel asks the processor, which a virtual machine answers in ten microseconds or more.
    return int(scoring_library().dubito_forms()) - 1 if name is None else FORMS.index(name)


@cache
def scoring_library() -> ctypes.CDLL:
    """Load the compiled kernel.

    Raises:
        BackendUnavailable: it was not built, or cannot be loaded.
    """
    return compiled(Path(__file__).with_name("_lattice"))
