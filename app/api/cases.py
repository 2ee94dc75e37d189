"""Cases: recorded predictions, computed again, corrected, and how they came out."""

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import numpy as np
from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from app.api.bundles import Bundles
from app.api.case import Case
from app.api.connection import hung_up
from app.api.identifier import is_id
from app.api.members import composed, duplicate
from app.api.problems import Refusal, faults_of
from app.api.recording import ENVIRONMENT
from app.api.replaying import compared, computed, differences
from app.api.rows import RowReader, accepted, given_twice, not_json, parsed, unknown_names
from app.codes import FieldCode, ProblemCode
from app.errors import Fault, InvalidInput, NotFound
from app.events import Listing, Search
from app.memory import Reader
from app.serving.client import PATIENT, Client
from app.settings import Settings
from app.values import Signature

STRICT = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class WhatIf(BaseModel):
    """A case as it was and with other features, computed under the same masks."""

    model_config = ConfigDict(extra="forbid")

    id: str
    features: dict[str, float | None]
    recorded: dict[str, Any]
    corrected: dict[str, Any]
    difference: dict[str, float]


class Cases:
    """Recorded predictions."""

    def __init__(self, reader: Reader, bundles: Bundles, settings: Settings) -> None:
        """Take where events come from, and the bundles that compute them again."""
        self._reader = reader
        self._bundles = bundles
        self._seconds = settings.deadline_ms / 1e3

    async def case(self, request: Request) -> Case:
        """The case that a request names.

        Raises:
            NotFound: none is recorded under this identifier.
        """
        identifier = request.path_params["id"]
        case = await self.named(identifier)
        if case is None:
            sentence = "no prediction is recorded under this identifier"
            raise NotFound(ProblemCode.NO_SUCH_PREDICTION, sentence)
        return case

    async def named(self, prediction: str) -> Case | None:
        """The case of an identifier, if it is known."""
        if not is_id(prediction):
            return None
        events = await self._reader.history(prediction)
        known = any(event.kind == "prediction" for event in events)
        return Case.of(events) if known else None

    async def search(self, sought: Search) -> Listing:
        """Recorded predictions, the newest first."""
        return await self._reader.search(sought)

    def client(self, request: Request) -> Client:
        """Who asks, and waits as long as one who names no deadline; its body was read."""
        deadline = asyncio.get_running_loop().time() + self._seconds
        return Client(deadline, hung_up(request.receive))

    async def replay(self, case: Case, client: Client = PATIENT) -> dict[str, Any]:
        """A case computed again, by the bundle that has answered it.

        Raises:
            Refusal: 410, its features were erased.
            Conflict: its bundle is not there any more.
        """
        async with self._bundles.of(_kept(case).body["model"], client) as served:
            (again,) = await computed(case, case.rows, served, client)
        then = await self._reader.mark(ENVIRONMENT + case.body["environment"])
        facts = {} if then is None else json.loads(then.content)
        return compared(case, again, served.environment, facts)

    async def what_if(self, case: Case, body: bytes, client: Client) -> dict[str, Any]:
        """A case and the same with some features changed.

        Raises:
            InvalidInput: names each feature that is wrong.
            Refusal: 410, its features were erased.
            Conflict: its bundle is not there any more.
        """
        async with self._bundles.of(_kept(case).body["model"], client) as served:
            signature, before = served.signature, case.rows
            features = dict(zip(signature.names, before[0].tolist(), strict=True))
            changed = _merged(signature, features, body)
            after, _ = RowReader(signature, 1).read(json.dumps(changed).encode())
            rows = np.concatenate([before, after])
            recorded, corrected = await computed(case, rows, served, client)
        return {
            "id": case.event.prediction,
            "features": changed,
            "recorded": recorded,
            "corrected": corrected,
            "difference": differences(recorded, corrected),
        }


class Changes(BaseModel):
    """Features that are to be other ones."""

    model_config = STRICT

    features: dict[str, float | None]


def _kept(case: Case) -> Case:
    """A case whose features are there."""
    if case.personal is None:
        raise Refusal(
            HTTPStatus.GONE,
            ProblemCode.FEATURES_ERASED,
            "the features of this prediction were erased",
        )
    return case


def _merged(
    signature: Signature, features: dict[str, float], body: bytes
) -> dict[str, float | None]:
    """Features with those that a body changes, by their names or aliases."""
    names = {name: one.name for one in signature.features for name in accepted(one)}
    given = _given(names, body)
    unknown = unknown_names(given, names, "features")
    if unknown:
        raise InvalidInput(unknown)
    meant = [names[composed(name)] for name in given]
    if len(set(meant)) < len(meant):
        message = "names a feature by two of its names"
        raise InvalidInput([Fault(("features",), FieldCode.GIVEN_TWICE, message)])
    before = {name: None if np.isnan(value) else value for name, value in features.items()}
    return before | dict(zip(meant, given.values(), strict=True))


def _given(names: Mapping[str, str], body: bytes) -> dict[str, float | None]:
    """The changes that a body names, of which there are no more than names.

    Raises:
        Refusal: 400, it is not JSON.
        InvalidInput: names what is wrong.
    """
    if body.count(b":") <= len(names) + 1:
        return read_small(Changes, body).features  # type: ignore[no-any-return]
    # Members without number are not worth validating.
    content = parsed(body)
    features = content.get("features") if isinstance(content, dict) else None
    faults = unknown_names(features, names, "features") if isinstance(features, dict) else []
    crowd = Fault((), FieldCode.TOO_MANY_MEMBERS, "has more members than there are features")
    raise InvalidInput(faults or [crowd])


def read_small(model: Any, body: bytes) -> Any:
    """A small body as a model says.

    Raises:
        Refusal: 400, it is not JSON.
        InvalidInput: names what is wrong.
    """
    try:
        found = model.model_validate_json(body)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        if details[0]["type"] == "json_invalid":
            raise not_json() from None
        raise InvalidInput(faults_of(details)) from None
    if (twice := duplicate(body)) is not None:
        raise given_twice(twice)
    return found
