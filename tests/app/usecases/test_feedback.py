"""Feedback as values: said once, repeated without harm, corrected by who names what was said."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from msgspec import json

from app.count_keys import CountKey, summed
from app.errors import Conflict, NotFound
from app.monitoring.answer_counter import AnswerCounter
from app.monitoring.class_counter import ClassCounter
from app.monitoring.number_counter import NumberCounter
from app.problem_codes import ProblemCode
from app.record_events import Draft, MonteCarloPart, QueueItem, now
from app.recorded_prediction import Asked
from app.usecases.bundles import Served
from app.usecases.case import Case, Cases
from app.usecases.feedback import Correction, Feedback
from app.watched_bundle import WatchedBundle
from dubito.answer import MonteCarloResult
from dubito.bundles.validation.inspection import inspect
from dubito.errors import FieldCode, InvalidInput
from dubito.prediction import ClassAnswers
from dubito.types import Floats, Query
from tests.app.usecases.kept import Ledger, run, watched
from tests.networks import rows as loans
from tests.service import ROOT

NOBODY = "01a20b81-4528-7cce-8a01-28db29073c3c"
ROWS: Floats = np.floor(loans(12, 4))


class Desk:
    """Feedback on recorded cases."""

    def __init__(self, ledger: Ledger, identifiers: list[str]) -> None:
        self.ledger = ledger
        self.cases = Cases(ledger)
        self.feedback = Feedback(ledger, self.cases, {"loan-grade": ClassCounter(watched())})
        self.identifiers = identifiers

    async def case(self, *, referred: bool) -> Case:
        """One that waits for a person, or one that does not."""
        found = [await self.cases.named(one) for one in self.identifiers]
        return next(case for case in found if case.is_referred == referred)


def predicted(case: Case) -> str:
    """The class that was predicted."""
    assert isinstance(case.body.answer, MonteCarloResult)
    return case.body.answer.predicted


def at_a_desk(use: Callable[[Desk], Awaitable[None]]) -> Ledger:
    """Do something with recorded cases; returns what is recorded."""
    ledger = Ledger()

    async def whole(served: Served) -> None:
        predictor, every = served.predictor, range(len(ROWS))
        found = await predictor.predict_mc(Query(ROWS, 100, 42))
        assert isinstance(served.answers, ClassAnswers)
        given = served.answers.monte_carlo(found, every)
        part = MonteCarloPart(now(), ROWS.tobytes(), given, Asked(100), is_drawn=False)
        await ledger.put(Draft((part,), "case", None))
        await use(Desk(ledger, [answer.id for answer in given]))

    run(whole)
    return ledger


def counted(ledger: Ledger) -> dict[str, int]:
    """What outcomes have added to the figures, but for what came to nothing."""
    tallies = [
        entry.tally
        for entry in ledger.entries
        if entry.tally and any(event.kind == "outcome" for event in entry.events)
    ]
    return {name: count for name, count in summed(one.counts for one in tallies).items() if count}


def numbered(ledger: Ledger) -> list[tuple[str, int]]:
    """Kind and number of each event that is one of several of its prediction."""
    return [(event.kind, event.ordinal) for event in ledger.events if event.ordinal is not None]


def steps(ledger: Ledger, step: str) -> list[QueueItem]:
    """What the review queue was told of one kind."""
    return [one for entry in ledger.entries for one in entry.queue if one.step == step]


def test_an_outcome_is_said_once() -> None:
    """The same again is harmless and adds nothing; another one is a conflict."""

    async def use(desk: Desk) -> None:
        case = await desk.case(referred=False)
        name, label = case.event.prediction, predicted(case)
        assert case.outcome is None
        first = await desk.feedback.come_out(name, label)
        assert (label, None, None) == (first.label, first.corrects, first.why)
        assert first == await desk.feedback.come_out(name, label)
        with pytest.raises(Conflict) as refused:
            await desk.feedback.come_out(name, "G" if label != "G" else "A")
        assert ProblemCode.OUTCOME_DIFFERS == refused.value.code
        assert first == (await desk.cases.named(name)).outcome

    ledger = at_a_desk(use)
    assert [("outcome", 0)] == numbered(ledger)
    (event,) = (event for event in ledger.events if event.kind == "outcome")
    assert event.personal is None
    assert {"grade", "counted_by", "format"} == json.decode(event.body).keys()
    assert (1, 1) == (counted(ledger)["known.rows"], counted(ledger)["known.right"])


def test_a_correction_replaces_what_was_counted() -> None:
    """It names what was said last, and why; what it takes back comes to nothing."""

    async def use(desk: Desk) -> None:
        case = await desk.case(referred=False)
        name, label = case.event.prediction, predicted(case)
        other = "G" if label != "G" else "A"
        first = await desk.feedback.come_out(name, other)
        correction = Correction(first.id, "mistyped")
        second = await desk.feedback.come_out(name, label, correction)
        assert (label, first.id, "mistyped") == (second.label, second.corrects, second.why)
        # A request that is repeated, as its answer was lost.
        assert second == await desk.feedback.come_out(name, label, correction)
        for wrong in (Correction(first.id, "other reason"), Correction("nothing", "mistyped")):
            with pytest.raises(Conflict) as refused:
                await desk.feedback.come_out(name, label, wrong)
            assert ProblemCode.NOT_LAST == refused.value.code
        assert second == (await desk.cases.named(name)).outcome

    ledger = at_a_desk(use)
    assert [("outcome", 0), ("outcome", 1)] == numbered(ledger)
    assert (1, 1) == (counted(ledger)["known.rows"], counted(ledger)["known.right"])
    assert not any(count < 0 for count in counted(ledger).values())


def test_a_review_is_said_once() -> None:
    """Grade, note and name together; it is listed with what was answered."""

    async def use(desk: Desk) -> None:
        case = await desk.case(referred=True)
        name = case.event.prediction
        said = ("C", "looks odd", "kim")
        first = await desk.feedback.review(name, *said)
        assert said == (first.label, first.note, first.reviewer)
        assert first == await desk.feedback.review(name, *said)
        for other in (("D", *said[1:]), ("C", "", "kim"), ("C", "looks odd", "lee")):
            with pytest.raises(Conflict) as refused:
                await desk.feedback.review(name, *other)
            assert ProblemCode.REVIEW_DIFFERS == refused.value.code
        correction = Correction(first.id, "seen again")
        second = await desk.feedback.review(name, "D", "", "lee", correction)
        assert ("D", "", "lee", first.id) == (
            second.label,
            second.note,
            second.reviewer,
            second.corrects,
        )

    ledger = at_a_desk(use)
    reviewed = steps(ledger, "decide")
    assert [("C", "kim"), ("D", "lee")] == [(one.verdict, one.reviewer) for one in reviewed]
    events = [event for event in ledger.events if event.kind == "review"]
    assert [one.decided for one in reviewed] == [event.time for event in events]
    assert not any(b"kim" in event.body or b"odd" in event.body for event in events)
    first = next(event for event in ledger.events if event.prediction == events[0].prediction)
    listed = reviewed[0]
    assert (first.prediction, first.time, "case") == (
        listed.prediction,
        listed.time,
        listed.reference,
    )


def test_who_looks_at_what_waits() -> None:
    """One after the other; not what nobody waits for, and not once it was reviewed."""

    async def use(desk: Desk) -> None:
        case = await desk.case(referred=True)
        name = case.event.prediction
        for reviewer in ("kim", "kim", "lee", None, None):
            await desk.feedback.assign(name, reviewer)
            assert reviewer == (await desk.cases.named(name)).assignee
        sure = await desk.case(referred=False)
        await desk.feedback.review(name, "C", "", "kim")
        for other in (sure.event.prediction, name):
            with pytest.raises(Conflict) as refused:
                await desk.feedback.assign(other, "kim")
            assert ProblemCode.NOT_WAITING == refused.value.code

    ledger = at_a_desk(use)
    assigned = [one.assignee for one in steps(ledger, "assign")]
    assert ["kim", "lee", None] == assigned


def test_somebody_else_may_be_first() -> None:
    """What they said between our look and our entry stands: agreed to, or a conflict."""

    async def use(desk: Desk) -> None:
        agreeing, contrary, assigned = [
            name for name in desk.identifiers if (await desk.cases.named(name)).is_referred
        ][:3]
        other = Feedback(theirs := Ledger(), Cases(theirs), {"loan-grade": ClassCounter(watched())})
        theirs.events += desk.ledger.events
        await other.come_out(agreeing, "A")
        await other.come_out(contrary, "A")
        await other.assign(assigned, "lee")
        first, second, third = theirs.entries
        desk.ledger.before = [first]
        assert "A" == (await desk.feedback.come_out(agreeing, "A")).label
        desk.ledger.before = [second]
        with pytest.raises(Conflict) as refused:
            await desk.feedback.come_out(contrary, "B")
        assert ProblemCode.OUTCOME_DIFFERS == refused.value.code
        desk.ledger.before = [third]
        with pytest.raises(Conflict) as late:
            await desk.feedback.assign(assigned, "kim")
        assert ProblemCode.NOT_LAST == late.value.code

    ledger = at_a_desk(use)
    assert 2 == sum(event.kind == "outcome" for event in ledger.events)
    assert 1 == sum(event.kind == "assignment" for event in ledger.events)


def test_outcomes_are_counted_for_the_bundle_that_answered() -> None:
    """Of several that are served the one of its name; of another name one of classes, if any."""
    flat = replace(watched(), identity=replace(watched().identity, name="flat", digest="sha256:f"))
    rate = inspect(ROOT / "models" / "loan-rate" / "2").manifest
    rates = WatchedBundle(rate.identity, rate.signature, rate.calibration, "sha256:e")
    number, classes = NumberCounter(rates), ClassCounter(flat)
    own = ClassCounter(watched())
    served: dict[str, tuple[Mapping[str, AnswerCounter], str | None]] = {
        "own": ({"flat": classes, "loan-grade": own}, own.digest),
        "other": ({"rate": number, "flat": classes}, classes.digest),
        "none": ({"rate": number}, None),
    }

    async def use(desk: Desk) -> None:
        for name, (counters, digest) in served.items():
            theirs = Ledger()
            theirs.events += desk.ledger.events
            feedback = Feedback(theirs, Cases(theirs), counters)
            assert "A" == (await feedback.come_out(desk.identifiers[0], "A")).label
            (entry,) = theirs.entries
            assert (entry.tally is None) == (name == "none")
            counted_by = json.decode(entry.events[0].body).get("counted_by")
            assert digest == counted_by

    at_a_desk(use)


def test_what_cannot_be_said_is_refused() -> None:
    """A class that the bundle does not have, or a prediction that nobody knows."""

    async def use(desk: Desk) -> None:
        name = desk.identifiers[0]
        for saying in (
            lambda: desk.feedback.come_out(name, "Z"),
            lambda: desk.feedback.review(name, "Z", "", "kim"),
        ):
            with pytest.raises(InvalidInput) as refused:
                await saying()
            (fault,) = refused.value.faults
            assert (("grade",), FieldCode.NOT_ONE_OF) == (fault.where, fault.code)
        for unknown in (NOBODY, "x"):
            for asking in (
                lambda: desk.feedback.come_out(unknown, "A"),  # noqa: B023 - called at once
                lambda: desk.feedback.review(unknown, "A", "", "kim"),  # noqa: B023
                lambda: desk.feedback.assign(unknown, "kim"),  # noqa: B023
            ):
                with pytest.raises(NotFound):
                    await asking()

    ledger = at_a_desk(use)
    assert 1 == len(ledger.entries)


def test_a_case_tells_all_that_was_said() -> None:
    """In its order; what was erased is left out of it."""

    async def use(desk: Desk) -> None:
        name = (await desk.case(referred=True)).event.prediction
        await desk.feedback.assign(name, "kim")
        review = await desk.feedback.review(name, "C", "odd", "kim")
        outcome = await desk.feedback.come_out(name, "B")
        case = await desk.cases.named(name)
        shown = case.shown()
        assert ["assignment", "review", "outcome"] == [one.kind for one in shown.history]
        assert ("kim", review, outcome) == (shown.assignee, shown.review, shown.outcome)
        times = [event.time for event in case.events]
        assert sorted(set(times)) == times
        (first, *_) = shown.history
        assert (None, "kim") == (first.label, first.reviewer)

    at_a_desk(use)


def test_an_older_outcome_may_not_say_who_counted_it() -> None:
    """What it may have added to figures of the bundle alone is left as it is."""

    async def use(desk: Desk) -> None:
        case = await desk.case(referred=False)
        name, label = case.event.prediction, predicted(case)
        await desk.feedback.come_out(name, label)
        (at,) = (at for at, one in enumerate(desk.ledger.events) if one.kind == "outcome")
        old = json.encode({"grade": label})
        desk.ledger.events[at] = replace(desk.ledger.events[at], body=old)
        found = (await desk.cases.named(name)).outcome
        assert found is not None
        assert label == found.label
        other = "G" if label != "G" else "A"
        await desk.feedback.come_out(name, other, Correction(found.id, "mistyped"))

    ledger = at_a_desk(use)
    tally = ledger.entries[-1].tally
    assert tally is not None
    assert CountKey("known.right") in tally.counts
    assert not any(name.startswith(("raw.", "band.")) for name in tally.counts)
    assert tally.at is not None
