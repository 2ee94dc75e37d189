"""Builds the record of requests (events, counts and referrals) from their typed answers."""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import UNSET, Struct, json

from app.monitoring.counters import answer_counter
from app.record_events import (
    FORMAT,
    AnyPart,
    Draft,
    Entry,
    Event,
    MonteCarloNumberPart,
    MonteCarloPart,
    QueueItem,
)
from app.recorded_prediction import Body, Personal, monte_carlo_body, plain_body
from app.watched_bundle import WatchedBundle
from dubito.answer import (
    AnyResult,
    MonteCarloNumber,
    MonteCarloResult,
    PlainNumber,
    PlainResult,
    without_value,
)
from dubito.features import FeatureValue, NumberFeature
from dubito.types import Identity

_json = json.Encoder().encode


class EventBuilder:
    """Builds the entries of answers of the served bundles."""

    def __init__(self, served: Sequence[WatchedBundle]) -> None:
        """Set the bundles."""
        self._builders = {one.identity.digest: _BundleEvents(one) for one in served}

    def __call__(self, drafts: Sequence[Draft]) -> Entry:
        """Build one entry of several requests to one bundle, of which one at most has a reply."""
        return self._builders[drafts[0].digest](drafts)


class _BundleEvents:
    """Builds the entries of answers of one bundle."""

    def __init__(self, watched: WatchedBundle) -> None:
        """Set the bundle."""
        self._signature = watched.signature
        self._names = watched.signature.names
        self._listed = {
            feature.name: feature.value_of
            for feature in watched.signature.scalars
            if not isinstance(feature, NumberFeature)
        }
        """Function from a number of a row to its value, by feature with a list of values."""
        self._environment = watched.environment
        self._counter = answer_counter(watched)

    def __call__(self, drafts: Sequence[Draft]) -> Entry:
        """Build one entry of several requests, of which one at most has a reply."""
        parts = [part for draft in drafts for part in draft.parts]
        rows = np.frombuffer(b"".join([part.rows for part in parts]))
        rows = rows.reshape(-1, self._signature.width)
        if len(rows) != sum(len(part.answers) for part in parts):
            raise ValueError("a part has another number of rows than of answers")
        events, queue, each = list[Event](), list[QueueItem](), iter(rows.tolist())
        for draft in drafts:
            for part in draft.parts:
                events += self._events(part, each, draft.reference)
                queue += _referred(part, draft.reference)
        reply = next((draft.reply for draft in drafts if draft.reply is not None), None)
        return Entry(
            tuple(events),
            reply,
            self._counter.answered(parts, self._signature.watched(rows)),
            tuple(queue),
        )

    def _events(
        self, part: AnyPart, rows: Iterator[list[float]], reference: str | None
    ) -> Iterator[Event]:
        """Yield the events of a part, whose rows are the next ones."""
        for prediction, body in self._bodies(part):
            personal = Personal(self._values(next(rows)), reference)
            yield Event(
                "prediction", prediction, part.time, _json(body), _json(personal), reference
            )

    def _values(self, row: Sequence[float]) -> dict[str, FeatureValue]:
        """Return the values of a row; NaN, a missing one, is written as null."""
        if self._signature.tensor is not None:
            return self._signature.values_of(row)
        values: dict[str, FeatureValue] = dict(zip(self._names, row, strict=True))
        for name, value_of in self._listed.items():
            values[name] = value_of(values[name])  # type: ignore[arg-type]
        return values

    def _bodies(self, part: AnyPart) -> Iterator[tuple[str, Body]]:
        about, asked = self._environment, None
        if isinstance(part, MonteCarloPart | MonteCarloNumberPart):
            asked = part.asked
        for answer in part.answers:
            warnings, result = tuple(map(without_value, answer.warnings)), answer.result
            if isinstance(result, PlainResult | PlainNumber):
                body = plain_body(about, answer.model, result, warnings, FORMAT)
            else:
                assert asked is not None  # noqa: S101 - such a result is in such a part
                body = monte_carlo_body(about, answer.model, asked, result, warnings, FORMAT)
            yield answer.id, body


def _referred(part: AnyPart, reference: str | None) -> Iterator[QueueItem]:
    """Yield the referrals of a part; a deterministic answer has no decision."""
    if not isinstance(part, MonteCarloPart | MonteCarloNumberPart):
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


class QueuedNumber(Struct, frozen=True):
    """The same of a prediction of a number, in its unit."""

    value: float
    reasons: tuple[str, ...]
    std: float | None
    """Standard deviation over the passes; None for a deterministic prediction."""
    lower: float | None
    """Bounds of the interval that was asked for; None without one, or if it has none."""
    upper: float | None
    model: Identity


def queue_item(
    result: AnyResult,
    prediction: str,
    time: int,
    model: Identity,
    reference: str | None,
) -> QueueItem:
    """Build the item that the review queue stores for a prediction.

    A deterministic prediction has no uncertainty, and one of a bundle without calibration has no
    decision.
    """
    decision = None if isinstance(result, PlainResult | PlainNumber) else result.decision
    reasons = () if decision is None else decision.reasons
    listed = _listed(result, reasons, model)
    return QueueItem(
        prediction=prediction,
        time=time,
        doubt=_doubt(result),
        body=_json(listed),
        grade=repr(listed.value) if isinstance(listed, QueuedNumber) else listed.predicted,
        reasons="".join(f"\n{reason}\n" for reason in reasons),
        digest=model.digest,
        version=model.version,
        reference=reference,
        model=model.name,
    )


def _listed(result: AnyResult, reasons: tuple[str, ...], model: Identity) -> Listed | QueuedNumber:
    if isinstance(result, PlainNumber):
        return QueuedNumber(result.value, reasons, None, None, None, model)
    if isinstance(result, MonteCarloNumber):
        interval = result.interval
        bounds = (None, None) if interval is None else (interval.lower, interval.upper)
        return QueuedNumber(result.mean, reasons, result.std, *bounds, model)
    if isinstance(result, PlainResult):
        return Listed(result.predicted, reasons, None, None, model)
    doubt = result.uncertainty
    return Listed(
        result.predicted, reasons, doubt.predictive_entropy, doubt.mutual_information, model
    )


def _doubt(result: AnyResult) -> float:
    """Return the doubt by which the queue is ordered, see `QueueItem`."""
    if isinstance(result, MonteCarloNumber):
        return result.std if result.total_std is UNSET else result.total_std
    return result.uncertainty.predictive_entropy if isinstance(result, MonteCarloResult) else 0.0
