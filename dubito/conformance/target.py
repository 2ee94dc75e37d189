"""The server that is checked, and requests that its model answers."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from math import prod
from typing import Any
from urllib.parse import quote

from dubito.conformance.finding import Differs, NotChecked
from dubito.conformance.infer_answer import (
    BINARY_MEDIA,
    InferAnswer,
    Outputs,
    first_difference,
    read_infer,
)
from dubito.conformance.metadata import (
    JSON_MEDIA,
    OK,
    DescribedModel,
    described_model,
    json_answer,
    object_answer,
)
from dubito.conformance.tensors import (
    ANY,
    BOOLEAN,
    BYTES,
    DATATYPE_NAMES,
    DescribedTensor,
    FilledTensor,
    flat,
    is_element,
    is_real,
    is_shape,
)
from dubito.conformance.web import INFER_HEADER, NoAnswer, WebAddress, WebAnswer
from dubito.errors import UsageError

NUMBERS = (1, 0, 0.5, 100, 1_000)
TEXTS = ("1", "", "a")
"""Elements with which inputs are filled until a model answers."""
FACTORS = (1.25, 0.75, 2, 0.5, 3)
"""Factors by which other inputs differ from those that a model answers."""
MOST_ELEMENTS = 1 << 20
"""Most elements of an input that is made of the metadata."""
REPEATS = 4
"""Answers that must be the same before a model without floats counts as one that repeats."""
RequestInputs = tuple[FilledTensor, ...]


@dataclass(frozen=True)
class TargetServer:
    """A server, one of its models, and how it is asked."""

    address: WebAddress
    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of each inference request, such as a seed."""
    given: RequestInputs | None = None
    """RequestInputs that the model answers, if somebody knows some."""

    def path(self, end: str = "", version: str | None = None) -> str:
        """Return a path of the model or of one of its versions."""
        inner = "" if version is None else f"/versions/{_quoted(version)}"
        return f"/v2/models/{_quoted(self.model)}{inner}{end}"

    def infer(
        self,
        body: bytes | Iterable[bytes],
        headers: Mapping[str, str] | None = None,
        version: str | None = None,
    ) -> WebAnswer:
        """Ask for an inference, with the media type of JSON unless headers have another."""
        every = {"Content-Type": JSON_MEDIA, **(headers or {})}
        return self.address.ask(self.path("/infer", version), body, every)

    def body(self, inputs: RequestInputs | None = None, /, **members: Any) -> dict[str, Any]:
        """Return a request in JSON, with members that replace others."""
        tensors = self.inputs if inputs is None else inputs
        request: dict[str, Any] = {"inputs": [tensor.as_json() for tensor in tensors]}
        if self.parameters:
            request["parameters"] = dict(self.parameters)
        return {**request, **members}

    def answer(self, inputs: RequestInputs | None = None, /, **members: Any) -> InferAnswer:
        """Ask in JSON, and read the answer.

        Raises:
            Differs: it is not as the protocol has it.
        """
        return read_infer(self.infer(encoded_body(self.body(inputs, **members))))

    def binary(self) -> tuple[bytes, bytes]:
        """Return a request whose inputs are binary data: its JSON, and the bytes behind it."""
        parts = [tensor.as_binary() for tensor in self.inputs]
        sizes = map(len, parts)
        heads = [tensor.as_head(size) for tensor, size in zip(self.inputs, sizes, strict=True)]
        return encoded_body(self.body(inputs=heads)), b"".join(parts)

    def require_extension(self, name: str) -> None:
        """Raise `NotChecked` unless the server names an extension."""
        if name not in self.extensions:
            raise NotChecked(f"the server does not name the extension {name}")

    @cached_property
    def extensions(self) -> frozenset[str]:
        """Names of the server's extensions."""
        try:
            names = object_answer(self.address.ask("/v2")).get("extensions")
        except (Differs, NotChecked):
            return frozenset()
        texts = names if isinstance(names, list) else []
        return frozenset(text for text in texts if isinstance(text, str))

    @cached_property
    def configuration(self) -> Mapping[str, Any]:
        """The model's configuration as Triton has it; empty if there is none."""
        if "model_configuration" not in self.extensions:
            return {}
        try:
            return object_answer(self.address.ask(self.path("/config")))
        except (Differs, NotChecked):
            return {}

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

    @cached_property
    def version(self) -> str:
        """The version that answers where none is named.

        Raises:
            NotChecked: the metadata names none, or not that one.
        """
        versions = self.described.versions
        if len(versions) == 1:
            return versions[0]
        answered = self.answer().model_version
        if answered is None or answered not in versions:
            raise NotChecked("the model's metadata does not name the version that answers")
        return answered

    @property
    def inputs(self) -> RequestInputs:
        """RequestInputs of one request that the model answers.

        Raises:
            NotChecked: none are known; the check of inference says why.
        """
        if self.found is None:
            raise NotChecked("no request is known that the model answers")
        return self.found

    @property
    def full(self) -> FilledTensor:
        """The first input, which has elements.

        Raises:
            NotChecked: it has none.
        """
        first = self.inputs[0]
        if not first.elements:
            raise NotChecked("the first input has no elements")
        return first

    @cached_property
    def found(self) -> RequestInputs | None:
        """RequestInputs that are given, or the first made ones that the model answers."""
        if self.given is not None:
            return self.given
        try:
            return next(filter(self.is_answered, candidates(self.described.inputs)), None)
        except NoAnswer:
            return None

    def is_answered(self, inputs: RequestInputs) -> bool:
        """Return whether the model answers inputs with status 200."""
        return self.infer(encoded_body(self.body(inputs))).status == OK

    @cached_property
    def repeated(self) -> Outputs:
        """Outputs that the same request has again.

        Raises:
            NotChecked: the model computes other numbers each time, and a text that repeats may do
                so by chance.
        """
        first = self.answer().outputs
        numbers = [name for name, tensor in first.items() if is_real(tensor.datatype)]
        again = [self.answer().outputs for _ in range(1 if numbers else REPEATS)]
        repeated = {
            name: tensor
            for name, tensor in first.items()
            if not any(first_difference(first, other, [name]) for other in again)
        }
        if not repeated or not repeated.keys() >= set(numbers):
            raise NotChecked("the same request has other outputs each time: give a seed")
        return repeated

    @cached_property
    def alone(self) -> Sequence[tuple[RequestInputs, Outputs]]:
        """Several inputs with their outputs, of which no two have the same.

        Raises:
            NotChecked: only one is known, or the model does not repeat.
        """
        known = [(self.inputs, self.repeated)]
        for inputs in islice(filter(self.is_answered, _varied(self.inputs)), len(FACTORS)):
            outputs = self.answer(inputs).outputs
            if all(first_difference(outputs, other, self.repeated) for _, other in known):
                known.append((inputs, outputs))
        if len(known) == 1:
            raise NotChecked("only one request is known that the model answers in its own way")
        return known


