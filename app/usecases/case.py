"""Recorded predictions, each read from its events: answer, outcome, reviews and assignments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from msgspec import UNSET, Struct, UnsetType, json

from app.errors import FeaturesErased, NotFound
from app.problem_codes import ProblemCode
from app.record_events import (
    ClassFeedback,
    Event,
    EventKind,
    FeedbackKind,
    Listing,
    ListPosition,
    Search,
    moment,
)
from app.record_ports import Reader
from app.recorded_prediction import (
    Asked,
    Body,
    MonteCarloBody,
    Personal,
    PlainBody,
    parse_body,
    read_personal,
)
from dubito.answer import (
    AnswerWarning,
    AnyResult,
    MonteCarloNumber,
    PlainNumber,
    PlainResult,
)
from dubito.features import FeatureValue
from dubito.identifier import is_id
from dubito.types import Identity
from dubito.uncertainty.policy import PolicyOptions

Truth = str | float
"""Class or number that an outcome or a review says."""


class FeedbackBody(Struct, frozen=True, rename={"label": "grade"}, omit_defaults=True):
    """Permanent part of the event of an outcome or a review."""

    label: str | UnsetType = UNSET
    """Class of the outcome (the true one) or of the review (the reviewer's); unset for a number."""
    value: float | UnsetType = UNSET
    """The same of a number; unset for classes."""
    corrects: str | None = None
    """Identifier of the earlier event that this one corrects; None for the first."""
    counted_by: str | UnsetType = UNSET
    """Digest of the bundle that was served when an outcome was counted; unset in older events."""
    format: int | UnsetType = UNSET

    @property
    def truth(self) -> Truth:
        """The class or the number."""
        return truth_of(self.label, self.value)


class FeedbackWords(Struct, frozen=True, omit_defaults=True):
    """Erasable part of the event of an outcome, a review or an assignment."""

    why: str | None = None
    note: str | None = None
    reviewer: str | None = None


class Outcome(Struct, frozen=True, rename={"label": "grade"}):
    """The true class or number of a prediction, recorded when it became known."""

    id: str
    """Identifier of the event, which a correction names."""
    label: str | UnsetType
    """The class; unset for a number."""
    time: str
    corrects: str | None
    why: str | None
    value: float | UnsetType = UNSET
    """The number; unset for classes."""

    @property
    def truth(self) -> Truth:
        """The class or the number."""
        return truth_of(self.label, self.value)


class Review(Struct, frozen=True, rename={"label": "grade"}):
    """A person's review of a prediction; `note` and `reviewer` are None after erasure."""

    id: str
    """Identifier of the event, which a correction names."""
    label: str | UnsetType
    """The class; unset for a number."""
    time: str
    corrects: str | None
    why: str | None
    note: str | None
    reviewer: str | None
    value: float | UnsetType = UNSET
    """The number; unset for classes."""

    @property
    def truth(self) -> Truth:
        """The class or the number."""
        return truth_of(self.label, self.value)


class HistoryEntry(Struct, frozen=True, rename={"label": "grade"}):
    """One event of a prediction's history; None for what it does not have or was erased."""

    id: str
    kind: FeedbackKind
    time: str
    label: str | UnsetType | None
    """The class; unset for a number."""
    corrects: str | None
    why: str | None
    note: str | None
    reviewer: str | None
    value: float | UnsetType | None = UNSET
    """The number; unset for classes."""


class ShownCase(Struct, frozen=True):
    """A recorded prediction as the API returns it."""

    id: str
    time: str
    endpoint: str
    model: Identity
    environment: str
    asked: Asked | None
    features: dict[str, FeatureValue] | None
    reference: str | None
    answer: AnyResult
    warnings: tuple[AnswerWarning, ...]
    outcome: Outcome | None
    review: Review | None
    assignee: str | None
    history: tuple[HistoryEntry, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded prediction, read from its events."""

    events: tuple[Event, ...]
    body: Body
    personal: Personal | None
    """Personal part of the prediction (features, reference); None after erasure."""
    outcome: Outcome | None
    """Latest outcome; None if none is recorded."""
    review: Review | None
    """Latest review; None if none is recorded."""

    @classmethod
    def of(cls, events: Sequence[Event]) -> "Case":
        """Read a case from all events of a prediction, that of the prediction itself included."""
        first = next(event for event in events if event.kind == "prediction")
        outcome, review = last_of(events, "outcome"), last_of(events, "review")
        return cls(
            tuple(events),
            parse_body(first.body),
            read_personal(first.personal),
            None if outcome is None else _outcome(outcome),
            None if review is None else _review(review),
        )

    def said(self, kind: EventKind) -> list[Event]:
        """List all events of a kind, oldest first."""
        return [event for event in self.events if event.kind == kind]

    @property
    def assignee(self) -> str | None:
        """The person assigned to review it, if any."""
        last = last_of(self.events, "assignment")
        return None if last is None else words_of(last).reviewer

    @property
    def event(self) -> Event:
        """The event of the prediction itself."""
        return next(event for event in self.events if event.kind == "prediction")

    @property
    def features(self) -> dict[str, FeatureValue]:
        """The features, in the order they were recorded.

        Raises:
            FeaturesErased: they were erased.
        """
        if self.personal is None:
            raise FeaturesErased
        return self.personal.features

    @property
    def classes(self) -> Iterable[str] | None:
        """The classes of the bundle that produced the prediction; None for a number."""
        result = self.body.answer
        if isinstance(result, PlainNumber | MonteCarloNumber):
            return None
        return (result.probabilities if isinstance(result, PlainResult) else result.mean).keys()

    @property
    def policy(self) -> PolicyOptions | None:
        """Requested options of prediction set and decision; None for deterministic predictions."""
        return self.body.asked.judged if isinstance(self.body, MonteCarloBody) else None

    @property
    def is_referred(self) -> bool:
        """Whether the decision refers the row to a person."""
        result = self.body.answer
        decision = None if isinstance(result, PlainResult | PlainNumber) else result.decision
        return decision is not None and decision.action == "refer"

    def shown(self) -> ShownCase:
        """Return the case as the API returns it."""
        body, personal = self.body, self.personal
        return ShownCase(
            id=self.event.prediction,
            time=moment(self.event.time),
            endpoint="/predict" if isinstance(body, PlainBody) else "/predict/mc",
            model=body.model,
            environment=body.environment,
            asked=body.asked if isinstance(body, MonteCarloBody) else None,
            features=None if personal is None else personal.features,
            reference=None if personal is None else personal.reference,
            answer=body.answer,
            warnings=body.warnings,
            outcome=self.outcome,
            review=self.review,
            assignee=self.assignee,
            history=tuple(
                _said(event, is_number=self.classes is None)
                for event in self.events
                if event.kind in get_args(FeedbackKind)
            ),
        )


class Cases:
    """Finds recorded predictions."""

    def __init__(self, reader: Reader) -> None:
        """Keep the reader of events."""
        self._reader = reader

    async def named(self, prediction: str) -> Case:
        """Read the case of an identifier.

        Raises:
            NotFound: no prediction is recorded under this identifier.
        """
        events = await self._reader.history(prediction) if is_id(prediction) else []
        if not any(event.kind == "prediction" for event in events):
            sentence = "no prediction is recorded under this identifier"
            raise NotFound(ProblemCode.NO_SUCH_PREDICTION, sentence)
        return Case.of(events)

    async def search(self, search: Search, most: int, after: ListPosition | None) -> Listing:
        """Find at most `most` recorded predictions, newest first, after a position."""
        return await self._reader.search(search, most, after)


_statements = json.Decoder(FeedbackBody)
_words = json.Decoder(FeedbackWords)


def statement_of(event: Event) -> FeedbackBody:
    """Decode the permanent part of an outcome's or a review's event."""
    return _statements.decode(event.body)


def words_of(event: Event) -> FeedbackWords:
    """Decode the erasable part of an event; empty after erasure."""
    return FeedbackWords() if event.personal is None else _words.decode(event.personal)


def last_of(events: Sequence[Event], kind: EventKind) -> Event | None:
    """Return the latest event of a kind: for outcomes and reviews, the one not corrected."""
    return next((event for event in reversed(events) if event.kind == kind), None)


def truth_of(label: str | UnsetType, value: float | UnsetType) -> Truth:
    """Return the one of both that is set.

    Raises:
        ValueError: neither is.
    """
    if label is not UNSET:
        return label
    if value is UNSET:
        raise ValueError("an outcome or a review says neither a class nor a number")
    return value


def _outcome(event: Event) -> Outcome:
    said, why = statement_of(event), words_of(event).why
    return Outcome(event.id, said.label, moment(event.time), said.corrects, why, said.value)


def _review(event: Event) -> Review:
    outcome, words = _outcome(event), words_of(event)
    return Review(
        id=outcome.id,
        label=outcome.label,
        time=outcome.time,
        corrects=outcome.corrects,
        why=outcome.why,
        note=words.note,
        reviewer=words.reviewer,
        value=outcome.value,
    )


def _said(event: Event, *, is_number: bool) -> HistoryEntry:
    words = words_of(event)
    label: str | UnsetType | None = UNSET if is_number else None
    value: float | UnsetType | None = None if is_number else UNSET
    corrects = None
    if event.kind in get_args(ClassFeedback):
        statement = statement_of(event)
        label, value, corrects = statement.label, statement.value, statement.corrects
    return HistoryEntry(
        id=event.id,
        kind=event.kind,  # type: ignore[arg-type]
        time=moment(event.time),
        label=label,
        corrects=corrects,
        why=words.why,
        note=words.note,
        reviewer=words.reviewer,
        value=value,
    )
