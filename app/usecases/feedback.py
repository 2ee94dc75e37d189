"""Feedback on a prediction: its true class, and what a person made of it.

Each is said once. To say it again is harmless, and to say something else a conflict, unless it
corrects: then it names the event that was said last, and why.
"""

from dataclasses import dataclass, replace
from typing import Literal

from msgspec import UNSET, json

from app.count_keys import summed
from app.errors import Conflict
from app.monitoring.counters import OF_BUNDLE, AnswerCounter
from app.monitoring.event_builder import queue_item
from app.problem_codes import ProblemCode
from app.record_events import (
    FORMAT,
    MICROSECONDS,
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
    Outcome,
    Review,
    Statement,
    Words,
    statement_of,
)
from dubito.errors import Fault, FieldCode, InvalidInput

Verdict = Literal["outcome", "review"]
DIFFERS: dict[Verdict, ProblemCode] = {
    "outcome": ProblemCode.OUTCOME_DIFFERS,
    "review": ProblemCode.REVIEW_DIFFERS,
}


@dataclass(frozen=True, slots=True)
class Correction:
    """Which event a statement corrects, and why."""

    corrects: str
    why: str


class Feedback:
    """Records what is said of predictions."""

    def __init__(self, writer: Writer, cases: Cases, counter: AnswerCounter) -> None:
        """Take where entries go, where cases come from, and who counts outcomes."""
        self._writer = writer
        self._cases = cases
        self._counter = counter

    async def come_out(
        self, prediction: str, label: str, correction: Correction | None = None
    ) -> Outcome:
        """Record the true class of a prediction.

        Raises:
            NotFound: no such prediction.
            InvalidInput: it is none of the classes.
            Conflict: another one is known.
        """
        case = _answering(await self._cases.named(prediction), label)
        said = _Said("outcome", label, Words(), correction, self._counter.digest)
        if (number := said.number(case)) is not None:
            case = await self._say(said, case, number, tally=self._tally(case, label))
        if case.outcome is None or not said.agrees(case.outcome):
            raise _differs("outcome")
        return case.outcome

    async def review(
        self,
        prediction: str,
        label: str,
        note: str,
        reviewer: str,
        correction: Correction | None = None,
    ) -> Review:
        """Record what a person made of a prediction.

        Raises:
            NotFound: no such prediction.
            InvalidInput: it is none of the classes.
            Conflict: another review is known.
        """
        case = _answering(await self._cases.named(prediction), label)
        said = _Said("review", label, Words(note=note, reviewer=reviewer), correction)
        if (number := said.number(case)) is not None:
            listed = _listed(case)
            decided = replace(
                listed, decided=_after(case), verdict=label, reviewer=reviewer, step="decide"
            )
            case = await self._say(said, case, number, queue=(decided,))
        if case.review is None or not said.agrees(case.review):
            raise _differs("review")
        return case.review

    async def assign(self, prediction: str, reviewer: str | None) -> None:
        """Record who looks at a prediction that waits for a person; None for nobody.

        Raises:
            NotFound: no such prediction.
            Conflict: it does not wait, or somebody else was assigned meanwhile.
        """
        case = await self._cases.named(prediction)
        if case.review is not None or not case.is_referred:
            raise Conflict(ProblemCode.NOT_WAITING, "this prediction does not wait for a person")
        if case.assignee == reviewer:
            return
        personal = json.encode({"reviewer": reviewer})
        body = json.encode({"format": FORMAT})
        ordinal = len(case.said("assignment"))
        event = Event("assignment", prediction, _after(case), body, personal, ordinal=ordinal)
        assigned = replace(_listed(case), assignee=reviewer, step="assign")
        if not await self._writer.put(Entry((event,), queue=(assigned,))):
            raise Conflict(ProblemCode.NOT_LAST, "somebody else has assigned it meanwhile")

    def _tally(self, case: Case, label: str) -> Tally:
        """What a true class adds to the counts, less what the one before it has added."""
        tally = self._counter.came_out(case.body, label)
        if case.outcome is None:
            return tally
        before = self._counter.came_out(case.body, case.outcome.label).counts
        less = {name: -count for name, count in before.items()}
        first = case.said("outcome")[0]
        # Sets and bands are counted by the bundle that has answered alone, then and now.
        counted_by = statement_of(first).counted_by
        of_bundle = case.body.model.digest == self._counter.digest == counted_by
        counts = {
            name: count
            for name, count in summed((tally.counts, less)).items()
            if count and (of_bundle or not name.startswith(OF_BUNDLE))
        }
        return Tally(tally.digest, counts, first.time // MICROSECONDS)

    async def _say(
        self,
        said: "_Said",
        case: Case,
        number: int,
        tally: Tally | None = None,
        queue: tuple[QueueItem, ...] = (),
    ) -> Case:
        """The case with what was said of it, by us or by who was first."""
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


@dataclass(frozen=True, slots=True)
class _Said:
    """What is to be said of a case."""

    kind: Verdict
    label: str
    words: Words
    correction: Correction | None
    counted_by: str | None = None
    """Digest of the bundle that counts an outcome."""

    def number(self, case: Case) -> int | None:
        """Which correction it is, 0 for what is said first; None where nothing is to be said.

        Raises:
            Conflict: it does not correct what was said last.
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
        sentence = f"`corrects` does not name what was said last of this {self.kind}"
        raise Conflict(ProblemCode.NOT_LAST, sentence)

    def _is_said(self, case: Case) -> bool:
        """Whether the last that was said is this: a request that is repeated."""
        known = case.outcome if self.kind == "outcome" else case.review
        return known is not None and self.agrees(known)

    def agrees(self, known: Outcome | Review) -> bool:
        """Whether this is what is known; without a correction only what it says counts."""
        if known.label != self.label:
            return False
        if isinstance(known, Review):
            own = (self.words.note, self.words.reviewer)
            if own != (known.note, known.reviewer):
                return False
        correction = self.correction
        return correction is None or correction == Correction(known.corrects or "", known.why or "")

    @property
    def statement(self) -> Statement:
        """What is kept for ever."""
        counted_by = UNSET if self.counted_by is None else self.counted_by
        corrects = None if self.correction is None else self.correction.corrects
        return Statement(self.label, corrects, counted_by, FORMAT)

    @property
    def personal(self) -> bytes | None:
        """What may be erased, as JSON; None of nothing."""
        why = None if self.correction is None else self.correction.why
        words = Words(why, self.words.note, self.words.reviewer)
        return None if words == Words() else json.encode(words)


def _listed(case: Case) -> QueueItem:
    """The case as the review queue lists it."""
    event, body = case.event, case.body
    return queue_item(body.answer, event.prediction, event.time, body.model, event.reference)


def _differs(kind: Verdict) -> Conflict:
    return Conflict(DIFFERS[kind], f"another {kind} is recorded for this prediction")


def _after(case: Case) -> int:
    """Now, or just after what was said last, whatever the clock says: times tell the order."""
    return max(now(), *(event.time + 1 for event in case.events))


def _answering(case: Case, label: str) -> Case:
    """A case whose bundle, which need not be the one that is served, knows a class.

    Raises:
        InvalidInput: it does not.
    """
    if label not in case.classes:
        message = "must be one of the bundle that has answered"
        raise InvalidInput([Fault(("grade",), FieldCode.NOT_ONE_OF, message)])
    return case
