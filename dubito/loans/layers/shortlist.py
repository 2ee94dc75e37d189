"""Preselects hypotheses with one XLA-compiled call, so that few must be computed exactly.

XLA fuses the hundred operations of a score into one loop, and runs it without Python's global
lock. It may round differently from NumPy, so its scores are not used as results: they only exclude
hypotheses that cannot be among the best, by a margin far above rounding error. Scores that jump at
a limit get slack (see `explanations`); instalments are rounded up to the same cent unless one is
within 1e-9 of a cent of the next.
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from dubito.types import Floats, Indices

ROWS = 16
"""Largest number of rows of a call; fewer rows take less time."""
SPARE = 8
"""Number of hypotheses on the list beyond those to be selected."""
DOUBT = 1e-7
"""Margin for the difference of scores by rounding alone, if amounts of money are small."""
DOUBT_A_UNIT = 1e-12
"""Margin added for every unit of money, because a score falls by about 1 for each cent."""


class Shortlist:
    """Compiled search for the hypotheses that may be among the best of a row."""

    def __init__(self, score: Callable[[Any], Any], columns: int, places: int, most: int) -> None:
        """Store the score's formula; the first call of `is_ready` starts to compile it.

        Args:
            score: function from rows `(1, F)` to scores `(1, E)`, as float64 TensorFlow operations.
            columns: number of features, `F`.
            places: number of hypotheses, `E`.
            most: number of best hypotheses to be selected; `most + SPARE` must be less than `E`.
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
        """Whether it is compiled; the first call starts to compile in another thread."""
        with self._asked:
            if self._compiling is None:
                self._compiling = threading.Thread(target=self._compile, name="dubito-shortlist")
                self._compiling.start()
        return self._is_compiled

    def wait(self) -> None:
        """Block until it is compiled."""
        if not self.is_ready() and self._compiling is not None:
            self._compiling.join()

    def _compile(self) -> None:
        self._run.get_concrete_function()
        self.of(np.ones((1, self._columns)))
        self._is_compiled = True

    def of(self, rows: Floats) -> tuple[Indices, Floats]:
        """Return the shortlist of rows `(N, F)`, and a bound on the scores that are not on it.

        Returns:
            Positions `(N, M)` of hypotheses, increasing, and upper bounds `(N,)` on the score of
            any other hypothesis.
        """
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
        """Compute scores `(ROWS, E)`, 0 beyond the first `count` rows."""

        def score(at: Any, found: Any) -> tuple[Any, Any]:
            row = tf.slice(rows, [at, 0], [1, rows.shape[1]])
            return at + 1, tf.tensor_scatter_nd_update(found, [[at]], self._score(row))

        none = tf.zeros((ROWS, self._places), rows.dtype)
        return tf.while_loop(lambda at, _: at < count, score, [0, none])[1]
