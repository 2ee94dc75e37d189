"""Observation: what an answer, or the truth about it, adds to the figures.

All of it is whole numbers that are added up, so that any number of processes tells the same as one.
Sums of probabilities are in millionths.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from app.events import Tally
from app.monitoring.scale import place
from app.monitoring.subject import Subject
from app.uncertainty.bins import MUTUAL_INFORMATION, Bins
from app.uncertainty.conformal import TOLERANCE, threshold
from app.values import Calibration, Floats

MILLION = 1_000_000
CONFIDENCE_BINS = 15
"""Of equal width, as the study's calibration error has."""
CONFIDENCE_EDGES = tuple(at / CONFIDENCE_BINS for at in range(1, CONFIDENCE_BINS))
"""Between the bins; each takes its upper end in."""
COVERAGE = 0.99
"""Of the raw sets whose misses are watched."""
Pair = tuple[str, int]
"""Name of a count, and what is added to it."""


class Observer:
    """Observes the answers of one bundle."""

    def __init__(self, subject: Subject) -> None:
        """Take the bundle, which says what rows were like that it was made for."""
        self._digest = subject.identity.digest
        places = {
            name: _Stream(at, bins) for at, (name, bins) in enumerate(subject.streams.items())
        }
        self._features = [places[name] for name in subject.signature.names]
        self._information = places.get(MUTUAL_INFORMATION)
        calibration = subject.calibration
        self._passes = 0 if calibration is None else calibration.passes
        self._most_score = None if calibration is None else _raw_threshold(calibration)

    def answered(
        self, answers: Sequence[Mapping[str, Any]], rows: Floats, *, is_drawn: bool
    ) -> Tally:
        """What the answers to rows `(N, F)` add.

        Args:
            answers: as they leave.
            rows: what they answer.
            is_drawn: whether the first row's seed was drawn for it: other rows of its request have
                the same one, and seeds that clients choose may be those of other requests.
        """
        counts: dict[str, int] = {}
        for answer, row in zip(answers, rows.tolist(), strict=True):
            for name, more in self._of_answer(answer, row):
                counts[name] = counts.get(name, 0) + more
        # Only as it was computed for the calibration rows is it comparable with theirs.
        if is_drawn and self._information and answers[0]["passes"] == self._passes:
            doubt = answers[0]["uncertainty"]
            counts[self._information.name_of(doubt[MUTUAL_INFORMATION])] = 1
        return Tally(self._digest, counts)

    def came_out(self, body: Mapping[str, Any], grade: str) -> Tally:
        """What the true grade of a recorded answer adds."""
        counts = dict(self._of_outcome(body["answer"], body.get("asked"), grade, body["model"]))
        return Tally(body["model"]["digest"], counts)

    def _of_answer(self, answer: Mapping[str, Any], row: Sequence[float]) -> Iterator[Pair]:
        yield "rows", 1
        yield "grade." + answer["grade"], 1
        for warning in answer["warnings"]:
            yield "warning." + warning["kind"], 1
        for stream, value in zip(self._features, row, strict=True):
            yield stream.name_of(value), 1
        if "mean" in answer:
            yield from self._of_doubt(answer)

    def _of_doubt(self, answer: Mapping[str, Any]) -> Iterator[Pair]:
        doubt, decision = answer["uncertainty"], answer["decision"]
        information, expected = doubt[MUTUAL_INFORMATION], answer["mean"][answer["grade"]]
        yield "passes", answer["passes"]
        yield f"entropy.{place(doubt['predictive_entropy'])}", 1
        yield f"information.{place(information)}", 1
        yield "expected.rows", 1
        yield "expected.right", round(MILLION * expected)
        if decision is None:
            return
        yield "action." + decision["action"], 1
        yield f"set.{len(answer['prediction_set']['grades'])}", 1
        for reason in decision["reasons"]:
            yield "reason." + reason, 1
        if decision["action"] == "automate":
            yield "expected.automated_wrong", round(MILLION * (1 - expected))

    def _of_outcome(
        self,
        answer: Mapping[str, Any],
        asked: Mapping[str, Any] | None,
        grade: str,
        model: Mapping[str, Any],
    ) -> Iterator[Pair]:
        yield "known.rows", 1
        yield "known.right", int(answer["grade"] == grade)
        if asked is None:
            return
        wrong, confidence = int(answer["grade"] != grade), answer["mean"][answer["grade"]]
        at = bisect_left(CONFIDENCE_EDGES, confidence)
        yield f"confidence.{at}.rows", 1
        yield f"confidence.{at}.right", 1 - wrong
        yield f"confidence.{at}.sum", round(MILLION * confidence)
        entropy = place(answer["uncertainty"]["predictive_entropy"])
        yield f"risk.{entropy}.rows", 1
        yield f"risk.{entropy}.wrong", wrong
        decision = answer["decision"]
        if decision is None or not decision["guaranteed"]:
            return
        if decision["action"] == "automate":
            yield f"automated.{decision['target']}.rows", 1
            yield f"automated.{decision['target']}.wrong", wrong
        if self._most_score is not None and model["digest"] == self._digest:
            score = 1 - answer["mean"][grade]
            yield "raw.rows", 1
            yield "raw.missed", int(score - self._most_score > TOLERANCE)


class _Stream:
    """The names of a stream's bins."""

    def __init__(self, at: int, bins: Bins) -> None:
        self._index: Callable[[float], int] = bins.index
        self._names = [f"stream.{at}.{place}" for place in range(bins.size)]

    def name_of(self, value: float) -> str:
        """The count of a value's bin."""
        return self._names[self._index(value)]


def _raw_threshold(calibration: Calibration) -> float | None:
    """What the score of the right class is above where a raw set misses it."""
    scores = calibration.scores.get("lac")
    return None if scores is None else threshold(np.array(scores), COVERAGE)
