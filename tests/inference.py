"""Requests of the Open Inference Protocol for any bundle, and what their answers must be."""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import numpy as np

from app.inference.datatypes import DATATYPES
from dubito.features import BooleanFeature, CategoryFeature, Feature, NumberFeature, TensorFeature
from dubito.types import Signature

HEADER = "Inference-Header-Content-Length"
Row = dict[str, Any]


def rows_of(signature: Signature, random: np.random.Generator, count: int) -> list[Row]:
    """Rows of values that training could have seen, gaps and unknown categories among them."""
    return [{one.name: _value(one, random) for one in signature.features} for _ in range(count)]


def _value(feature: Feature, random: np.random.Generator) -> Any:
    """A value that training could have seen, or a gap, or an unknown category."""
    if feature.nullable and random.random() < 0.2:
        return None
    if isinstance(feature, TensorFeature):
        return random.uniform(feature.minimum, feature.maximum, feature.shape).round(2).tolist()
    if isinstance(feature, CategoryFeature):
        labels = [*feature.labels, *(["elsewhere"] if feature.takes_unknown else [])]
        return labels[random.integers(len(labels))]
    if isinstance(feature, BooleanFeature):
        return bool(random.integers(2))
    assert isinstance(feature, NumberFeature)
    value = random.uniform(feature.seen.minimum, feature.seen.maximum)
    return int(value) if feature.is_whole else round(value, 2)


def tensors(
    signature: Signature, rows: Sequence[Row], random: np.random.Generator
) -> tuple[list[dict[str, Any]], bytes]:
    """Inputs of some form that clients send, and the binary data of those that have any.

    Numbers of a form of fewer bits are what that form has: the rows are changed to them.
    """
    inputs: list[dict[str, Any]] = []
    binary = b""
    for feature in signature.features:
        values = [row[feature.name] for row in rows]
        datatype, is_narrow = _datatype(feature, values, random)
        if is_narrow:
            values = [one if one is None else float(np.float32(one)) for one in values]
            for row, value in zip(rows, values, strict=True):
                row[feature.name] = value
        dims = list(feature.shape) if isinstance(feature, TensorFeature) else []
        shape = [len(rows), *(dims or ([1] if random.integers(2) else []))]
        about = {"name": feature.name, "shape": shape, "datatype": datatype}
        data = encoded(datatype, values) if random.integers(2) else None
        if data is None:
            if isinstance(feature, BooleanFeature):
                about["datatype"] = "BOOL"
            nested = [[one] for one in values] if len(shape) == 2 and not dims else values
            inputs.append({**about, "data": nested if random.integers(2) else flat(values)})
        else:
            inputs.append({**about, "parameters": {"binary_data_size": len(data)}})
            binary += data
    return inputs, binary


def flat(values: Sequence[Any]) -> list[Any]:
    return np.array(values).ravel().tolist() if isinstance(values[0], list) else list(values)


def _datatype(
    feature: Feature, values: Sequence[Any], random: np.random.Generator
) -> tuple[str, bool]:
    """A datatype for a feature's values, and whether it rounds them."""
    has_gaps = any(value is None for value in values)
    if isinstance(feature, CategoryFeature):
        return "BYTES", False
    if isinstance(feature, BooleanFeature):
        return ("FP32" if has_gaps else "BOOL"), False
    if isinstance(feature, NumberFeature) and feature.is_whole:
        return ("FP64" if has_gaps else str(random.choice(["INT64", "FP64"]))), False
    if isinstance(feature, NumberFeature) and not has_gaps and random.integers(3) == 0:
        return "FP32", True
    return "FP64", False


def encoded(datatype: str, values: Sequence[Any]) -> bytes:
    if datatype == "BYTES":
        parts = [(one or "").encode() for one in values]
        return b"".join(struct.pack("<I", len(part)) + part for part in parts)
    return np.array(values, np.float64).astype(DATATYPES[datatype].dtype).tobytes()


def outputs(answer: httpx2.Response) -> dict[str, Any]:
    """The outputs of a response by name, as arrays of their shape."""
    assert 200 == answer.status_code, answer.text
    size = answer.headers.get(HEADER)
    head = answer.content if size is None else answer.content[: int(size)]
    rest, found = answer.content[len(head) :], {}
    for one in json.loads(head)["outputs"]:
        datatype, shape = one["datatype"], one["shape"]
        if "parameters" in one:
            length = one["parameters"]["binary_data_size"]
            values, rest = _read(datatype, rest[:length]), rest[length:]
        else:
            values = one["data"]
        found[one["name"]] = np.array(values, object).reshape(shape)
    assert b"" == rest
    return found


def _read(datatype: str, data: bytes) -> list[Any]:
    if datatype != "BYTES":
        values: list[Any] = np.frombuffer(data, DATATYPES[datatype].dtype).tolist()
        # An unbounded interval, which JSON has as null.
        values = [None if value in (-np.inf, np.inf) else value for value in values]
        return [bool(one) for one in values] if datatype == "BOOL" else values
    texts = []
    while data:
        (length,) = struct.unpack("<I", data[:4])
        texts.append(data[4 : 4 + length].decode())
        data = data[4 + length :]
    return texts


def expected(answer: dict[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """What the outputs of a row are, by the answer of `/predict/mc`."""
    told = {name: answer[name] for name in ("passes", "seed")}
    told["precision"] = answer["precision"]["half_width"]
    told["warnings"] = answer["warnings"]
    if classes:
        told |= {name: list(answer[name].values()) for name in ("mean", "std")}
        told |= {"grade": answer["grade"], **answer["uncertainty"]}
        if (found := answer["prediction_set"]) is not None:
            told["prediction_set"] = [name in found["grades"] for name in classes]
    else:
        names = ("mean", "std", "aleatoric_std", "total_std", "between_members_std")
        told |= {name: answer[name] for name in names if name in answer}
        if (interval := answer["interval"]) is not None:
            told["interval"] = [interval["lower"], interval["upper"]]
    if (decision := answer["decision"]) is not None:
        told |= {"decision": decision["action"], "reasons": decision["reasons"]}
        told["guaranteed"] = decision["guaranteed"]
    return told


def check(
    found: Mapping[str, Any], answers: Sequence[dict[str, Any]], classes: Sequence[str]
) -> None:
    """Outputs have the bits of the answers, row by row, and there are no others."""
    wanted = [expected(answer, classes) for answer in answers]
    assert set(wanted[0]) | {"record"} == set(found)
    for row, told in enumerate(wanted):
        for name, value in told.items():
            got = found[name][row]
            plain = got.tolist() if isinstance(got, np.ndarray) else got
            assert value == (json.loads(plain) if name in ("warnings", "reasons") else plain), name
