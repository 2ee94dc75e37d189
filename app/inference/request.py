"""Requests for an inference: read from JSON, which binary data may follow."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import DecodeError, Struct, ValidationError, json

from app.inference.tensor import InputTensor, known_datatype, of_binary, of_json, single_of
from dubito.errors import Fault, FieldCode, InvalidInput, NotJson

MOST_ITEMS = 256
"""Maximum inputs, outputs and parameters of a request, each."""
LONGEST_ID = 200
BINARY_SIZE = "binary_data_size"
BINARY_OUTPUT = "binary_data_output"
BINARY = "binary_data"
PLACE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\d+")
"""Pattern of a name or position in a path of msgspec's, as in `$.inputs[0].shape[...]`."""
TYPES = {
    "str": (FieldCode.NOT_A_TEXT, "must be a text"),
    "array": (FieldCode.NOT_A_LIST, "must be a list"),
    "object": (FieldCode.NOT_AN_OBJECT, "must be an object"),
    "int": (FieldCode.NOT_WHOLE, "must be a whole number"),
}
"""Code and message by the type that msgspec expected."""
EXPECTED = re.compile(r"Expected `(\w+)")
ABSENT = re.compile(r"missing required field `(\w+)`")

Parameters = Mapping[str, Any]
Expect = Callable[[str, tuple[int, ...]], None]
"""Function that refuses an input by its name and shape."""


class _Input(Struct):
    name: str
    shape: list[int]
    datatype: str
    data: Any = None
    parameters: dict[str, Any] | None = None


class _Output(Struct):
    name: str
    parameters: dict[str, Any] | None = None


class _Request(Struct):
    """Members of a request; others, as a model's name, are not read. Some clients send null."""

    inputs: list[_Input]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[_Output] | None = None


_decode = json.Decoder(_Request).decode


class WantedOutput(Struct, frozen=True):
    """An output that a request names."""

    name: str
    is_binary: bool = False


class InferenceRequest(Struct, frozen=True):
    """A request for an inference, of whatever transport."""

    inputs: Sequence[InputTensor]
    id: str = ""
    """Client's name of the request, which its response repeats; empty for none."""
    parameters: Parameters = {}
    outputs: Sequence[WantedOutput] = ()
    """Outputs that are wanted; the usual ones if none is named."""
    is_binary: bool = False
    """Whether outputs that are not named are to be binary data."""


def read_request(
    body: bytes, header: int | None = None, expect: Expect = lambda *_: None
) -> InferenceRequest:
    """Read a body.

    Args:
        body: JSON, or JSON and the binary data of inputs in their order.
        header: bytes of the JSON; None if there is no binary data.
        expect: refuses an input by its name and shape, before its elements are read.

    Raises:
        NotJson: the body, or its first part, is not JSON.
        InvalidInput: the body is not valid; the error names the member or input.
    """
    head = body if header is None else body[:header]
    try:
        found = _decode(head)
    except ValidationError as error:
        raise InvalidInput([_fault(str(error))]) from None
    except (DecodeError, RecursionError, UnicodeDecodeError):
        raise NotJson from None
    parameters = found.parameters or {}
    check_counts(len(found.inputs), len(found.outputs or ()), len(parameters), found.id or "")
    is_binary = _flag(parameters, BINARY_OUTPUT, default=False)
    return InferenceRequest(
        inputs=_tensors(found.inputs, body[len(head) :], expect),
        id=found.id or "",
        parameters=parameters,
        outputs=[
            WantedOutput(one.name, _flag(_served(one), BINARY, default=is_binary))
            for one in found.outputs or ()
        ],
        is_binary=is_binary,
    )


