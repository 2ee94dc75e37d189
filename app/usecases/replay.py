"""Replay and what-if: computes recorded predictions again, compares, and says why they differ."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from msgspec import Struct, json, to_builtins

from app.record_ports import Reader
from app.recorded_prediction import MonteCarloBody
from app.serving.caller import PATIENT, Caller
from app.usecases.bundles import Bundles, Served
from app.usecases.case import Case
from dubito.answer import AnyResult
from dubito.engine.backends.choice import backend_of
from dubito.errors import Fault, FieldCode, InvalidInput, Ungradable
from dubito.features import FeatureValue
from dubito.inputs.json_members import composed
from dubito.inputs.rows import RowReader, accepted, unknown_names
from dubito.types import Backend, Environment, Floats, Query, Signature

ENVIRONMENT = "environment:"
"""Prefix of the names of notes about numerical environments; the fingerprint follows."""
Figure = float | int | str | bool | None
Features = dict[str, FeatureValue]


class ChangedFact(Struct, frozen=True):
    """A fact of the numerical environment that has changed since the prediction was made."""

    name: str
    then: str | None
    now: str | None


class Replay(Struct, frozen=True):
    """Comparison of a recorded answer with the same prediction computed again."""

    id: str
    identical: bool
    """Whether every number is the same to the last bit, and everything derived from them."""
    largest_difference: float
    """Largest absolute difference between two numbers of the same name."""
    differing: tuple[str, ...]
    """Names of members that differ."""
    reasons: tuple[str, ...]
    """Reasons why numbers could differ, a sentence each."""
    environment_changed: bool
    """Whether the numerical environment has changed."""
    facts: tuple[ChangedFact, ...]
    answer: AnyResult


class WhatIf(Struct, frozen=True):
    """A recorded prediction, and the same with changed features under the same dropout masks."""

    id: str
    features: Features
    recorded: AnyResult
    corrected: AnyResult
    difference: dict[str, float]
    """Name of each number to its value with the changed features, minus the recorded one."""


class Replays:
    """Computes recorded predictions again, each with the bundle that produced it."""

    def __init__(self, reader: Reader, bundles: Bundles) -> None:
        """Keep the reader of notes about environments, and the source of bundles."""
        self._reader = reader
        self._bundles = bundles

    async def replay(self, case: Case, caller: Caller = PATIENT) -> Replay:
        """Compute a case again and compare.

        Raises:
            FeaturesErased: the features of the case were erased.
            Conflict: the bundle is no longer available.
        """
        features, facts = case.features, await self._facts(case.body.environment)
        async with self._bundles.of(case.body.model, caller, _backend(facts)) as served:
            rows = served.signature.row_of(features.values())
            (again,) = await _computed(case, rows, served, caller)
        return compared(case, again, served.environment, facts)

    async def what_if(
        self, case: Case, changes: Mapping[str, FeatureValue], caller: Caller
    ) -> WhatIf:
        """Compute a case again, and the same with changed features.

        Args:
            case: the case.
            changes: feature, by its name or an alias, to its new value; None for missing.
            caller: deadline and disconnection of the caller.

        Raises:
            InvalidInput: features are invalid; the faults name them.
            FeaturesErased: the features of the case were erased.
            Conflict: the bundle is no longer available.
        """
        features = case.features
        backend = _backend(await self._facts(case.body.environment))
        async with self._bundles.of(case.body.model, caller, backend) as served:
            after = _read(served.signature, _merged(served.signature, features, changes))
            changed = served.signature.values_of(after[0].tolist())
            rows = np.concatenate([served.signature.row_of(features.values()), after])
            recorded, corrected = await _computed(case, rows, served, caller)
        difference = differences(recorded, corrected)
        return WhatIf(case.event.prediction, changed, recorded, corrected, difference)

    async def _facts(self, environment: str) -> dict[str, str]:
        """Read the recorded facts of the environment with a fingerprint; empty if unknown."""
        note = await self._reader.note(ENVIRONMENT + environment)
        return {} if note is None else json.decode(note.content, type=dict[str, str])


def _backend(facts: Mapping[str, str]) -> Backend | None:
    """Return the backend that computed a record, from its environment; None if unknown."""
    return backend_of(facts.get("engine", ""))


async def _computed(
    case: Case, rows: Floats, served: Served, caller: Caller
) -> Sequence[AnyResult]:
    """Compute results for rows `(N, F)` with the passes, seed and policy of the case.

    Raises:
        InvalidInput: the network's output overflows on a row.
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
    signature: Signature, features: Features, changes: Mapping[str, FeatureValue]
) -> Features:
    """Merge changes, by feature names or aliases, into features."""
    names = {name: one.name for one in signature.features for name in accepted(one)}
    if unknown := unknown_names(changes, names, "features"):
        raise InvalidInput(unknown)
    meant = [names[composed(name)] for name in changes]
    if len(set(meant)) < len(meant):
        message = "names a feature by two of its names"
        raise InvalidInput([Fault(("features",), FieldCode.GIVEN_TWICE, message)])
    return features | dict(zip(meant, changes.values(), strict=True))


