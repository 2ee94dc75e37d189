"""The server that is examined, and requests that its model answers."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any
from urllib.parse import quote

from dubito.conformance.described import JSON_MEDIA, OK, DescribedModel, described_model, good_json
from dubito.conformance.finding import Differs, NotChecked
from dubito.conformance.inferred import BINARY_MEDIA, InferAnswer, differing, read_infer
from dubito.conformance.tensors import ANY, BYTES, TRUTHS, DescribedTensor, FilledTensor
from dubito.conformance.web import INFER_HEADER, WebAddress, WebAnswer
from dubito.errors import UsageError

NUMBERS = (1, 0, 0.5, 100, 1_000)
TEXTS = ("1", "", "a")
"""Elements with which inputs are filled until a model answers."""
FACTORS = (1.25, 0.75, 2, 0.5, 3)
"""Factors by which other inputs differ from those that a model answers."""
Inputs = tuple[FilledTensor, ...]


@dataclass(frozen=True)
class ExaminedServer:
    """A server, one of its models, and how it is asked."""

    address: WebAddress
    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of each inference request, such as a seed."""
    given: Inputs | None = None
    """Inputs that the model answers, if somebody knows some."""

    def path(self, end: str = "", version: str | None = None) -> str:
        """Return a path of the model or of one of its versions."""
        inner = "" if version is None else f"/versions/{quote(version, safe='')}"
        return f"/v2/models/{quote(self.model, safe='')}{inner}{end}"

    def infer(
        self,
        body: bytes | Iterable[bytes],
        headers: Mapping[str, str] | None = None,
        version: str | None = None,
    ) -> WebAnswer:
        """Ask for an inference, with the media type of JSON."""
        told = {"Content-Type": JSON_MEDIA, **(headers or {})}
        return self.address.ask(self.path("/infer", version), body, told)

    def body(self, inputs: Inputs | None = None, /, **members: Any) -> dict[str, Any]:
        """Return a request in JSON, with members that replace others."""
        told = self.inputs if inputs is None else inputs
        request: dict[str, Any] = {"inputs": [one.as_json() for one in told]}
        if self.parameters:
            request["parameters"] = dict(self.parameters)
        return {**request, **members}

    def answer(self, inputs: Inputs | None = None, /, **members: Any) -> InferAnswer:
        """Ask in JSON, and read the answer.

        Raises:
            Differs: it is not as the protocol has it.
        """
        return read_infer(self.infer(encoded_body(self.body(inputs, **members))))

    def binary(self) -> tuple[bytes, bytes]:
        """Return a request whose inputs are binary data: its JSON, and the bytes behind it."""
        parts = [one.as_binary() for one in self.inputs]
        heads = [one.as_head(len(part)) for one, part in zip(self.inputs, parts, strict=True)]
        return encoded_body(self.body(inputs=heads)), b"".join(parts)

    def require_extension(self, name: str) -> None:
        """Raise `NotChecked` unless the server names an extension."""
        if name not in self.extensions:
            raise NotChecked(f"the server does not name the extension {name}")

    @cached_property
    def extensions(self) -> frozenset[str]:
        """Names of the server's extensions."""
        try:
            told = good_json(self.address.ask("/v2"))
        except Differs:
            return frozenset()
        names = told.get("extensions") if isinstance(told, dict) else None
        return frozenset(one for one in names or () if isinstance(one, str))

    @cached_property
    def described(self) -> DescribedModel:
        """The model's metadata.

        Raises:
            NotChecked: it cannot be read; the check of the metadata says why.
        """
        try:
            return described_model(self.address.ask(self.path()))
        except Differs as error:
            raise NotChecked("the model's metadata cannot be read") from error

    @property
    def version(self) -> str:
        """The version that the metadata names first.

        Raises:
            NotChecked: it names none.
        """
        if not self.described.versions:
            raise NotChecked("the model's metadata names no version")
        return self.described.versions[0]

    @property
    def inputs(self) -> Inputs:
        """Inputs of one request that the model answers.

        Raises:
            NotChecked: none are known; the check of inference says why.
        """
        if self.found is None:
            raise NotChecked("no request is known that the model answers")
        return self.found

    @cached_property
    def found(self) -> Inputs | None:
        """Inputs that are given, or the first that the model answers."""
        if self.given is not None:
            return self.given
        return next(filter(self.is_answered, candidates(self.described.inputs)), None)

    def is_answered(self, inputs: Inputs) -> bool:
        """Return whether the model answers inputs with status 200."""
        return self.infer(encoded_body(self.body(inputs))).status == OK

    @cached_property
    def others(self) -> tuple[Inputs, ...]:
        """Inputs that the model answers, the known ones first; the others differ from them."""
        varied = (one for one in _varied(self.inputs) if one != self.inputs)
        return (self.inputs, *islice(filter(self.is_answered, varied), len(FACTORS)))

    @cached_property
    def repeated(self) -> Mapping[str, FilledTensor]:
        """Outputs that the same request has twice.

        Raises:
            NotChecked: the model computes other numbers each time, and a text that repeats may do
                so by chance.
        """
        first, second = self.answer().outputs, self.answer().outputs
        found = {name: one for name, one in first.items() if not differing(first, second, [name])}
        floats = {name for name, one in first.items() if one.datatype.startswith(("FP", "BF"))}
        if not found or floats - set(found):
            raise NotChecked("the same request has other outputs each time: give a seed")
        return found

    @cached_property
    def is_batched(self) -> bool:
        """Whether the first axis of all inputs and outputs is that of rows."""
        tensors = (*self.described.inputs, *self.described.outputs)
        return bool(tensors) and all(one.shape[:1] == (ANY,) for one in tensors)


