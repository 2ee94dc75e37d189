"""Replays as values: a recorded case computed again, as it was or with other features."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest
from msgspec import UNSET, json, structs

from app.errors import Conflict, FeaturesErased, NotFound
from app.problem_codes import ProblemCode
from app.record_events import Draft, Event, MonteCarloPart, Note, PlainPart, now
from app.recorded_prediction import Asked
from app.serving.caller import PATIENT
from app.usecases.bundles import Served
from app.usecases.case import Case, Cases
from app.usecases.replay import ENVIRONMENT, ChangedFact, Replay, Replays, WhatIf, compared
from dubito.answer import MonteCarloResult, PlainResult
from dubito.errors import FieldCode, InvalidInput
from dubito.prediction import ClassAnswers
from dubito.types import Environment, Floats, Query
from dubito.uncertainty.policy import PolicyOptions
from tests.app.usecases.kept import Ledger, Shelf, bundle, run
from tests.networks import rows as loans

ROWS: Floats = np.floor(loans(3, 4))
POLICY = PolicyOptions(coverage=0.8, method="aps", class_conditional=True, target=0.02)
VERSIONS = (2, 5)
Value = TypeVar("Value")


async def recorded(
    served: Served, ledger: Ledger, kind: str, policy: PolicyOptions | None = POLICY
) -> list[str]:
    """Identifiers of recorded answers to the rows."""
    every = range(len(ROWS))
    assert isinstance(served.answers, ClassAnswers)
    if kind == "plain":
        plain = served.answers.plain(await served.predictor.predict(ROWS), every)
        part: Any = PlainPart(now(), ROWS.tobytes(), plain)
    else:
        tolerance = 0.02 if kind == "auto" else None
        query = Query(ROWS, 700 if kind == "auto" else 60, 42)
        found = await served.predictor.predict_mc(query, tolerance=tolerance, options=policy)
        judged = policy if served.identity.version == 5 else None
        asked = Asked("auto" if kind == "auto" else 60, tolerance, degrade=False, judged=judged)
        given = served.answers.monte_carlo(found, every)
        part = MonteCarloPart(now(), ROWS.tobytes(), given, asked, is_drawn=False)
    ledger.version = served.identity.version
    await ledger.put(Draft((part,), None, None))
    return [answer.id for answer in part.answers]


def with_cases(
    kind: str,
    use: Callable[[Served, Ledger, list[Case]], Awaitable[Value]],
    version: int = 5,
) -> Value:
    """Do something with recorded cases and the bundle that has answered them."""

    async def whole(served: Served) -> Value:
        ledger = Ledger()
        identifiers = await recorded(served, ledger, kind)
        cases = Cases(ledger)
        return await use(served, ledger, [await cases.named(one) for one in identifiers])

    return run(whole, version)


def shelf(served: Served, environment: Environment | None = None) -> Shelf:
    return Shelf({served.identity.digest: served}, environment)


@pytest.mark.parametrize("kind", ["plain", "fixed", "auto"])
@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_computed_again_is_identical(kind: str, version: int) -> None:
    """Alone, though it was answered among others; as many passes, of the same seed."""

    async def use(served: Served, ledger: Ledger, cases: list[Case]) -> list[Replay]:
        replays = Replays(ledger, shelf(served))
        return [await replays.replay(case) for case in cases]

    found = with_cases(kind, use, version)
    assert [(True, 0.0, (), (), False, ())] * 3 == [
        (
            one.identical,
            one.largest_difference,
            one.differing,
            one.reasons,
            one.environment_changed,
            one.facts,
        )
        for one in found
    ]
    for one, row in zip(found, ROWS, strict=True):
        result = one.answer
        if isinstance(result, PlainResult):
            (probabilities,) = bundle(version).engine.predict(row[None]).tolist()
            assert probabilities == list(result.probabilities.values())
        else:
            assert isinstance(result, MonteCarloResult)
            query = Query(row[None], result.passes, 42)
            (summary,) = bundle(version).engine.summarise([query])
            assert summary.mean[0].tolist() == list(result.mean.values())
            assert result.precision.tolerance == (0.02 if kind == "auto" else None)


def altered(case: Case, change: Callable[[Any], Any]) -> Case:
    """A case whose recorded answer was another one."""
    body = case.body
    return replace(case, body=structs.replace(body, answer=change(body.answer)))


def test_what_differs_is_told() -> None:
    """By the way to it, with the largest difference of two figures."""

    def change(result: MonteCarloResult) -> MonteCarloResult:
        mean = result.mean | {"B": result.mean["B"] + 0.25}
        uncertainty = structs.replace(
            result.uncertainty, variation_ratio=result.uncertainty.variation_ratio - 0.5
        )
        decision = result.decision
        assert decision is not None
        action = "refer" if decision.action == "automate" else "automate"
        return structs.replace(
            result,
            mean=mean,
            uncertainty=uncertainty,
            decision=structs.replace(decision, action=action),
        )

    async def use(served: Served, ledger: Ledger, cases: list[Case]) -> Replay:
        return await Replays(ledger, shelf(served)).replay(altered(cases[0], change))

    found = with_cases("fixed", use)
    assert not found.identical
    assert ("decision.action", "mean.B", "uncertainty.variation_ratio") == found.differing
    assert found.largest_difference == pytest.approx(0.5)
    assert () == found.reasons


def test_another_environment_is_a_reason() -> None:
    """With what of it is other than then, where that is known."""
    now_facts = {"numpy": "9.9", "machine": "same", "added": "yes"}
    then_facts = {"numpy": "2.4", "machine": "same", "removed": "yes"}

    async def use(served: Served, ledger: Ledger, cases: list[Case]) -> tuple[Replay, Replay]:
        other = Environment("sha256:other", now_facts)
        replays = Replays(ledger, shelf(served, other))
        unknown = await replays.replay(cases[0])
        name = ENVIRONMENT + cases[0].body.environment
        ledger.notes[name] = Note(name, 1, json.encode(then_facts))
        return unknown, await replays.replay(cases[0])

    unknown, known = with_cases("fixed", use)
    reason = "the numerical environment has changed"
    assert (True, True, (reason,), ()) == (
        unknown.identical,
        unknown.environment_changed,
        unknown.reasons,
        unknown.facts,
    )
    assert (
        ChangedFact("added", None, "yes"),
        ChangedFact("numpy", "2.4", "9.9"),
        ChangedFact("removed", "yes", None),
    ) == known.facts
    told = ("added was nothing and is yes", "numpy was 2.4 and is 9.9")
    assert (reason, *told, "removed was yes and is nothing") == known.reasons


def test_an_answer_of_another_kind_has_no_figure_in_common() -> None:
    """Nothing is subtracted that is not there twice."""

    async def use(served: Served, ledger: Ledger, cases: list[Case]) -> Replay:
        predictor, answers = served.predictor, served.answers
        (plain,) = answers.plain(await predictor.predict(ROWS[:1]), range(1))
        return compared(cases[0], plain.result, served.environment, {})

    found = with_cases("fixed", use)
    assert (False, 0.0) == (found.identical, found.largest_difference)
    assert {"mean.A", "passes"} <= set(found.differing)
    assert "decision.target" in found.differing


def test_a_member_that_is_new_since_then_changes_nothing() -> None:
    """What was recorded is compared; a later version may answer more."""

    async def use(served: Served, ledger: Ledger, cases: list[Case]) -> tuple[Replay, Replay]:
        result = cases[0].body.answer
        assert isinstance(result, MonteCarloResult)
        assert result.decision is not None
        less = structs.replace(result.decision, case_limit=UNSET)
        older = structs.replace(cases[0].body, answer=structs.replace(result, decision=less))
        before = replace(cases[0], body=older)
        return (
            compared(before, result, served.environment, {}),
            compared(cases[0], older.answer, served.environment, {}),
        )

    more, fewer = with_cases("fixed", use)
    assert (True, ()) == (more.identical, more.differing)
    assert (False, ("decision.case_limit",)) == (fewer.identical, fewer.differing)


@pytest.mark.parametrize("kind", ["plain", "fixed", "auto"])
@pytest.mark.parametrize("name", ["annual_income", "연간소득"])
def test_what_if_changes_the_features_alone(kind: str, name: str) -> None:
    """The same passes and masks; each figure's difference is what it is now less what it was."""

    async def use(served: Served, ledger: Ledger, cases: list[Case]) -> WhatIf:
        replays = Replays(ledger, shelf(served))
        return await replays.what_if(cases[1], {name: 9_000.0, "debt_to_income": None}, PATIENT)

    found = with_cases(kind, use)
    row = ROWS[1].copy()
    row[1], row[2] = 9_000, np.nan
    names = bundle().signature.names
    wanted = {
        one: None if np.isnan(value) else value for one, value in zip(names, row, strict=True)
    }
    assert wanted == found.features
    if isinstance(found.corrected, PlainResult):
        assert isinstance(found.recorded, PlainResult)
        before, after = found.recorded.probabilities, found.corrected.probabilities
        assert bundle().engine.predict(row[None])[0].tolist() == list(after.values())
        differences = {f"probabilities.{label}": after[label] - before[label] for label in before}
        assert differences == found.difference
        return
    assert isinstance(found.recorded, MonteCarloResult)
    result = found.corrected
    assert isinstance(result, MonteCarloResult)
    assert (found.recorded.passes, 42) == (result.passes, result.seed)
    (summary,) = bundle().engine.summarise([Query(row[None], result.passes, 42)])
    assert summary.mean[0].tolist() == list(result.mean.values())
    for label, value in result.mean.items():
        assert value - found.recorded.mean[label] == found.difference[f"mean.{label}"]
    assert not {"passes", "seed"} & found.difference.keys()


