"""Builds the record of requests (events, counts and referrals) from their typed answers."""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct, json

from app.monitoring.counters import AnswerCounter
from app.record_events import (
    FORMAT,
    Draft,
    Entry,
    Event,
    MonteCarloPart,
    PlainPart,
    QueueItem,
)
from app.recorded_prediction import Body, MonteCarloBody, Personal, PlainBody
from app.watched_bundle import WatchedBundle
from dubito.answer import (
    MonteCarloAnswer,
    MonteCarloResult,
    PlainAnswer,
    PlainResult,
    without_value,
)
from dubito.features import FeatureValue, NumberFeature
from dubito.types import Identity

_json = json.Encoder().encode


class EventBuilder:
    """Builds the entries of answers of one bundle."""

    def __init__(self, watched: WatchedBundle) -> None:
        """Set the bundle."""
        self._names = watched.signature.names
        self._listed = {
            feature.name: feature.value_of
            for feature in watched.signature.features
            if not isinstance(feature, NumberFeature)
        }
        """Function from a number of a row to its value, by feature with a list of values."""
        self._environment = watched.environment
        self._counter = AnswerCounter(watched)

    def __call__(self, drafts: Sequence[Draft]) -> Entry:
        """Build one entry of several requests, of which one at most has a reply."""
        parts = [part for draft in drafts for part in draft.parts]
        rows = np.frombuffer(b"".join([part.rows for part in parts]))
        rows = rows.reshape(-1, len(self._names))
        if len(rows) != sum(len(part.answers) for part in parts):
            raise ValueError("a part has another number of rows than of answers")
        events, queue, each = list[Event](), list[QueueItem](), iter(rows.tolist())
        for draft in drafts:
            for part in draft.parts:
                events += self._events(part, each, draft.reference)
                queue += _referred(part, draft.reference)
        reply = next((draft.reply for draft in drafts if draft.reply is not None), None)
        return Entry(tuple(events), reply, self._counter.answered(parts, rows), tuple(queue))

    def _events(
        self, part: PlainPart | MonteCarloPart, rows: Iterator[list[float]], reference: str | None
    ) -> Iterator[Event]:
        """Yield the events of a part, whose rows are the next ones."""
        for prediction, body in self._bodies(part):
            personal = Personal(self._values(next(rows)), reference)
            yield Event(
                "prediction", prediction, part.time, _json(body), _json(personal), reference
            )

    def _values(self, row: Sequence[float]) -> dict[str, FeatureValue]:
        """Return the values of a row; NaN, a missing one, is written as null."""
        values: dict[str, FeatureValue] = dict(zip(self._names, row, strict=True))
        for name, value_of in self._listed.items():
            values[name] = value_of(values[name])  # type: ignore[arg-type]
        return values

    def _bodies(self, part: PlainPart | MonteCarloPart) -> Iterator[tuple[str, Body]]:
        if isinstance(part, MonteCarloPart):
            yield from ((one.id, self._monte_carlo(one, part)) for one in part.answers)
        else:
            yield from ((one.id, self._plain(one)) for one in part.answers)

    def _plain(self, answer: PlainAnswer) -> PlainBody:
        warnings = tuple(map(without_value, answer.warnings))
        return PlainBody(self._environment, answer.model, answer.result, warnings, FORMAT)

    def _monte_carlo(self, answer: MonteCarloAnswer, part: MonteCarloPart) -> MonteCarloBody:
        warnings = tuple(map(without_value, answer.warnings))
        return MonteCarloBody(
            self._environment, answer.model, part.asked, answer.result, warnings, FORMAT
        )


def _referred(part: PlainPart | MonteCarloPart, reference: str | None) -> Iterator[QueueItem]:
    """Yield the referrals of a part; a deterministic answer has no decision."""
    if not isinstance(part, MonteCarloPart):
        return
    for answer in part.answers:
        decision = answer.result.decision
        if decision is not None and decision.action == "refer":
            yield queue_item(answer.result, answer.id, part.time, answer.model, reference)


class Listed(Struct, frozen=True, rename={"predicted": "grade"}):
    """Data of a prediction that lists show in addition to the table's columns."""

    predicted: str
    reasons: tuple[str, ...]
    predictive_entropy: float | None
    mutual_information: float | None
    model: Identity


def queue_item(
    result: PlainResult | MonteCarloResult,
    prediction: str,
    time: int,
    model: Identity,
    reference: str | None,
) -> QueueItem:
    """Build the item that the review queue stores for a prediction.

    A deterministic prediction has no uncertainty, and one of a bundle without calibration has no
    decision.
    """
    uncertainty = None if isinstance(result, PlainResult) else result.uncertainty
    decision = None if isinstance(result, PlainResult) else result.decision
    reasons = () if decision is None else decision.reasons
    entropy = None if uncertainty is None else uncertainty.predictive_entropy
    information = None if uncertainty is None else uncertainty.mutual_information
    return QueueItem(
        prediction=prediction,
        time=time,
        doubt=entropy or 0.0,
        body=_json(Listed(result.predicted, reasons, entropy, information, model)),
        grade=result.predicted,
        reasons="".join(f"\n{reason}\n" for reason in reasons),
        digest=model.digest,
        version=model.version,
        reference=reference,
    )
