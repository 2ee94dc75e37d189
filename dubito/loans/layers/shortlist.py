"""The shortlist: all hypotheses scored by one compiled call, to find the few to compute exactly.

XLA makes one loop of the hundred operations of a score, and holds no lock of Python's meanwhile.
It may round otherwise than NumPy, so that what it says is no answer: only which hypotheses cannot
be among the best, by a margin far above that of rounding. What jumps at a limit gets slack (see
`explanations`); instalments are rounded up alike unless one is within 1e-9 of a cent of the next.
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from dubito.types import Floats, Indices

ROWS = 16
"""Most rows of a call; fewer cost less."""
SPARE = 8
"""Hypotheses on the list beyond those that are looked for."""
DOUBT = 1e-7
"""By how much scores may differ for rounding alone, where money is small,"""
DOUBT_A_UNIT = 1e-12
"""and for every unit of money: a score falls by about 1 for each cent."""


class Shortlist:
    """Finds hypotheses that may be the best of a row."""

    def __init__(self, score: Callable[[Any], Any], columns: int, places: int, most: int) -> None:
        """Take the formula; it is compiled once somebody asks whether it is.

        Args:
            score: rows `(1, F)` to scores `(1, E)`, in operations of TensorFlow, float64.
            columns: `F`.
            places: `E`.
            most: how many of the best are looked for; `most + SPARE` must be fewer than `E`.
        """
        self._score = score
        self._columns, self._places = columns, places
        self._length = most + SPARE
        signature = [tf.TensorSpec((ROWS, columns), tf.float64), tf.TensorSpec((), tf.int32)]
        self._run = tf.function(
            self._every, jit_compile=True, autograph=False, input_signature=signature
        )

        self._asked = threading.Lock()
        self._compiling: threading.Thread | None = None
        self._is_compiled = False

    def is_ready(self) -> bool:
        """Whether it is compiled; asked for the first time, that begins beside the caller."""
        with self._asked:
            if self._compiling is None:
                self._compiling = threading.Thread(target=self._compile, name="dubito-shortlist")
                self._compiling.start()
        return self._is_compiled

    def wait(self) -> None:
        """Until it is ready."""
        if not self.is_ready() and self._compiling is not None:
            self._compiling.join()

    def _compile(self) -> None:
        self._run.get_concrete_function()
        self.of(np.ones((1, self._columns)))
        self._is_compiled = True

    def of(self, rows: Floats) -> tuple[Indices, Floats]:
        """Positions `(N, M)` of rows `(N, F)`, increasing, and what no other's score exceeds."""
        parts = [self._part(rows[at : at + ROWS]) for at in range(0, len(rows), ROWS)]
        places, others = (np.concatenate(found) for found in zip(*parts, strict=True))
        money = rows.max(axis=1)
        return np.sort(places, axis=1), others + DOUBT + DOUBT_A_UNIT * money

    def _part(self, rows: Floats) -> tuple[Indices, Floats]:
        padded = np.zeros((ROWS, rows.shape[1]))
        padded[: len(rows)] = rows
        scores = self._run(padded, np.int32(len(rows))).numpy()[: len(rows)]
        order = np.argpartition(-scores, self._length, axis=1)
        beyond = order[:, self._length :][:, :1]
        return order[:, : self._length], np.take_along_axis(scores, beyond, axis=1)[:, 0]

    def _every(self, rows: Any, count: Any) -> Any:
        """Scores `(ROWS, E)`, 0 beyond the first `count` rows."""

        def score(at: Any, found: Any) -> tuple[Any, Any]:
            row = tf.slice(rows, [at, 0], [1, rows.shape[1]])
            return at + 1, tf.tensor_scatter_nd_update(found, [[at]], self._score(row))

        none = tf.zeros((ROWS, self._places), rows.dtype)
        return tf.while_loop(lambda at, _: at < count, score, [0, none])[1]
