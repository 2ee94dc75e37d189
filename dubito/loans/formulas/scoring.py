"""Lists the hypotheses that may be among the best, so that few must be computed exactly.

A kernel in C scores every hypothesis many times as fast as NumPy. Its logarithms round otherwise,
so its scores are not used as results: they only exclude hypotheses that cannot be among the best,
by a margin far above rounding error. All limits decide as in NumPy, because nothing else differs.
"""

import ctypes
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dubito.engine.backends.native.library import FORMS, MEMORY, compiled, doubles, pointer
from dubito.errors import BackendUnavailable
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

    def __init__(
        self, library: ctypes.CDLL, constants: Mapping[str, Floats], kept: int, form: int
    ) -> None:
        """Take the constants of every hypothesis, `(E,)` each, and how many are to be selected."""
        self._library, self._form = library, form
        self._constants = {name: doubles(constants[name]) for name in CONSTANTS}
        self._count, self._length = len(constants["prior"]), kept + SPARE
        addresses = [values.ctypes.data for values in self._constants.values()]
        self._hypotheses = KernelHypotheses(self._count, *addresses)

    @classmethod
    def of(
        cls, constants: Mapping[str, Floats], prior: Floats, kept: int, form: str | None = None
    ) -> "Scoring | None":
        """Create the scores of a lattice in a form of arithmetic; None without the kernel."""
        try:
            library = scoring_library()
        except BackendUnavailable:
            return None
        chosen = library.dubito_forms() - 1 if form is None else FORMS.index(form)
        return cls(library, {**constants, "prior": prior}, kept, chosen)

    def scores(self, rows: Floats) -> Floats:
        """Compute scores `(N, E)` of rows `(N, 9)`."""
        given = doubles(rows)
        found = np.empty((len(rows), self._count))
        self._call("dubito_scores", pointer(given), ctypes.c_int64(len(rows)), pointer(found))
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


@cache
def scoring_library() -> ctypes.CDLL:
    """Load the compiled kernel.

    Raises:
        BackendUnavailable: it was not built, or cannot be loaded.
    """
    return compiled(Path(__file__).with_name("_lattice"))
