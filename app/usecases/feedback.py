"""Feedback on a prediction: its true class (outcome), reviews, and assignments to reviewers.

An outcome or review is recorded once: repeating it is harmless, contradicting it is a conflict
unless it is a correction, which names the latest event and gives a reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from msgspec import UNSET, json

from app.count_keys import summed
from app.errors import Conflict
from app.monitoring.answer_counter import AnswerCounter
from app.monitoring.event_builder import queue_item
from app.problem_codes import ProblemCode
from app.record_events import (
    FORMAT,
    MICROSECONDS,
    ClassFeedback,
    Entry,
    Event,
    QueueItem,
    Tally,
    now,
)
from app.record_ports import Writer
from app.usecases.case import (
    Case,
    Cases,
    FeedbackBody,
    FeedbackWords,
    Outcome,
    Review,
    Truth,
    statement_of,
)
from dubito.errors import Fault, FieldCode, InvalidInput

DIFFERS: dict[ClassFeedback, ProblemCode] = {
    "outcome": ProblemCode.OUTCOME_DIFFERS,
    "review": ProblemCode.REVIEW_DIFFERS,
}


@dataclass(frozen=True, slots=True)
class Correction:
    """Identifier of the event that is corrected, and the reason."""

    corrects: str
    why: str


class Feedback:
    """Records outcomes, reviews and assignments."""

    def __init__(self, writer: Writer, cases: Cases, counters: Mapping[str, AnswerCounter]) -> None:
        """Keep the writer of entries, the source of cases, and the counters of outcomes.

        Args:
            writer: writes entries.
            cases: reads recorded predictions.
            counters: counter of each served bundle by its name.
        """
        self._writer = writer
        self._cases = cases
        self._counters = counters

    async def come_out(
        self, prediction: str, truth: Truth, correction: Correction | None = None
    ) -> Outcome:
        """Record the true class or number of a prediction.

        Raises:
            NotFound: no such prediction.
            InvalidInput: it is not one of the bundle's classes, or the bundle predicts a number and
                it is none.
            Conflict: another outcome is recorded, or the correction does not name the latest one.
        """
        case = _answering(await self._cases.named(prediction), truth)
        counter = self._counter(case)
        digest = None if counter is None else counter.digest
        said = _Said("outcome", truth, FeedbackWords(), correction, digest)
        if (number := said.number(case)) is not None:
            tally = None if counter is None else _tally(counter, case, truth)
            case = await self._say(said, case, number, tally=tally)
        if case.outcome is None or not said.agrees(case.outcome):
            raise _differs("outcome")
        return case.outcome

    def _counter(self, case: Case) -> AnswerCounter | None:
        """Return the counter of outcomes of a case's bundle; None if nobody counts them.

        A class is counted for a bundle of another name too, if any served one has classes; a number
        is measured by the scale of its own bundle.
        """
        own = self._counters.get(case.body.model.name)
        if own is not None or case.classes is None:
            return own
        return next((one for one in self._counters.values() if one.has_classes), None)

    async def review(
        self,
        prediction: str,
        truth: Truth,
        note: str,
        reviewer: str,
        correction: Correction | None = None,
    ) -> Review:
        """Record a person's review of a prediction.

        Raises:
            NotFound: no such prediction.
            InvalidInput: the truth is not one of the bundle's classes, or the bundle predicts a
                number and it is none.
            Conflict: another review is recorded, or the correction does not name the latest one.
        """
        case = _answering(await self._cases.named(prediction), truth)
        said = _Said("review", truth, FeedbackWords(note=note, reviewer=reviewer), correction)
        if (number := said.number(case)) is not None:
            listed = _listed(case)
            decided = replace(
                listed, decided=_after(case), verdict=str(truth), reviewer=reviewer, step="decide"
            )
            case = await self._say(said, case, number, queue=(decided,))
        if case.review is None or not said.agrees(case.review):
            raise _differs("review")
        return case.review

    async def assign(self, prediction: str, reviewer: str | None) -> None:
        """Assign a prediction that waits for a review to a person; None removes the assignment.

        Raises:
            NotFound: no such prediction.
            Conflict: the prediction does not wait for a review, or its assignee was changed
                meanwhile.
        """
        case = await self._cases.named(prediction)
        if case.review is not None or not case.is_referred:
            raise Conflict(ProblemCode.NOT_WAITING, "this prediction does not wait for a review")
        if case.assignee == reviewer:
            return
        personal = json.encode({"reviewer": reviewer})
        body = json.encode({"format": FORMAT})
        ordinal = len(case.said("assignment"))
        event = Event("assignment", prediction, _after(case), body, personal, ordinal=ordinal)
        assigned = replace(_listed(case), assignee=reviewer, step="assign")
        if not await self._writer.put(Entry((event,), queue=(assigned,))):
            raise Conflict(
                ProblemCode.NOT_LAST, "another request has changed the assignee meanwhile"
            )

    async def _say(
        self,
        said: "_Said",
        case: Case,
        number: int,
        tally: Tally | None = None,
        queue: tuple[QueueItem, ...] = (),
    ) -> Case:
        """Record a statement and return the case; a concurrent request may have been first."""
        prediction = case.event.prediction
        event = Event(
            said.kind,
            prediction,
            _after(case) if not queue else queue[0].decided or 0,
            json.encode(said.statement),
            said.personal,
            ordinal=number,
        )
        await self._writer.put(Entry((event,), tally=tally, queue=queue))
        return await self._cases.named(prediction)


def _tally(counter: AnswerCounter, case: Case, truth: Truth) -> Tally:
    """Count an outcome; for a correction, minus the counts of the corrected outcome."""
    tally = counter.came_out(case.body, truth)
    if case.outcome is None:
        return tally
    before = counter.came_out(case.body, case.outcome.truth).counts
    less = {name: -count for name, count in before.items()}
    first = case.said("outcome")[0]
    # Only the bundle that produced the prediction counts sets and bands, if it was served both
    # when the first outcome was counted and now.
    counted_by = statement_of(first).counted_by
    of_bundle = case.body.model.digest == counter.digest == counted_by
    counts = {
        name: count
        for name, count in summed((tally.counts, less)).items()
        if count and (of_bundle or not name.startswith(counter.of_bundle))
    }
    return Tally(tally.digest, counts, first.time // MICROSECONDS)


@dataclass(frozen=True, slots=True)
class _Said:
    """An outcome or a review that a request wants to record."""

    kind: ClassFeedback
    truth: Truth
    words: FeedbackWords
    correction: Correction | None
    counted_by: str | None = None
    """Digest of the bundle that counts an outcome."""

    def number(self, case: Case) -> int | None:
        """Return the ordinal of the event, 0 for the first; None if nothing new is to be recorded.

        Raises:
            Conflict: it does not correct the latest event.
        """
        events = case.said(self.kind)
        last = events[-1].id if events else None
        if self.correction is None:
            return None if events else 0
        corrects = self.correction.corrects
        if corrects == last:
            return len(events)
        if any(event.id == corrects for event in events[:-1]) and self._is_said(case):
            return None
        sentence = f"`corrects` does not name the event of the latest {self.kind}"
        raise Conflict(ProblemCode.NOT_LAST, sentence)

    def _is_said(self, case: Case) -> bool:
        """Whether the latest event says the same: the request is a repetition."""
        known = case.outcome if self.kind == "outcome" else case.review
        return known is not None and self.agrees(known)

    def agrees(self, known: Outcome | Review) -> bool:
        """Whether this equals the recorded one; the correction is compared only if there is one."""
        if known.truth != self.truth:
            return False
        if isinstance(known, Review):
            own = (self.words.note, self.words.reviewer)
            if own != (known.note, known.reviewer):
                return False
        correction = self.correction
        return correction is None or correction == Correction(known.corrects or "", known.why or "")

    @property
    def statement(self) -> FeedbackBody:
        """Permanent part of the event."""
        counted_by = UNSET if self.counted_by is None else self.counted_by
        corrects = None if self.correction is None else self.correction.corrects
        return FeedbackBody(
            label=self.truth if isinstance(self.truth, str) else UNSET,
            value=self.truth if isinstance(self.truth, float) else UNSET,
            corrects=corrects,
            counted_by=counted_by,
            format=FORMAT,
        )

    @property
    def personal(self) -> bytes | None:
        """Erasable part of the event as JSON; None if it is empty."""
        why = None if self.correction is None else self.correction.why
        words = FeedbackWords(why, self.words.note, self.words.reviewer)
        return None if words == FeedbackWords() else json.encode(words)


def _listed(case: Case) -> QueueItem:
    """Return the case as the review queue lists it."""
    event, body = case.event, case.body
    return queue_item(body.answer, event.prediction, event.time, body.model, event.reference)


def _differs(kind: ClassFeedback) -> Conflict:
    return Conflict(DIFFERS[kind], f"another {kind} is recorded for this prediction")


def _after(case: Case) -> int:
    """Return the time, at least 1 µs after the latest event: times define the order."""
    return max(now(), *(event.time + 1 for event in case.events))


def _answering(case: Case, truth: Truth) -> Case:
    """Check that a bundle could have predicted what is said; returns the case.

    Raises:
        InvalidInput: it is none of the classes of the bundle that produced the prediction, or it is
            a class where that bundle predicts a number.
    """
    classes = case.classes
    if classes is None and isinstance(truth, str):
        message = "must be left out: the bundle that produced the prediction predicts a number"
        raise InvalidInput([Fault(("grade",), FieldCode.NOT_ONE_OF, message)])
    if classes is not None and truth not in set(classes):
        message = "must be one of the grades of the bundle that produced the prediction"
        name = "grade" if isinstance(truth, str) else "value"
        raise InvalidInput([Fault((name,), FieldCode.NOT_ONE_OF, message)])
    return case
