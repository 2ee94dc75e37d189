"""What a server says of a model: its tensors, read strictly."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dubito.conformance.finding import Differs, require
from dubito.conformance.tensors import ANY, KNOWN, DescribedTensor
from dubito.conformance.web import WebAnswer

JSON_MEDIA = "application/json"
OK, NOT_FOUND = 200, 404
REFUSALS = range(400, 500)
"""Statuses of a request that is wrong."""


@dataclass(frozen=True, slots=True)
class DescribedModel:
    """A model's metadata."""

    name: str
    versions: tuple[str, ...]
    inputs: tuple[DescribedTensor, ...]
    outputs: tuple[DescribedTensor, ...]


def json_of(answer: WebAnswer) -> Any:
    """Read a body strictly as JSON, in which there are no NaN and no infinities.

    Raises:
        Differs: it is none.
    """
    try:
        return json.loads(answer.body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Differs(f"the body with status {answer.status} is no JSON") from error


def good_json(answer: WebAnswer) -> Any:
    """Read the JSON of an answer with status 200.

    Raises:
        Differs: the answer has another status, media type or body.
    """
    require(answer.status == OK, f"the status is {answer.status}, not 200{_said(answer)}")
    media = answer.media_type.partition(";")[0].strip().lower()
    require(media == JSON_MEDIA, f"the media type is {media or 'missing'}, not {JSON_MEDIA}")
    return json_of(answer)


def described_model(answer: WebAnswer) -> DescribedModel:
    """Read a model's metadata.

    Raises:
        Differs: it is not as the protocol has it.
    """
    told = good_json(answer)
    require(isinstance(told, dict), "the metadata is no object")
    for name in ("name", "platform"):
        require(isinstance(told.get(name), str), f"{name} is no text")
    versions = told.get("versions", [])
    require(_are_texts(versions), "versions is no list of texts")
    return DescribedModel(
        told["name"],
        tuple(versions),
        _tensors(told.get("inputs"), "inputs"),
        _tensors(told.get("outputs"), "outputs"),
    )


def refusal(answer: WebAnswer) -> str:
    """Read the sentence of a refusal.

    Raises:
        Differs: the answer is no refusal, or has no sentence where the protocol has it.
    """
    require(answer.status in REFUSALS, f"the status is {answer.status}, not one from 400 to 499")
    told = json_of(answer)
    sentence = told.get("error") if isinstance(told, dict) else None
    if not isinstance(sentence, str) or not sentence:
        raise Differs(f"the body with status {answer.status} has no text in its member error")
    return sentence


def _said(answer: WebAnswer) -> str:
    """Return what a refusal says, for the report."""
    try:
        return f": {refusal(answer)}"
    except Differs:
        return ""


def _tensors(told: object, member: str) -> tuple[DescribedTensor, ...]:
    if not isinstance(told, list):
        raise Differs(f"{member} is no list")
    found = tuple(_tensor(one, f"{member}[{at}]") for at, one in enumerate(told))
    names = [one.name for one in found]
    require(len(set(names)) == len(names), f"{member} has a name twice")
    return found


def _tensor(told: object, place: str) -> DescribedTensor:
    if not isinstance(told, dict) or not isinstance(told.get("name"), str):
        raise Differs(f"{place}.name is no text")
    datatype, shape = told.get("datatype"), told.get("shape")
    require(datatype in KNOWN, f"{place}.datatype is none of the protocol's")
    is_shape = isinstance(shape, list) and all(
        isinstance(one, int) and not isinstance(one, bool) and one >= ANY for one in shape
    )
    require(is_shape, f"{place}.shape is no list of lengths")
    return DescribedTensor(told["name"], str(datatype), tuple(shape or ()))


def _are_texts(told: object) -> bool:
    return isinstance(told, Sequence) and all(isinstance(one, str) for one in told)


def _refuse(word: str) -> float:
    raise ValueError(word)
