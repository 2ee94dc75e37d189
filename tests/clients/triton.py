"""Asks a service with tritonclient, as others have it: `triton.py WAY ADDRESS < cases > answers`.

A case has `inputs` and `parameters`; its answer the outputs with which the client comes back, or
the status and the sentence of an error. Ways: http, http-aio, grpc, grpc-aio.
"""

import asyncio
import inspect
import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from tritonclient.utils import InferenceServerException

WAYS = {
    "http": "tritonclient.http",
    "http-aio": "tritonclient.http.aio",
    "grpc": "tritonclient.grpc",
    "grpc-aio": "tritonclient.grpc.aio",
}
DTYPES: dict[str, Any] = {
    "FP64": np.float64,
    "FP32": np.float32,
    "INT64": np.int64,
    "BOOL": np.bool_,
    "BYTES": np.object_,
}


def tensors(library: Any, case: Any) -> Iterator[Any]:
    """The inputs of a case, as the client takes them."""
    for one in case["inputs"]:
        found = library.InferInput(one["name"], one["shape"], one["datatype"])
        values = [np.nan if value is None else value for value in one["values"]]
        if one["datatype"] == "BYTES":
            values = [value or "" for value in one["values"]]
        array = np.array(values, DTYPES[one["datatype"]]).reshape(one["shape"])
        found.set_data_from_numpy(array)
        yield found


def told(result: Any) -> Any:
    """What the client has of each output, numbers to the bit."""
    response = result.get_response()
    outputs = response["outputs"] if isinstance(response, dict) else response.outputs
    names = [one["name"] if isinstance(one, dict) else one.name for one in outputs]
    found = {}
    for name in names:
        array = result.as_numpy(name)
        if array.dtype == np.object_:
            array = np.vectorize(lambda one: one.decode())(array)
        found[name] = array.tolist()
    return {"outputs": found}


async def answer(client: Any, library: Any, model: str, case: Any) -> Any:
    """Ask about one case, with plain `infer()` and no options but the parameters."""
    try:
        found = client.infer(model, list(tensors(library, case)), parameters=case["parameters"])
        return told(await found if inspect.isawaitable(found) else found)
    except InferenceServerException as error:
        return {"status": str(error.status()), "sentence": error.message()}


async def main(way: str, address: str, model: str) -> None:
    """Answer all cases, by one client."""
    name = WAYS[way]
    library = __import__(name, fromlist=["_"])
    client = library.InferenceServerClient(address)
    cases = json.load(sys.stdin)
    ready = client.is_model_ready(model)
    assert await ready if inspect.isawaitable(ready) else ready
    found = [await answer(client, library, model, case) for case in cases]
    closed = client.close()
    if inspect.isawaitable(closed):
        await closed
    json.dump(found, sys.stdout)


asyncio.run(main(*sys.argv[1:]))