def served_model(address: WebAddress) -> str:
    """Return the name of the first model that a server lists as ready.

    Raises:
        UsageError: it lists none.
    """
    headers = {"Content-Type": JSON_MEDIA}
    index = ("/v2/repository/index", encoded_body({"ready": True}), headers)
    for request in (index, ("/v2/models", None, None)):
        try:
            names = _listed(json_answer(address.ask(*request)))
        except (Differs, NotChecked):
            continue
        if names:
            return names[0]
    raise UsageError("the server lists no model that is ready: name one with --model")


def given_request(value: object) -> tuple[RequestInputs, Mapping[str, Any]]:
    """Read the inputs and parameters of a request whose elements are in JSON.

    Raises:
        UsageError: it is no such request.
    """
    request = value if isinstance(value, dict) else {}
    inputs, parameters = request.get("inputs"), request.get("parameters", {})
    if not isinstance(inputs, list) or not inputs or not isinstance(parameters, dict):
        raise UsageError("the request needs a list of inputs, and its parameters are an object")
    return tuple(_given(tensor, f"inputs[{at}]") for at, tensor in enumerate(inputs)), parameters


def encoded_body(request: object) -> bytes:
    """Write a request as clients do."""
    return json.dumps(request, separators=(",", ":")).encode()


def with_binary(head: bytes, data: bytes) -> tuple[bytes, dict[str, str]]:
    """Return a body of JSON and binary data, and its headers."""
    return head + data, {"Content-Type": BINARY_MEDIA, INFER_HEADER: str(len(head))}


