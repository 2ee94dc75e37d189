"""Responses to inferences, in JSON or with binary data behind it."""

import math
import struct
from collections.abc import Sequence
from contextlib import suppress
from json import JSONDecoder
from typing import Any

import numpy as np
from msgspec import Struct, json, structs

from app.inference.datatypes import DATATYPES
from app.inference.outputs import INTERVAL, OutputTensor

_encode = json.Encoder().encode


class InferenceResponse(Struct, frozen=True, omit_defaults=True):
    """A response, of whatever transport, with the members that its JSON has."""

    model_name: str
    model_version: str
    outputs: Sequence[OutputTensor]
    id: str = ""
    """Client's name of the request; empty for none."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.outputs[0].shape[0]


class _BinaryTensor(Struct, frozen=True):
    """What the JSON has of an output whose elements are binary data behind it."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: dict[str, int]


def encode_response(
    response: InferenceResponse, binary: Sequence[bool]
) -> tuple[bytes, list[bytes]]:
    """Encode a response.

    Args:
        response: the response.
        binary: whether each of its outputs is to be binary data.

    Returns:
        The JSON, and the binary data that follows it, in order; none if all of it is empty.
    """
    if True not in binary:
        return _encode(response), []
    parts, outputs = [], list[Any]()
    for output, is_binary in zip(response.outputs, binary, strict=True):
        if not is_binary:
            outputs.append(output)
            continue
        data = encode_binary(output)
        parts.append(data)
        size = {"binary_data_size": len(data)}
        outputs.append(_BinaryTensor(output.name, output.datatype, output.shape, size))
    return _encode(structs.replace(response, outputs=outputs)), [part for part in parts if part]


def encode_binary(output: OutputTensor) -> bytes:
    """Encode an output as binary data: little-endian elements, texts behind their lengths.

    A missing bound becomes an infinite one, and a pass that a row did not have NaN.
    """
    datatype, elements = DATATYPES[output.datatype], output.data
    if datatype.kind == "text":
        # Many rows have the same few grades, decisions and reasons.
        known = {text: _text(text) for text in set(elements)}
        return b"".join(map(known.__getitem__, elements))
    if output.name == INTERVAL:
        bounds = (-math.inf, math.inf)
        elements = [bounds[at % 2] if one is None else one for at, one in enumerate(elements)]
    if datatype.kind == "boolean":
        return bytes(elements)
    # NumPy takes longer for a list of Python's numbers, but makes NaN of None.
    with suppress(struct.error):
        if datatype.dtype == np.float64:
            return struct.pack(f"<{len(elements)}d", *elements)
    return np.array(elements, datatype.dtype).tobytes()


def header_of(content: bytes) -> int | None:
    """Return the bytes of the JSON that binary data follows in a response; None if none does."""
    text = content.decode("latin-1")
    _, end = JSONDecoder().raw_decode(text)
    return None if end == len(text) else end


def _text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(4, "little") + data