def _read(signature: Signature, features: Features) -> Floats:
    """Convert features to a row `(1, F)`.

    Raises:
        InvalidInput: a feature does not take its value; the faults name it among the changes.
    """
    try:
        row, _ = RowReader(signature, 1).read(json.encode(features))
    except InvalidInput as error:
        faults = [replace(fault, where=("features", *fault.where)) for fault in error.faults]
        raise InvalidInput(faults) from None
    return row


def compared(
    case: Case,
    again: AnyResult,
    environment: Environment,
    facts: Mapping[str, str],
) -> Replay:
    """Compare a recorded answer with the same prediction computed again.

    Args:
        case: the recorded prediction.
        again: the answer computed now.
        environment: the present numerical environment.
        facts: recorded facts of the original environment; empty if unknown.
    """
    before, now = figures(case.body.answer), figures(again)
    # A member that answers have had only since then says nothing about the recorded one.
    differing = [name for name in sorted(before) if name not in now or before[name] != now[name]]
    return Replay(
        id=case.event.prediction,
        identical=not differing,
        largest_difference=max(map(abs, _distances(before, now).values()), default=0.0),
        differing=tuple(differing),
        reasons=tuple(_reasons(case, environment, facts)),
        environment_changed=case.body.environment != environment.fingerprint,
        facts=tuple(_changed(case, environment, facts)),
        answer=again,
    )


def differences(first: AnyResult, second: AnyResult) -> dict[str, float]:
    """Subtract the first result from the second, number by number."""
    return _distances(figures(first), figures(second))


def _distances(before: Mapping[str, Figure], now: Mapping[str, Figure]) -> dict[str, float]:
    found = {}
    for name, value in before.items():
        other = now.get(name)
        if isinstance(value, float) and isinstance(other, float):
            found[name] = other - value
    return found


def figures(result: AnyResult) -> dict[str, Figure]:
    """Flatten a result: path in its JSON to each value."""
    return dict(_figures("", to_builtins(result)))


def _figures(prefix: str, value: object) -> Iterator[tuple[str, Figure]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _figures(f"{prefix}.{name}" if prefix else name, inner)
    else:
        yield prefix, value  # type: ignore[misc]


def _reasons(case: Case, environment: Environment, facts: Mapping[str, str]) -> Iterator[str]:
    """Yield why numbers could differ: the bundle is the same, so only the environment can."""
    if case.body.environment == environment.fingerprint:
        return
    yield "the numerical environment has changed"
    for fact in _changed(case, environment, facts):
        then, now = fact.then or "nothing", fact.now or "nothing"
        yield f"{fact.name} was {then} and is {now}"


def _changed(
    case: Case, environment: Environment, facts: Mapping[str, str]
) -> Iterator[ChangedFact]:
    """Yield the facts of the environment that changed; none if the original ones are unknown."""
    if case.body.environment == environment.fingerprint or not facts:
        return
    for name in sorted(facts.keys() | environment.facts.keys()):
        then, now = facts.get(name), environment.facts.get(name)
        if then != now:
            yield ChangedFact(name, then, now)
