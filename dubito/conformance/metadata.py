"""What a server says of itself and of a model, read strictly."""

import json
from dataclasses import dataclass
from typing import Any

from dubito.conformance.finding import Differs, NotChecked, require
from dubito.conformance.tensors import ANY, DATATYPE_NAMES, DescribedTensor, is_shape
from dubito.conformance.web import WebAnswer

JSON_MEDIA = "application/json"
OK, NOT_FOUND = 200, 404
ERRORS, CALLERS = range(400, 600), range(400, 500)
"""Statuses of errors, and those of the errors that are the caller's fault."""
OVERLOADED = (429, 503)
"""Statuses of a server that has no room."""


@dataclass(frozen=True, slots=True)
class DescribedModel:
    """A model's metadata."""

    name: str
    versions: tuple[str, ...]
    inputs: tuple[DescribedTensor, ...]
    outputs: tuple[DescribedTensor, ...]


def body_json(answer: WebAnswer) -> Any:
    """Read a body strictly as JSON, in which there are no NaN and no infinities.

    Raises:
        Differs: it is none.
    """
    try:
        return json.loads(answer.body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Differs(f"the body with status {answer.status} is no JSON") from error


def json_answer(answer: WebAnswer) -> Any:
    """Read the JSON of an answer with status 200.

    Raises:
        Differs: the answer has another status, media type or body.
        NotChecked: the server has no room for the request.
    """
    if answer.status in OVERLOADED:
        raise NotChecked(f"the server has no room for the requests: status {answer.status}")
    require(answer.status == OK, f"the status is {answer.status}, not 200{_sentence(answer)}")
    media = answer.media_type.partition(";")[0].strip().lower()
    require(media == JSON_MEDIA, f"the media type is {media or 'missing'}, not {JSON_MEDIA}")
    return body_json(answer)


def object_answer(answer: WebAnswer) -> dict[str, Any]:
    """Read the JSON object of an answer with status 200.

    Raises:
        Differs: the answer is another.
    """
    value = json_answer(answer)
    if not isinstance(value, dict):
        raise Differs("the body is no object")
    return value


def described_model(answer: WebAnswer) -> DescribedModel:
    """Read a model's metadata.

    Raises:
        Differs: it is not as the protocol has it.
    """
    metadata = object_answer(answer)
    for name in ("name", "platform"):
        require(isinstance(metadata.get(name), str), f"{name} is no text")
    versions = metadata.get("versions", [])
    require(are_texts(versions), "versions is no list of texts")
    return DescribedModel(
        metadata["name"],
        tuple(versions),
        _tensors(metadata.get("inputs"), "inputs"),
        _tensors(metadata.get("outputs"), "outputs"),
    )


def read_error(answer: WebAnswer, status: int | None = None) -> str:
    """Read the sentence of an answer that is an error.

    Args:
        answer: the answer.
        status: the one that it must have; any of an error if None.

    Raises:
        Differs: the answer is none, or has no sentence where the protocol has it.
    """
    require(answer.status in ERRORS, f"the status is {answer.status}, which is none of an error")
    body = body_json(answer)
    sentence = body.get("error") if isinstance(body, dict) else None
    if not isinstance(sentence, str) or not sentence:
        raise Differs(f"the body with status {answer.status} has no text in its member error")
    require(status in (None, answer.status), f"the status is {answer.status}, not {status}")
    return sentence


def are_texts(value: object) -> bool:
    """Return whether a value in JSON is a list of texts."""
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _sentence(answer: WebAnswer) -> str:
    """Return what an error says, for the report."""
    try:
        return f": {read_error(answer)}"
    except Differs:
        return ""


def _tensors(value: object, member: str) -> tuple[DescribedTensor, ...]:
    if not isinstance(value, list):
        raise Differs(f"{member} is no list")
    tensors = tuple(_tensor(tensor, f"{member}[{place}]") for place, tensor in enumerate(value))
    names = [tensor.name for tensor in tensors]
    require(len(set(names)) == len(names), f"{member} has a name twice")
    return tensors


def _tensor(value: object, place: str) -> DescribedTensor:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise Differs(f"{place}.name is no text")
    datatype, shape = value.get("datatype"), value.get("shape")
    is_known = isinstance(datatype, str) and datatype in DATATYPE_NAMES
    require(is_known, f"{place}.datatype is none of the protocol's")
    require(is_shape(shape, ANY), f"{place}.shape is no list of lengths")
    return DescribedTensor(value["name"], str(datatype), tuple(shape or ()))


def _refuse(word: str) -> float:
    raise ValueError(word)
