"""Asks a service with KServe's clients: `kserve.py WAY ADDRESS MODEL < cases > answers`.

Cases and answers are those of `triton.py`. Ways: rest, grpc.
"""

import sys

# This file has the name of the package that it imports.
sys.path.pop(0)

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
from grpc import RpcError
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

DTYPES: dict[str, Any] = {
    "FP64": np.float64,
    "FP32": np.float32,
    "INT64": np.int64,
    "BOOL": np.bool_,
}


def tensors(case: Any, is_binary: bool) -> Iterator[Any]:
    """The inputs of a case, as the client takes them."""
    for one in case["inputs"]:
        found = InferInput(one["name"], one["shape"], one["datatype"])
        values = [np.nan if value is None else value for value in one["values"]]
        if one["datatype"] == "BYTES":
            array = np.array([value or "" for value in one["values"]], np.object_)
        else:
            array = np.array(values, DTYPES[one["datatype"]])
        found.set_data_from_numpy(array.reshape(one["shape"]), binary_data=is_binary)
        yield found


def _text(value: Any) -> Any:
    """A number as a text, unless it is whole."""
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() else str(value)


async def main(way: str, address: str, model: str) -> None:
    """Answer all cases, binary and not by turns."""
    is_rest = way == "rest"
    client = (
        InferenceRESTClient(RESTConfig(protocol="v2")) if is_rest else InferenceGRPCClient(address)
    )
    place = (address,) if is_rest else ()
    assert await client.is_server_ready(*place)
    assert await client.is_model_ready(*place, model)
    answers: list[Any] = []
    for at, case in enumerate(json.load(sys.stdin)):
        # What NumPy has as NaN, JSON of this client does not: binary data where one is missing.
        has_gaps = any(None in one["values"] for one in case["inputs"])
        inputs = list(tensors(case, bool(at % 2) or has_gaps))
        # This client's gRPC takes no numbers with a point.
        parameters = {
            name: value if is_rest else _text(value) for name, value in case["parameters"].items()
        }
        request = InferRequest(model, inputs, parameters=parameters)
        try:
            asked = client.infer(*place, request, **({"model_name": model} if is_rest else {}))
            found = await asked
        except RpcError as error:
            answers.append({"status": str(error.code()), "sentence": error.details()})
            continue
        except httpx.HTTPStatusError as error:
            answers.append({"status": str(error.response.status_code), "sentence": str(error)})
            continue
        outputs = {one.name: one.as_numpy() for one in found.outputs}
        texts = {
            name: np.vectorize(lambda one: one if isinstance(one, str) else one.decode())(array)
            for name, array in outputs.items()
            if array.dtype == np.object_
        }
        answers.append({"outputs": {k: v.tolist() for k, v in (outputs | texts).items()}})
    json.dump(answers, sys.stdout)


asyncio.run(main(*sys.argv[1:]))
