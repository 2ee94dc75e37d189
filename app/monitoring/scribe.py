"""The scribe: makes of what a request was answered what is remembered of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic_core import from_json, to_json

from app.events import Draft, Entry, Event, Part, Referral, Tally
from app.monitoring.observation import Observer
from app.monitoring.subject import Subject
from app.values import Floats

ELSEWHERE = frozenset({"id", "model", "warnings", "draws"})
"""Members of an answer that stand elsewhere in its record, or can be computed again."""


class Scribe:
    """Makes entries of the answers of one bundle; it can be sent to another process."""

    def __init__(self, subject: Subject, environment: str) -> None:
        """Take the bundle, and the fingerprint of the numerical environment."""
        self._names = subject.signature.names
        self._environment = environment
        self._observer = Observer(subject)

    def __call__(self, draft: Draft) -> Entry:
        """The entry of a request."""
        events, tallies, referrals = list[Event](), list[Tally](), list[Referral]()
        for part in draft.parts:
            answers = from_json(part.answers)
            rows = np.frombuffer(part.rows).reshape(-1, len(self._names))
            events += self._events(answers, rows, part, draft.reference)
            tallies.append(self._observer.answered(answers, rows, is_drawn=part.is_drawn))
            referrals += [
                referral(one, one["id"], part.time, one["model"], draft.reference)
                for one in answers
                if _is_referred(one)
            ]
        return Entry(tuple(events), draft.reply, Tally.joined(tallies), tuple(referrals))

    def _events(
        self,
        answers: Sequence[Mapping[str, Any]],
        rows: Floats,
        part: Part,
        reference: str | None,
    ) -> Iterator[Event]:
        for answer, row in zip(answers, rows.tolist(), strict=True):
            features = dict(zip(self._names, row, strict=True))
            personal = {"features": features, "reference": reference}
            yield Event(
                "prediction",
                answer["id"],
                part.time,
                to_json(self._body(answer, part.asked)),
                to_json(personal, inf_nan_mode="null"),
                reference,
            )

    def _body(self, answer: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "environment": self._environment,
            "model": answer["model"],
            **asked,
            "answer": plain(answer),
            "warnings": [_without_value(warning) for warning in answer["warnings"]],
        }


def plain(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer as it is recorded."""
    return {name: value for name, value in answer.items() if name not in ELSEWHERE}


def _is_referred(answer: Mapping[str, Any]) -> bool:
    return (answer.get("decision") or {}).get("action") == "refer"


def referral(
    answer: Mapping[str, Any],
    prediction: str,
    time: int,
    model: Mapping[str, Any],
    reference: str | None,
) -> Referral:
    """What a list of those that wait, or were decided, shows of an answer.

    One without passes has no uncertainty, and one of a bundle without a calibration no decision.
    """
    doubt = answer.get("uncertainty") or {}
    reasons = (answer.get("decision") or {}).get("reasons", [])
    shown = {
        "grade": answer["grade"],
        "reasons": reasons,
        "predictive_entropy": doubt.get("predictive_entropy"),
        "mutual_information": doubt.get("mutual_information"),
        "model": model,
    }
    return Referral(
        prediction=prediction,
        time=time,
        doubt=doubt.get("predictive_entropy", 0.0),
        body=to_json(shown),
        grade=answer["grade"],
        reasons="".join(f"\n{reason}\n" for reason in reasons),
        digest=model["digest"],
        version=model["version"],
        reference=reference,
    )


def _without_value(warning: Mapping[str, Any]) -> dict[str, Any]:
    """A warning that says nothing of the row's own figures."""
    return {name: value for name, value in warning.items() if name != "value"}