@pytest.mark.parametrize(
    ("changes", "where", "code"),
    [
        ({"odd": 1.0}, ("features", "odd"), FieldCode.UNKNOWN),
        ({"annual_income": 1.0, "연간소득": 2.0}, ("features",), FieldCode.GIVEN_TWICE),
        ({"annual_income": -1.0}, ("features", "annual_income"), FieldCode.TOO_SMALL),
        ({"annual_income": None}, ("features", "annual_income"), FieldCode.NOT_A_NUMBER),
        ({"delinq_2y": 0.5}, ("features", "delinq_2y"), FieldCode.NOT_WHOLE),
    ],
)
def test_changes_that_cannot_be_are_refused(
    changes: dict[str, float | None], where: tuple[str, ...], code: FieldCode
) -> None:
    """By the signature of the bundle that has answered."""

    async def use(served: Served, ledger: Ledger, cases: list[Case]) -> None:
        await Replays(ledger, shelf(served)).what_if(cases[0], changes, PATIENT)

    with pytest.raises(InvalidInput) as refused:
        with_cases("fixed", use)
    (fault,) = refused.value.faults
    assert (where, code) == (fault.where, fault.code)


def test_what_was_erased_or_is_gone_is_told() -> None:
    """Without features nothing can be computed, and no other bundle takes a bundle's place."""

    async def use(served: Served, ledger: Ledger, cases: list[Case]) -> None:
        event: Event = cases[0].event
        erased = Case.of([replace(event, personal=None)])
        here, nowhere = Replays(ledger, shelf(served)), Replays(ledger, Shelf({}))
        for replaying in (here, nowhere):
            with pytest.raises(FeaturesErased):
                await replaying.replay(erased)
            with pytest.raises(FeaturesErased):
                await replaying.what_if(erased, {}, PATIENT)
        with pytest.raises(Conflict) as gone:
            await nowhere.replay(cases[0])
        assert ProblemCode.BUNDLE_GONE == gone.value.code
        assert erased.shown().features is None
        assert erased.shown().answer == cases[0].shown().answer

    with_cases("fixed", use)


@pytest.mark.parametrize("name", ["", "x", "01a20b81-4528-7cce-8a01-28db29073c3c"])
def test_what_is_not_recorded_is_not_found(name: str) -> None:
    """Whatever the identifier is."""

    async def use(served: Served, ledger: Ledger, cases: list[Case]) -> None:
        with pytest.raises(NotFound):
            await Cases(ledger).named(name)

    with_cases("plain", use)
