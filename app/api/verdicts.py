"""Verdicts: what is said of a case once only, how it came out and what a person made of it."""

from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, StringConstraints, create_model
from pydantic_core import to_json

from app.api.case import Case
from app.api.cases import Cases, read_small
from app.api.schema import grade_of
from app.errors import Conflict, Fault, FieldCode, InvalidInput, ProblemCode, Unrecorded
from app.events import Claim, Entry, Event, Kind, Tally, now
from app.memory import Memory
from app.monitoring.observation import Observer

STRICT = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
LONGEST_NAME, LONGEST_NOTE = 200, 4_000
"""Characters of a reviewer's name and note."""
DIFFERS = {"outcome": ProblemCode.OUTCOME_DIFFERS, "review": ProblemCode.REVIEW_DIFFERS}


class Verdicts:
    """Says of cases what can be said once."""

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
        said = read_small(self.known, body).model_dump()
        case = _answering(await self._cases.case(request), said["grade"])
        if case.outcome is None:
            tally = self._observer.came_out(case.body, said["grade"])
            case = await self._said("outcome", case, said, None, tally)
        return _agreed(case.outcome, said, "outcome")

    async def review(self, request: Request, body: bytes) -> dict[str, Any]:
        """Note what a person made of a case.

        Raises:
            InvalidInput: names what is wrong.
            Conflict: another review is known.
        """
        said = read_small(self.reviewed, body).model_dump()
        case = _answering(await self._cases.case(request), said["grade"])
        if case.review is None:
            personal = {name: said[name] for name in ("note", "reviewer")}
            case = await self._said("review", case, {"grade": said["grade"]}, personal, None)
        return _agreed(case.review, said, "review")

    async def _said(
        self,
        kind: Kind,
        case: Case,
        body: dict[str, Any],
        personal: dict[str, Any] | None,
        tally: Tally | None,
    ) -> Case:
        """The case with what was said of it, by us or by who was first."""
        prediction = case.event.prediction
        kept = None if personal is None else to_json(personal)
        event = Event(kind, prediction, now(), to_json(body), kept)
        entry = Entry((event,), tally=tally, claim=Claim(kind, prediction))
        if await self._memory.writer.put(entry):
            return Case.of([*case.events, event])
        found = await self._cases.named(prediction)
        if found is None:
            raise Unrecorded
        return found


class _OutcomeRequest(BaseModel):
    model_config = STRICT

    grade: str


class _ReviewRequest(BaseModel):
    model_config = STRICT

    grade: str
    note: Annotated[str, StringConstraints(max_length=LONGEST_NOTE)]
    reviewer: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]


def _answering(case: Case, grade: str) -> Case:
    """A case whose bundle, which need not be the one that is served, knows a grade.

    Raises:
        InvalidInput: it does not.
    """
    if grade not in case.grades:
        message = "must be one of the bundle that has answered"
        raise InvalidInput([Fault(("grade",), FieldCode.NOT_ONE_OF, message)])
    return case


def _agreed(known: dict[str, Any] | None, said: dict[str, Any], kind: str) -> dict[str, Any]:
    """What is known, if it is what was said.

    Raises:
        Conflict: it is not.
    """
    known = known or {}
    if any(known.get(name) != value for name, value in said.items()):
        raise Conflict(DIFFERS[kind], f"another {kind} is recorded for this prediction")
    return known
