"""Messages of the protocol's gRPC form: what they ask, and what they answer."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from app.grpc.inference_pb2 import (
    InferParameter,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
)
from app.inference.datatypes import Datatype
from app.inference.inference import ValidatedRequest
from app.inference.request import (
    Expect,
    InferenceRequest,
    WantedOutput,
    check_counts,
    check_parameters,
)
from app.inference.response import InferenceResponse, encode_binary
from app.inference.tensor import (
    InputTensor,
    known_datatype,
    of_binary,
    of_numbers,
    of_texts,
    wrong_input,
)
from dubito.errors import Fault, FieldCode, InvalidInput

CONTENTS: Mapping[str, str] = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""Field with a tensor's elements, by datatype; others have binary data alone."""


def to_request(message: ModelInferRequest, expect: Expect) -> InferenceRequest:
    """Read a request; `expect` refuses an input by its name and shape.

    Raises:
        InvalidInput: a tensor is not valid, or there are too many of something.
    """
    inputs, outputs = len(message.inputs), len(message.outputs)
    check_counts(inputs, outputs, len(message.parameters), message.id)
    for where in ("inputs", "outputs"):
        for one in getattr(message, where):
            check_parameters(where, one.name, one.parameters)
    return InferenceRequest(
        inputs=list(_tensors(message, expect)),
        id=message.id,
        parameters={name: _value(one) for name, one in message.parameters.items()},
        outputs=[WantedOutput(one.name, is_binary=True) for one in message.outputs],
        is_binary=True,
    )


def encoded(response: InferenceResponse, _: ValidatedRequest) -> Sequence[bytes]:
    """Encode a response, its outputs as binary data: some clients read no other."""
    message = ModelInferResponse(
        model_name=response.model_name,
        model_version=response.model_version,
        id=response.id,
        outputs=[
            ModelInferResponse.InferOutputTensor(
                name=one.name, datatype=one.datatype, shape=one.shape
            )
            for one in response.outputs
        ],
        raw_output_contents=[encode_binary(one) for one in response.outputs],
    )
    # Maps have no order of their own, and an answer is repeated to the byte.
    return [message.SerializeToString(deterministic=True)]


def filled(message: Message, content: Mapping[str, Any]) -> Any:
    """Fill a message with content as the protocol's JSON has it."""
    return ParseDict(dict(content), message, ignore_unknown_fields=True)


def _tensors(message: ModelInferRequest, expect: Expect) -> Iterator[InputTensor]:
    """Read the inputs; those without contents take the next of the binary data."""
    binary = iter(message.raw_input_contents)
    for one in message.inputs:
        datatype, shape = known_datatype(one.name, one.datatype), tuple(one.shape)
        expect(one.name, shape)
        if one.HasField("contents") and one.contents.ByteSize():
            yield _of_contents(one.name, datatype, shape, one.contents)
            continue
        data = next(binary, None)
        if data is None and message.raw_input_contents:
            raise wrong_input(one.name, FieldCode.MISSING, "has no data")
        yield of_binary(one.name, datatype, shape, data or b"")
    if next(binary, None) is not None:
        told = "has more items than there are inputs without contents"
        raise InvalidInput([Fault(("raw_input_contents",), FieldCode.TOO_MANY_ITEMS, told)])


def _of_contents(
    name: str, datatype: Datatype, shape: tuple[int, ...], contents: InferTensorContents
) -> InputTensor:
    field = CONTENTS.get(datatype.name)
    given = [one.name for one, _ in contents.ListFields()]
    if given != [field]:
        told = f"must have its elements in {field or 'raw_input_contents'}"
        raise wrong_input(name, FieldCode.NOT_VALID, told)
    values = list(getattr(contents, given[0]))
    if datatype.kind == "text":
        return of_texts(name, datatype, shape, values)
    return of_numbers(name, datatype, shape, values)


def _value(parameter: InferParameter) -> Any:
    chosen = parameter.WhichOneof("parameter_choice")
    return None if chosen is None else getattr(parameter, chosen)
