"""Responses to inferences, in JSON or with binary data behind it."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from json import JSONDecoder
from typing import Any

import numpy as np
from msgspec import json

from app.inference.outputs import INTERVAL, OutputTensor

_encode = json.Encoder().encode


@dataclass(frozen=True, slots=True)
class InferenceResponse:
    """A response, of whatever transport."""

    model: str
    version: str
    id: str
    """Client's name of the request; empty for none."""
    outputs: Sequence[OutputTensor]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.outputs[0].shape[0]


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
    parts, told = [], []
    for output, is_binary in zip(response.outputs, binary, strict=True):
        about: dict[str, Any] = {
            "name": output.name,
            "datatype": output.datatype.name,
            "shape": output.shape,
        }
        if is_binary:
            data = encode_binary(output)
            parts.append(data)
            about["parameters"] = {"binary_data_size": len(data)}
        else:
            about["data"] = output.elements
        told.append(about)
    content: dict[str, Any] = {"model_name": response.model, "model_version": response.version}
    if response.id:
        content["id"] = response.id
    content["outputs"] = told
    return _encode(content), [part for part in parts if part]


def encode_binary(output: OutputTensor) -> bytes:
    """Encode an output as binary data: little-endian elements, texts behind their lengths.

    A bound that no finite one is becomes an infinite one, and a pass that a row did not have NaN.
    """
    if output.datatype.kind == "text":
        return b"".join(map(_text, output.elements))
    elements = output.elements
    if output.name == INTERVAL:
        bounds = (-math.inf, math.inf)
        elements = [bounds[at % 2] if one is None else one for at, one in enumerate(elements)]
    # NumPy makes NaN of None.
    return np.array(elements, output.datatype.dtype).tobytes()


def header_of(content: bytes) -> int | None:
    """Return the bytes of the JSON that binary data follows in a response; None if none does."""
    text = content.decode("latin-1")
    _, end = JSONDecoder().raw_decode(text)
    return None if end == len(text) else end


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<I", len(data)) + data