def served_model(address: WebAddress) -> str:
    """Return the name of the first model that a server lists.

    Raises:
        UsageError: it lists none.
    """
    index = address.ask("/v2/repository/index", b"{}", {"Content-Type": JSON_MEDIA})
    for answer in (index, address.ask("/v2/models")):
        try:
            told = good_json(answer)
        except Differs:
            continue
        listed = told.get("models") if isinstance(told, dict) else told
        for one in listed if isinstance(listed, list) else ():
            name = one.get("name") if isinstance(one, dict) else one
            is_served = not isinstance(one, dict) or one.get("state") in (None, "READY")
            if isinstance(name, str) and is_served:
                return name
    raise UsageError("the server lists no model: name one with --model")


def given_inputs(request: object) -> Inputs:
    """Read the inputs of a request, whose elements are in JSON.

    Raises:
        UsageError: it is no such request.
    """
    told = request.get("inputs") if isinstance(request, dict) else None
    try:
        return tuple(_given(one) for one in told or ())
    except (AttributeError, KeyError, TypeError) as error:
        raise UsageError("the request needs inputs with name, shape, datatype and data") from error


def encoded_body(request: object) -> bytes:
    """Write a request as clients do."""
    return json.dumps(request, separators=(",", ":")).encode()


def with_binary(head: bytes, data: bytes) -> tuple[bytes, dict[str, str]]:
    """Return a body of JSON and binary data, and its headers."""
    return head + data, {"Content-Type": BINARY_MEDIA, INFER_HEADER: str(len(head))}


def candidates(inputs: Sequence[DescribedTensor]) -> Iterator[Inputs]:
    """Yield inputs of one row, filled with simple elements."""
    for text in TEXTS if any(one.datatype == BYTES for one in inputs) else TEXTS[:1]:
        for number in NUMBERS:
            yield tuple(_filled(one, number, text) for one in inputs)


def _filled(one: DescribedTensor, number: float, text: str) -> FilledTensor:
    shape = tuple(1 if length == ANY else length for length in one.shape)
    element: Any = number if one.datatype.startswith(("FP", "BF")) else int(number)
    if one.datatype == BYTES:
        element = text
    elif one.datatype == TRUTHS:
        element = False
    count = 1
    for length in shape:
        count *= length
    return FilledTensor(one.name, one.datatype, shape, (element,) * count)


def _varied(inputs: Inputs) -> Iterator[Inputs]:
    """Yield inputs with other numbers: in all tensors, then in one."""
    for factor in FACTORS:
        yield tuple(_scaled(one, factor) for one in inputs)
    for at, one in enumerate(inputs):
        for factor in FACTORS:
            yield (*inputs[:at], _scaled(one, factor), *inputs[at + 1 :])


def _scaled(one: FilledTensor, factor: float) -> FilledTensor:
    if one.datatype in (TRUTHS, BYTES):
        return one
    is_whole = "INT" in one.datatype
    scaled = (None if value is None else value * factor for value in one.elements)
    elements = tuple(
        value if value is None else int(value) if is_whole else float(value) for value in scaled
    )
    return replace(one, elements=elements)


def _given(told: Any) -> FilledTensor:
    elements: list[Any] = []
    waiting = [told["data"]]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, list):
            waiting[:0] = one
        else:
            elements.append(one)
    return FilledTensor(told["name"], told["datatype"], tuple(told["shape"]), tuple(elements))
