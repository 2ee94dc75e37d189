"""Replaying: a recorded answer computed again, and how far apart the two are."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.api.bundles import Served
from app.api.case import Case
from app.codes import FieldCode
from app.errors import Fault, InvalidInput, Ungradable
from app.monitoring.scribe import plain
from app.serving.client import Client
from app.values import Environment, Floats, Query


class ChangedFact(BaseModel):
    """Something of the numerical environment that is other than when it was answered."""

    model_config = ConfigDict(extra="forbid")

    name: str
    then: str | None
    now: str | None


class Replay(BaseModel):
    """What came of computing a recorded answer again."""

    model_config = ConfigDict(extra="forbid")

    id: str
    identical: bool = Field(description="every figure to the last bit, and all that follows")
    largest_difference: float = Field(description="between two figures of the same name")
    differing: list[str] = Field(description="the members that are not the same")
    reasons: list[str] = Field(description="why they could differ")
    environment_changed: bool = Field(description="whether the numerical environment is another")
    facts: list[ChangedFact] = Field(description="what of it is other than then")
    answer: dict[str, Any]


async def computed(
    case: Case, rows: Floats, served: Served, client: Client
) -> list[dict[str, Any]]:
    """The answers to rows `(N, F)`, asked for as the case's was: same passes, same seed.

    Raises:
        InvalidInput: the network's numbers overflow on one of them.
    """
    try:
        return await _computed(case, rows, served, client)
    except Ungradable as error:
        fault = Fault(("features",), FieldCode.OVERFLOWS, error.sentence)
        raise InvalidInput([fault]) from None


async def _computed(
    case: Case, rows: Floats, served: Served, client: Client
) -> list[dict[str, Any]]:
    if case.body["endpoint"] == "/predict":
        graded = await served.predictor.grade(rows, client)
        found = served.answers.of_graded(graded, range(len(rows)))
    else:
        answer = case.body["answer"]
        query = Query(rows, answer["passes"], answer["seed"])
        doubted = await served.predictor.doubt(query, client, asked=case.judged)
        whole = replace(doubted, tolerance=case.tolerance)
        found = served.answers.of_doubted(whole, range(len(rows)))
    return [plain(one) for one in found]


def compared(
    case: Case, again: dict[str, Any], environment: Environment, facts: Mapping[str, str]
) -> dict[str, Any]:
    """How a recorded answer and the same computed again differ.

    Args:
        case: what was recorded.
        again: the answer now.
        environment: the numerical environment now.
        facts: what is known of the one in which it was answered.
    """
    before, now = dict(_figures("", case.body["answer"])), dict(_figures("", again))
    differing = sorted(
        name for name in before.keys() | now.keys() if before.get(name) != now.get(name)
    )
    distances = [
        abs(before[name] - now[name])
        for name in before.keys() & now.keys()
        if isinstance(before[name], float) and isinstance(now[name], float)
    ]
    return {
        "id": case.event.prediction,
        "identical": not differing,
        "largest_difference": max(distances, default=0.0),
        "differing": differing,
        "reasons": list(_reasons(case, environment, facts)),
        "environment_changed": case.body["environment"] != environment.fingerprint,
        "facts": list(_changed(case, environment, facts)),
        "answer": again,
    }


def differences(first: dict[str, Any], second: dict[str, Any]) -> dict[str, float]:
    """Second less first, figure by figure."""
    before, now = dict(_figures("", first)), dict(_figures("", second))
    return {
        name: now[name] - before[name]
        for name in before
        if isinstance(before[name], float) and isinstance(now.get(name), float)
    }


def _reasons(case: Case, environment: Environment, facts: Mapping[str, str]) -> Iterator[str]:
    """Why figures could differ: the bundle is the same, so it can only be what computes."""
    if case.body["environment"] == environment.fingerprint:
        return
    yield "the numerical environment is another one"
    for fact in _changed(case, environment, facts):
        then, now = fact["then"] or "nothing", fact["now"] or "nothing"
        yield f"{fact['name']} was {then} and is {now}"


def _changed(
    case: Case, environment: Environment, facts: Mapping[str, str]
) -> Iterator[dict[str, str | None]]:
    """What of the environment is other now; nothing where nobody knows how it was."""
    if case.body["environment"] == environment.fingerprint or not facts:
        return
    for name in sorted(facts.keys() | environment.facts.keys()):
        then, now = facts.get(name), environment.facts.get(name)
        if then != now:
            yield {"name": name, "then": then, "now": now}


def _figures(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every figure of an answer, named by the way to it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _figures(f"{prefix}.{name}" if prefix else name, inner)
    else:
        yield prefix, value
