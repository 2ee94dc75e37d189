"""Cases: recorded predictions, computed again, corrected, and how they came out."""

import asyncio
import json
from http import HTTPStatus
from typing import Any, Literal

import numpy as np
from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import to_json

from app.api.answers import Answers
from app.api.case import Case
from app.api.duplicates import duplicate
from app.api.problems import Refusal, faults_of
from app.api.recording import Memory
from app.api.replaying import compared, computed, differences
from app.api.rows import RowReader
from app.errors import Conflict, Fault, InvalidInput, NotFound
from app.events import Entry, Event, moment, now
from app.serving.client import Client
from app.serving.predictor import Predictor
from app.settings import Settings
from app.values import Floats, Identity, Signature

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
    """Recorded predictions of one service."""

    def __init__(
        self,
        memory: Memory,
        predictor: Predictor,
        answers: Answers,
        identity: Identity,
        signature: Signature,
        environment: str,
        settings: Settings,
    ) -> None:
        """Take where events come from and go to, and what answers."""
        self._memory = memory
        self._noting = asyncio.Lock()
        self._predictor = predictor
        self._answers = answers
        self._identity = identity
        self._signature = signature
        self._environment = environment
        self._settings = settings
        self._reader = RowReader(signature, 1)
        grade: Any = Literal[signature.classes]
        self.known = create_model("Known", __base__=_Known, grade=(grade, ...))
        """The body that tells a true grade."""

    async def case(self, request: Request) -> Case:
        """The case that a request names.

        Raises:
            NotFound: none is recorded under this identifier.
        """
        events = await self._memory.reader.history(request.path_params["id"])
        if not any(event.kind == "prediction" for event in events):
            raise NotFound("no prediction is recorded under this identifier")
        return Case.of(events)

    async def replay(self, case: Case) -> dict[str, Any]:
        """A case computed again."""
        (again,) = await self._computed(case, self._rows(case))
        return compared(case, again, self._environment)

    async def what_if(self, case: Case, body: bytes) -> dict[str, Any]:
        """A case and the same with some features changed.

        Raises:
            InvalidInput: names each feature that is wrong.
        """
        before = self._rows(case)
        features = dict(zip(self._signature.names, before[0].tolist(), strict=True))
        changed = _merged(self._signature, features, body)
        after, _ = self._reader.read(json.dumps(changed).encode())
        recorded, corrected = await self._computed(case, np.concatenate([before, after]))
        return {
            "id": case.event.prediction,
            "features": changed,
            "recorded": recorded,
            "corrected": corrected,
            "difference": differences(recorded, corrected),
        }

    async def come_out(self, request: Request, body: bytes) -> dict[str, Any]:
        """Note the true grade of a case; once it is known it stays.

        Raises:
            InvalidInput: it is none of the grades.
            Conflict: another one is known.
        """
        grade: str = _read(self.known, body).grade
        async with self._noting:
            case = await self.case(request)
            if case.outcome is not None:
                if case.outcome["grade"] != grade:
                    raise Conflict("another outcome is recorded for this prediction")
                return case.outcome
            time = now()
            event = Event("outcome", case.event.prediction, time, to_json({"grade": grade}))
            await self._memory.writer.put(Entry((event,)))
        return {"grade": grade, "time": moment(time)}

    def _rows(self, case: Case) -> Floats:
        if case.personal is None:
            raise Refusal(HTTPStatus.GONE, "the features of this prediction were erased")
        model = case.body["model"]
        if model["digest"] != self._identity.digest:
            known = f"{model['name']}/{model['version']}"
            raise Conflict(f"{known} has answered, which is not served here")
        return case.rows

    async def _computed(self, case: Case, rows: Floats) -> list[dict[str, Any]]:
        now = asyncio.get_running_loop().time()
        client = Client(now + self._settings.deadline_ms / 1e3)
        return await computed(case, rows, self._predictor, self._answers, client)


class Changes(BaseModel):
    """Features that are to be other ones."""

    model_config = STRICT

    features: dict[str, float | None]


class _Known(BaseModel):
    model_config = STRICT

    grade: str


def _merged(
    signature: Signature, features: dict[str, float], body: bytes
) -> dict[str, float | None]:
    """Features with those that a body changes, by their names or aliases."""
    names = {alias: one.name for one in signature.features for alias in (one.name, *one.aliases)}
    given = _read(Changes, body).features
    unknown = [Fault(("features", name), "is not known") for name in given if name not in names]
    if unknown:
        raise InvalidInput(unknown)
    if len({names[name] for name in given}) < len(given):
        raise InvalidInput([Fault(("features",), "names a feature by its name and its alias")])
    before = {name: None if np.isnan(value) else value for name, value in features.items()}
    return before | {names[name]: value for name, value in given.items()}


def _read(model: Any, body: bytes) -> Any:
    """A small body as a model says.

    Raises:
        Refusal: 400, it is not JSON.
        InvalidInput: names what is wrong.
    """
    try:
        found = model.model_validate_json(body)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        if details[0]["type"] == "json_invalid":
            raise Refusal(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
        raise InvalidInput(faults_of(details)) from None
    if (twice := duplicate(body)) is not None:
        raise InvalidInput([Fault(twice, "is given more than once")])
    return found
