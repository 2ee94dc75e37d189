"""Verdicts: what is said of a case, how it came out and what a person made of it.

Each is said once. To say it again is harmless, and to say something else a conflict, unless it
corrects: then it names the event that was said last, and why.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model
from pydantic_core import to_json

from app.api.case import COUNTED_BY, Case, counted_by
from app.api.cases import Cases, read_small
from app.api.schema import grade_of
from app.codes import FieldCode, ProblemCode
from app.errors import Conflict, Fault, InvalidInput, Unrecorded
from app.events import MICROSECONDS, Assignment, Claim, Entry, Event, Reviewed, Tally, now, summed
from app.memory import Memory
from app.monitoring.observation import Observer
from app.monitoring.scribe import referral

STRICT = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
LONGEST_NAME, LONGEST_NOTE = 200, 4_000
"""Characters of a reviewer's name and note."""
LONGEST_EVENT = 64
"""Characters of an event's identifier."""
WITHOUT_NUL = r"^[^\x00]+$"
"""What a column of text may hold."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=WITHOUT_NUL)]
Verdict = Literal["outcome", "review"]
DIFFERS: dict[Verdict, ProblemCode] = {
    "outcome": ProblemCode.OUTCOME_DIFFERS,
    "review": ProblemCode.REVIEW_DIFFERS,
}


class Verdicts:
    """Says of cases what can be said once, and corrects it."""

    def __init__(
        self, memory: Memory, cases: Cases, observer: Observer, classes: tuple[str, ...]
    ) -> None:
        """Take where cases come from, where verdicts go to, and the grades there are."""
        self._memory = memory
        self._cases = cases
        self._observer = observer
        grade = grade_of(classes)
        self.known = create_model("OutcomeRequest", __base__=_OutcomeRequest, grade=(grade, ...))
        """The body that tells a true grade."""
        self.reviewed = create_model("ReviewRequest", __base__=_ReviewRequest, grade=(grade, ...))
        """The body that tells a person's grade."""

    async def come_out(self, request: Request, body: bytes) -> dict[str, Any]:
        """Note the true grade of a case.

        Raises:
            InvalidInput: it is none of the grades.
            Conflict: another one is known.
        """
        said = read_small(self.known, body)
        case = _answering(await self._cases.case(request), said.grade)
        known = {"grade": said.grade, COUNTED_BY: self._observer.digest}
        verdict = _Verdict("outcome", known, {}, said.corrects, said.why)
        if (number := verdict.number(case)) is not None:
            case = await self._say(verdict, case, number, tally=self._tally(case, said.grade))
        return _agreed(case.outcome, verdict)

    async def review(self, request: Request, body: bytes) -> dict[str, Any]:
        """Note what a person made of a case.

        Raises:
            InvalidInput: names what is wrong.
            Conflict: another review is known.
        """
        said = read_small(self.reviewed, body)
        case = _answering(await self._cases.case(request), said.grade)
        personal = {"note": said.note, "reviewer": said.reviewer}
        verdict = _Verdict("review", {"grade": said.grade}, personal, said.corrects, said.why)
        if (number := verdict.number(case)) is not None:
            event = case.event
            listed = referral(
                case.body["answer"],
                event.prediction,
                event.time,
                case.body["model"],
                event.reference,
            )
            decided = Reviewed(listed, said.grade, said.reviewer, _after(case))
            case = await self._say(verdict, case, number, review=decided)
        return _agreed(case.review, verdict)

    async def assign(self, request: Request, body: bytes) -> dict[str, Any]:
        """Note who looks at a case that waits for a person.

        Raises:
            InvalidInput: names what is wrong.
            Conflict: it does not wait.
        """
        said = read_small(AssignmentRequest, body)
        case = await self._cases.case(request)
        prediction = case.event.prediction
        if case.review is not None or not _is_referred(case):
            raise Conflict(ProblemCode.NOT_WAITING, "this prediction does not wait for a person")
        if case.assignee != said.reviewer:
            personal = to_json({"reviewer": said.reviewer})
            event = Event("assignment", prediction, _after(case), b"{}", personal)
            claim = Claim(f"assignment.{len(case.said('assignment'))}", prediction)
            assignment = Assignment(prediction, said.reviewer)
            entry = Entry((event,), claim=claim, assignment=assignment)
            if not await self._memory.writer.put(entry):
                raise Conflict(ProblemCode.NOT_LAST, "somebody else has assigned it meanwhile")
        return {"id": prediction, "assignee": said.reviewer}

    def _tally(self, case: Case, grade: str) -> Tally:
        """What a true grade adds to the figures, less what the one before it has added."""
        tally = self._observer.came_out(case.body, grade)
        if case.outcome is None:
            return tally
        before = self._observer.came_out(case.body, case.outcome["grade"]).counts
        less = {name: -count for name, count in before.items()}
        first = case.said("outcome")[0]
        # Sets and bands are counted by the bundle that has answered alone, then and now.
        of_bundle = case.body["model"]["digest"] == self._observer.digest == counted_by(first)
        counts = {
            name: count
            for name, count in summed((tally.counts, less)).items()
            if count and (of_bundle or not name.startswith(("raw.", "band.")))
        }
        return Tally(tally.digest, counts, first.time // MICROSECONDS)

    async def _say(
        self,
        verdict: "_Verdict",
        case: Case,
        number: int,
        tally: Tally | None = None,
        review: Reviewed | None = None,
    ) -> Case:
        """The case with what was said of it, by us or by who was first."""
        prediction = case.event.prediction
        kept = to_json(verdict.kept) if verdict.kept else None
        time = _after(case) if review is None else review.time
        event = Event(verdict.kind, prediction, time, to_json(verdict.body), kept)
        claim = Claim(f"{verdict.kind}.{number}" if number else verdict.kind, prediction)
        await self._memory.writer.put(Entry((event,), tally=tally, claim=claim, review=review))
        found = await self._cases.named(prediction)
        if found is None:
            raise Unrecorded
        return found


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is to be said of a case."""

    kind: Verdict
    said: dict[str, Any]
    personal: dict[str, Any]
    corrects: str | None
    why: str | None

    def number(self, case: Case) -> int | None:
        """Which correction it is, 0 for what is said first; None where nothing is to be said.

        Raises:
            Conflict: it does not correct what was said last.
        """
        events = case.said(self.kind)
        last = events[-1].id if events else None
        if self.corrects is None:
            return None if events else 0
        if self.corrects == last:
            return len(events)
        if any(event.id == self.corrects for event in events[:-1]) and self._is_said(case):
            return None
        sentence = f"`corrects` does not name what was said last of this {self.kind}"
        raise Conflict(ProblemCode.NOT_LAST, sentence)

    def _is_said(self, case: Case) -> bool:
        """Whether the last that was said is this: a request that is repeated."""
        known = case.outcome if self.kind == "outcome" else case.review
        return known is not None and self.agrees(known)

    def agrees(self, known: dict[str, Any]) -> bool:
        """Whether this is what is known; without `corrects` only what it says counts."""
        said = {**self.said, **self.personal}
        said.pop(COUNTED_BY, None)
        if self.corrects is not None:
            said |= {"corrects": self.corrects, "why": self.why}
        return all(known.get(name) == value for name, value in said.items())

    @property
    def body(self) -> dict[str, Any]:
        """What is kept for ever."""
        return self.said | ({} if self.corrects is None else {"corrects": self.corrects})

    @property
    def kept(self) -> dict[str, Any]:
        """What may be erased."""
        return self.personal | ({} if self.why is None else {"why": self.why})


EventId = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_EVENT)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NOTE)]


class _Correction(BaseModel):
    model_config = STRICT | ConfigDict(
        json_schema_extra={"dependentRequired": {"corrects": ["why"], "why": ["corrects"]}}
    )

    # Left out they are None; null itself is refused, as it is no event and no reason.
    corrects: EventId = Field(
        default=cast("str", None), description="`id` of what was said last, where this corrects it"
    )
    why: Reason = Field(default=cast("str", None), description="of a correction, which needs it")

    def model_post_init(self, _: Any) -> None:
        """Check that both are given, or neither.

        Raises:
            InvalidInput: names what is missing.
        """
        given = self.model_fields_set & {"corrects", "why"}
        if len(given) == 1:
            (missing,) = {"corrects", "why"} - given
            message = "is missing: a correction has both"
            raise InvalidInput([Fault((missing,), FieldCode.MISSING, message)])


class _OutcomeRequest(_Correction):
    grade: str


class _ReviewRequest(_Correction):
    grade: str
    note: Annotated[str, StringConstraints(max_length=LONGEST_NOTE)]
    reviewer: Name


class AssignmentRequest(BaseModel):
    """Who looks at it; null for nobody."""

    model_config = STRICT

    reviewer: Name | None


def _is_referred(case: Case) -> bool:
    decision = case.body["answer"].get("decision") or {}
    return decision.get("action") == "refer"


def _after(case: Case) -> int:
    """Now, or just after what was said last, whatever the clock says: times tell the order."""
    return max(now(), *(event.time + 1 for event in case.events))


def _answering(case: Case, grade: str) -> Case:
    """A case whose bundle, which need not be the one that is served, knows a grade.

    Raises:
        InvalidInput: it does not.
    """
    if grade not in case.grades:
        message = "must be one of the bundle that has answered"
        raise InvalidInput([Fault(("grade",), FieldCode.NOT_ONE_OF, message)])
    return case


def _agreed(known: dict[str, Any] | None, verdict: _Verdict) -> dict[str, Any]:
    """What is known, if it is what was said.

    Raises:
        Conflict: it is something else.
    """
    if known is None or not verdict.agrees(known):
        raise Conflict(
            DIFFERS[verdict.kind], f"another {verdict.kind} is recorded for this prediction"
        )
    return known
