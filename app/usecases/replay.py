"""Replays: a recorded prediction computed again, as it was or with other features."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from msgspec import Struct, json, to_builtins

from app.record_ports import Reader
from app.recorded_prediction import MonteCarloBody
from app.serving.caller import PATIENT, Caller
from app.usecases.bundles import Bundles, Served
from app.usecases.case import Case
from dubito.answer import MonteCarloResult, PlainResult
from dubito.errors import Fault, FieldCode, InvalidInput, Ungradable
from dubito.inputs.members import composed
from dubito.inputs.rows import RowReader, accepted, unknown_names
from dubito.types import Environment, Floats, Query, Signature

ENVIRONMENT = "environment:"
"""What the names of notes of numerical environments begin with; their fingerprint follows."""
Figure = float | int | str | bool | None
Features = dict[str, float | None]


class ChangedFact(Struct, frozen=True):
    """Something of the numerical environment that differs from when the answer was given."""

    name: str
    then: str | None
    now: str | None


class Replay(Struct, frozen=True):
    """What came of computing a recorded answer again."""

    id: str
    identical: bool
    """Whether every figure is the same to the last bit, and all that follows from them."""
    largest_difference: float
    """Between two figures of the same name."""
    differing: tuple[str, ...]
    """Members that are not the same."""
    reasons: tuple[str, ...]
    """Why they could differ, a sentence each."""
    environment_changed: bool
    """Whether the numerical environment is another one."""
    facts: tuple[ChangedFact, ...]
    answer: PlainResult | MonteCarloResult


class WhatIf(Struct, frozen=True):
    """A case as it was and with other features, computed under the same masks."""

    id: str
    features: Features
    recorded: PlainResult | MonteCarloResult
    corrected: PlainResult | MonteCarloResult
    difference: dict[str, float]
    """Figure to its value with other features, less its value as recorded."""


class Replays:
    """Computes recorded predictions again, each by the bundle that has answered it."""

    def __init__(self, reader: Reader, bundles: Bundles) -> None:
        """Take where notes of environments come from, and where bundles are had."""
        self._reader = reader
        self._bundles = bundles

    async def replay(self, case: Case, caller: Caller = PATIENT) -> Replay:
        """A case computed again.

        Raises:
            FeaturesErased: its features are not there any more.
            Conflict: its bundle is no longer available.
        """
        rows = case.rows
        async with self._bundles.of(case.body.model, caller) as served:
            (again,) = await _computed(case, rows, served, caller)
        facts = await self._facts(case.body.environment)
        return compared(case, again, served.environment, facts)

    async def what_if(
        self, case: Case, changes: Mapping[str, float | None], caller: Caller
    ) -> WhatIf:
        """A case and the same with some features changed.

        Args:
            case: the case.
            changes: feature, by any of its names, to its other value; None for missing.
            caller: who waits.

        Raises:
            InvalidInput: names each feature that is wrong.
            FeaturesErased: its features are not there any more.
            Conflict: its bundle is no longer available.
        """
        before, features = case.rows, case.features
        async with self._bundles.of(case.body.model, caller) as served:
            changed = _merged(served.signature, features, changes)
            after, _ = RowReader(served.signature, 1).read(json.encode(changed))
            rows = np.concatenate([before, after])
            recorded, corrected = await _computed(case, rows, served, caller)
        difference = differences(recorded, corrected)
        return WhatIf(case.event.prediction, changed, recorded, corrected, difference)

    async def _facts(self, environment: str) -> dict[str, str]:
        """What is known of the numerical environment of a fingerprint."""
        note = await self._reader.note(ENVIRONMENT + environment)
        return {} if note is None else json.decode(note.content, type=dict[str, str])


async def _computed(
    case: Case, rows: Floats, served: Served, caller: Caller
) -> Sequence[PlainResult | MonteCarloResult]:
    """The results for rows `(N, F)`, asked for as the case's was: same passes, same seed.

    Raises:
        InvalidInput: the network's numbers overflow on one of them.
    """
    every = range(len(rows))
    try:
        if not isinstance(case.body, MonteCarloBody):
            plain = await served.predictor.predict(rows, caller)
            return [answer.result for answer in served.answers.plain(plain, every)]
        result = case.body.answer
        query = Query(rows, result.passes, result.seed)
        found = await served.predictor.predict_mc(query, caller, options=case.policy)
    except Ungradable as error:
        fault = Fault(("features",), FieldCode.OVERFLOWS, error.sentence)
        raise InvalidInput([fault]) from None
    told = replace(found, tolerance=case.body.asked.tolerance)
    return [answer.result for answer in served.answers.monte_carlo(told, every)]


def _merged(
    signature: Signature, features: Features, changes: Mapping[str, float | None]
) -> Features:
    """Features with some changed, by their names or aliases."""
    names = {name: one.name for one in signature.features for name in accepted(one)}
    if unknown := unknown_names(changes, names, "features"):
        raise InvalidInput(unknown)
    meant = [names[composed(name)] for name in changes]
    if len(set(meant)) < len(meant):
        message = "names a feature by two of its names"
        raise InvalidInput([Fault(("features",), FieldCode.GIVEN_TWICE, message)])
    return features | dict(zip(meant, changes.values(), strict=True))


def compared(
    case: Case,
    again: PlainResult | MonteCarloResult,
    environment: Environment,
    facts: Mapping[str, str],
) -> Replay:
    """How a recorded answer and the same computed again differ.

    Args:
        case: what was recorded.
        again: the answer now.
        environment: the numerical environment now.
        facts: what is known of the one in which it was answered.
    """
    before, now = figures(case.body.answer), figures(again)
    names = sorted(before.keys() | now.keys())
    return Replay(
        id=case.event.prediction,
        identical=before == now,
        largest_difference=max(map(abs, _distances(before, now).values()), default=0.0),
        differing=tuple(name for name in names if before.get(name) != now.get(name)),
        reasons=tuple(_reasons(case, environment, facts)),
        environment_changed=case.body.environment != environment.fingerprint,
        facts=tuple(_changed(case, environment, facts)),
        answer=again,
    )


def differences(
    first: PlainResult | MonteCarloResult, second: PlainResult | MonteCarloResult
) -> dict[str, float]:
    """Second less first, figure by figure."""
    return _distances(figures(first), figures(second))


def _distances(before: Mapping[str, Figure], now: Mapping[str, Figure]) -> dict[str, float]:
    found = {}
    for name, value in before.items():
        other = now.get(name)
        if isinstance(value, float) and isinstance(other, float):
            found[name] = other - value
    return found


def figures(result: PlainResult | MonteCarloResult) -> dict[str, Figure]:
    """Every figure of a result, named by the way to it in JSON."""
    return dict(_figures("", to_builtins(result)))


def _figures(prefix: str, value: object) -> Iterator[tuple[str, Figure]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _figures(f"{prefix}.{name}" if prefix else name, inner)
    else:
        yield prefix, value  # type: ignore[misc]


def _reasons(case: Case, environment: Environment, facts: Mapping[str, str]) -> Iterator[str]:
    """Why figures could differ: the bundle is the same, so it can only be what computes."""
    if case.body.environment == environment.fingerprint:
        return
    yield "the numerical environment is another one"
    for fact in _changed(case, environment, facts):
        then, now = fact.then or "nothing", fact.now or "nothing"
        yield f"{fact.name} was {then} and is {now}"


def _changed(
    case: Case, environment: Environment, facts: Mapping[str, str]
) -> Iterator[ChangedFact]:
    """What of the environment is other now; nothing where nobody knows how it was."""
    if case.body.environment == environment.fingerprint or not facts:
        return
    for name in sorted(facts.keys() | environment.facts.keys()):
        then, now = facts.get(name), environment.facts.get(name)
        if then != now:
            yield ChangedFact(name, then, now)