def check_counts(inputs: int, outputs: int, parameters: int, identifier: str) -> None:
    """Check how many inputs, outputs and parameters a request has, and how long its name is.

    Raises:
        InvalidInput: there is no input, or too many of something.
    """
    if not inputs:
        message = "must have at least 1 item"
        raise InvalidInput([Fault(("inputs",), FieldCode.TOO_FEW_ITEMS, message, minimum=1)])
    counts = {"inputs": inputs, "outputs": outputs, "parameters": parameters}
    for name, count in counts.items():
        if count > MOST_ITEMS:
            message = f"must have at most {MOST_ITEMS} items"
            raise InvalidInput(
                [Fault((name,), FieldCode.TOO_MANY_ITEMS, message, maximum=MOST_ITEMS)]
            )
    if len(identifier) > LONGEST_ID:
        message = f"must have at most {LONGEST_ID} characters"
        raise InvalidInput([Fault(("id",), FieldCode.TEXT_TOO_LONG, message, maximum=LONGEST_ID)])


def check_parameters(where: str, name: str, parameters: Iterable[str]) -> None:
    """Refuse what would change the meaning of an input or output, and is not served.

    Raises:
        InvalidInput: shared memory or a classification is asked for.
    """
    for one in parameters:
        if one == "classification" or one.startswith("shared_memory_"):
            raise InvalidInput([Fault((where, name, one), FieldCode.UNKNOWN, "is not served")])


def _served(one: _Input | _Output) -> Parameters:
    """Return the parameters of an input or output, which are all served."""
    parameters = one.parameters or {}
    check_parameters("inputs" if isinstance(one, _Input) else "outputs", one.name, parameters)
    return parameters


def _tensors(inputs: Sequence[_Input], binary: bytes, expect: Expect) -> list[InputTensor]:
    """Read the inputs; those with a size take their part of the binary data."""
    tensors, start = [], 0
    for one in inputs:
        if not one.parameters:
            single = single_of(one.name, one.datatype, one.shape, one.data)
            if single is not None:
                tensors.append(single)
                continue
        datatype, shape = known_datatype(one.name, one.datatype), tuple(one.shape)
        expect(one.name, shape)
        size = _binary_size(one)
        if size is None:
            tensors.append(of_json(one.name, datatype, shape, one.data))
            continue
        if start + size > len(binary):
            raise _other_binary(one.name, "is more than follows the JSON")
        tensors.append(of_binary(one.name, datatype, shape, binary[start : start + size]))
        start += size
    if start != len(binary):
        raise _other_binary(inputs[-1].name, "leaves a part of what follows the JSON")
    return tensors


def _binary_size(one: _Input) -> int | None:
    """Return the bytes of binary data that an input has; None for one in JSON.

    Raises:
        InvalidInput: it is not a whole number, or the input has data in JSON too, or has none.
    """
    size = _served(one).get(BINARY_SIZE)
    if size is None:
        if one.data is None:
            raise InvalidInput(
                [Fault(("inputs", one.name, "data"), FieldCode.MISSING, "is missing")]
            )
        return None
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise _other_binary(one.name, "must be a whole number of bytes", FieldCode.NOT_WHOLE)
    if one.data is not None:
        raise _other_binary(one.name, "is given beside data", FieldCode.GIVEN_TWICE)
    return size


def _other_binary(name: str, message: str, code: FieldCode = FieldCode.NOT_VALID) -> InvalidInput:
    return InvalidInput([Fault(("inputs", name, BINARY_SIZE), code, message)])


def _flag(parameters: Parameters, name: str, *, default: bool) -> bool:
    found = parameters.get(name, default)
    if not isinstance(found, bool):
        where = ("parameters", name)
        raise InvalidInput([Fault(where, FieldCode.NOT_TRUE_OR_FALSE, "must be true or false")])
    return found


def _fault(said: str) -> Fault:
    """Convert msgspec's sentence, which names types and places and no value."""
    sentence, _, path = said.partition(" - at `$")
    where: tuple[str | int, ...] = tuple(
        int(part) if part.isdecimal() else part for part in PLACE.findall(path)
    )
    if absent := ABSENT.search(sentence):
        return Fault((*where, absent[1]), FieldCode.MISSING, "is missing")
    expected = EXPECTED.match(sentence)
    code, message = TYPES.get(
        expected[1] if expected else "", (FieldCode.NOT_VALID, "is not valid")
    )
    return Fault(where, code, message)
