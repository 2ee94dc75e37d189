"""Observation: what an answer, or the truth about it, adds to the figures.

All of it is whole numbers that are added up, so that any number of processes tells the same as one.
Sums of probabilities are in millionths.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from app.events import Tally
from app.monitoring.scale import EDGES, place
from app.monitoring.subject import Subject
from app.uncertainty.bins import MUTUAL_INFORMATION, information_stream
from app.uncertainty.conformal import TOLERANCE, threshold
from app.uncertainty.decision import promise_of
from app.values import Calibration, Floats

MILLION = 1_000_000
CONFIDENCE_BINS = 15
"""Of equal width, as the study's calibration error has."""
CONFIDENCE_EDGES = tuple(at / CONFIDENCE_BINS for at in range(1, CONFIDENCE_BINS))
"""Between the bins; each takes its upper end in."""
COVERAGE = 0.99
"""Of the raw sets whose misses are watched."""
ENTROPY = tuple(f"entropy.{at}" for at in range(len(EDGES) + 1))
INFORMATION = tuple(f"information.{at}" for at in range(len(EDGES) + 1))
Pair = tuple[str, int]
"""Name of a count, and what is added to it."""


class Observer:
    """Observes the answers of one bundle."""

    def __init__(self, subject: Subject) -> None:
        """Take the bundle, which says what rows were like that it was made for."""
        self.digest = subject.identity.digest
        """The bundle's."""
        places = {
            name: (bins, [f"stream.{at}.{place}" for place in range(bins.size)])
            for at, (name, bins) in enumerate(subject.streams.items())
        }
        self._features = [places[name] for name in subject.signature.names]
        """Bins, and the names of their counts."""
        self._information = places.get(information_stream(subject.signature))
        calibration = subject.calibration
        self._passes = 0 if calibration is None else calibration.passes
        self._policy = None if calibration is None else calibration.policy
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
        names = list[str]()
        for answer, row in zip(answers, rows.tolist(), strict=True):
            self._name(names, answer, row)
        # Only as it was computed for the calibration rows is it comparable with theirs.
        if is_drawn and self._information and answers[0]["passes"] == self._passes:
            bins, of = self._information
            names.append(of[bins.index(answers[0]["uncertainty"][MUTUAL_INFORMATION])])
        counts = Counter(names)
        for answer in answers:
            if "mean" in answer:
                for name, more in _sums(answer):
                    counts[name] += more
        return Tally(self.digest, counts)

    def came_out(self, body: Mapping[str, Any], grade: str) -> Tally:
        """What the true grade of a recorded answer adds."""
        counts = dict(self._of_outcome(body["answer"], body.get("asked"), grade, body["model"]))
        return Tally(body["model"]["digest"], counts)

    def _name(self, names: list[str], answer: Mapping[str, Any], row: Sequence[float]) -> None:
        """Name what an answer counts one of; every answer waits for it."""
        names += ("rows", "grade." + answer["grade"])
        names += ["warning." + warning["kind"] for warning in answer["warnings"]]
        names += [
            of[bins.index(value)] for (bins, of), value in zip(self._features, row, strict=True)
        ]
        if "mean" not in answer:
            return
        doubt, decision = answer["uncertainty"], answer["decision"]
        names += (
            "expected.rows",
            ENTROPY[place(doubt["predictive_entropy"])],
            INFORMATION[place(doubt[MUTUAL_INFORMATION])],
        )
        if decision is not None:
            size = len(answer["prediction_set"]["grades"])
            names += ("action." + decision["action"], f"set.{size}")
            names += ["reason." + reason for reason in decision["reasons"]]

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
        if model["digest"] != self.digest:
            return
        if decision["action"] == "automate" and self._is_in_band(answer):
            yield f"band.{decision['case_limit']}.rows", 1
            yield f"band.{decision['case_limit']}.wrong", wrong
        if self._most_score is not None:
            score = 1 - answer["mean"][grade]
            yield "raw.rows", 1
            yield "raw.missed", int(score - self._most_score > TOLERANCE)

    def _is_in_band(self, answer: Mapping[str, Any]) -> bool:
        """Whether an automated answer is among the least sure of which something is promised."""
        if self._policy is None or self._policy.case_limit is None:
            return False
        band = promise_of(self._policy, answer["decision"]["target"]).band
        return band is not None and sorted(answer["mean"].values())[-2] >= band.bound


def _sums(answer: Mapping[str, Any]) -> Iterator[Pair]:
    """What an answer adds that is not counted one by one."""
    yield "passes", answer["passes"]
    expected = answer["mean"][answer["grade"]]
    yield "expected.right", round(MILLION * expected)
    if answer["decision"] is not None and answer["decision"]["action"] == "automate":
        yield "expected.automated_wrong", round(MILLION * (1 - expected))


def _raw_threshold(calibration: Calibration) -> float | None:
    """What the score of the right class is above where a raw set misses it."""
    scores = calibration.scores.get("lac")
    return None if scores is None else threshold(np.array(scores), COVERAGE)