def candidates(inputs: Sequence[DescribedTensor]) -> Iterator[RequestInputs]:
    """Yield inputs of one row, filled with simple elements.

    Raises:
        NotChecked: an input has too many elements.
    """
    seen = list[RequestInputs]()
    for text in TEXTS:
        for number in NUMBERS:
            made = tuple(_made(tensor, number, text) for tensor in inputs)
            if made not in seen:
                seen.append(made)
                yield made


def _made(described: DescribedTensor, number: float, text: str) -> FilledTensor:
    shape = tuple(1 if length == ANY else length for length in described.shape)
    count = prod(shape)
    if count > MOST_ELEMENTS:
        raise NotChecked(f"input {described.name} has more than {MOST_ELEMENTS:,} elements")
    element: Any = number if is_real(described.datatype) else int(number)
    if described.datatype == BYTES:
        element = text
    elif described.datatype == BOOLEAN:
        element = False
    return FilledTensor(described.name, described.datatype, shape, (element,) * count)


def _varied(inputs: RequestInputs) -> Iterator[RequestInputs]:
    """Yield inputs with other elements: in all tensors, then in one."""
    for factor in FACTORS:
        varied = tuple(_scaled(tensor, factor) for tensor in inputs)
        if varied != inputs:
            yield varied
    for place, tensor in enumerate(inputs):
        for factor in FACTORS:
            varied = (*inputs[:place], _scaled(tensor, factor), *inputs[place + 1 :])
            if varied != inputs:
                yield varied


def _scaled(tensor: FilledTensor, factor: float) -> FilledTensor:
    if tensor.datatype in (BOOLEAN, BYTES):
        return tensor
    kind = float if is_real(tensor.datatype) else int
    elements = (value if value is None else kind(value * factor) for value in tensor.elements)
    return replace(tensor, elements=tuple(elements))


def _listed(value: Any) -> list[str]:
    """Return the names of a list of models, as Triton and as KServe have it."""
    models = value.get("models") if isinstance(value, dict) else value
    names = [
        model.get("name") if isinstance(model, dict) else model
        for model in (models if isinstance(models, list) else [])
        if not isinstance(model, dict) or model.get("state") in (None, "READY")
    ]
    return [name for name in names if isinstance(name, str)]


def _given(tensor: Any, place: str) -> FilledTensor:
    members = tensor if isinstance(tensor, dict) else {}
    name, datatype, shape = (members.get(member) for member in ("name", "datatype", "shape"))
    data, parameters = members.get("data"), members.get("parameters", {})
    if not isinstance(name, str) or not isinstance(datatype, str):
        raise UsageError(f"{place} of the request needs texts as name and datatype")
    if datatype not in DATATYPE_NAMES or not is_shape(shape) or not isinstance(parameters, dict):
        raise UsageError(f"{place} of the request has a wrong datatype, shape or parameters")
    elements = flat(data) if isinstance(data, list) else []
    is_whole = len(elements) == prod(shape or ())
    if not is_whole or not all(is_element(datatype, element) for element in elements):
        raise UsageError(f"{place}.data of the request has not the elements of its shape")
    return FilledTensor(name, datatype, tuple(shape or ()), tuple(elements), parameters)


def _quoted(name: str) -> str:
    return quote(name.encode("utf-8", "replace"), safe="")
