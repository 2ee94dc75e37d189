"""The Open Inference Protocol, version 2, over HTTP, as an OpenAPI document of one model.

Written from the facts of the protocol and its extensions; the published description leaves out the
extensions, and has path parameters that no generator can use.
"""

from typing import Any

from dubito.bundles.manifest import Manifest
from dubito.features import NumberFeature
from dubito.inputs.rows import example

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "minLength": 1}},
}
DATATYPES = (
    *("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"),
    *("FP16", "FP32", "FP64", "BF16", "BYTES"),
)
PARAMETERS = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
DURATION = {
    "type": "object",
    "required": ["count", "ns"],
    "properties": {
        "count": {"type": "integer", "minimum": 0},
        "ns": {"type": "integer", "minimum": 0},
    },
}
PARTS = (
    *("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"),
    *("cache_hit", "cache_miss"),
)


def description(manifest: Manifest) -> dict[str, Any]:
    """The document of a service of one model whose features are numbers."""
    name, version = manifest.identity.name, str(manifest.identity.version)
    model, versioned = f"/v2/models/{name}", f"/v2/models/{name}/versions/{version}"
    paths: dict[str, Any] = {
        "/v2": {"get": _get("server", _object("name", "version", "extensions"))},
        "/v2/health/live": {"get": _get("live", _object("live"))},
        "/v2/health/ready": {"get": _get("ready", _object("ready"))},
        "/v2/models": {"get": _get("models", _object("models"))},
        "/v2/models/stats": {"get": _get("everyStats", _statistics())},
        "/v2/repository/index": {"post": _index()},
    }
    for place, way in (("", model), ("Version", versioned)):
        paths |= {
            way: {"get": _get(f"metadata{place}", _metadata())},
            f"{way}/ready": {"get": _get(f"modelReady{place}", _object("name", "ready"))},
            f"{way}/config": {"get": _get(f"config{place}", _object("name", "platform", "input"))},
            f"{way}/stats": {"get": _get(f"stats{place}", _statistics())},
            f"{way}/infer": {"post": _infer(manifest, place)},
        }
    info = {"title": "Open Inference Protocol", "version": "2"}
    return {"openapi": "3.1.0", "info": info, "paths": paths}


def _get(operation: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": operation, "responses": {"200": _json(schema)}}


def _json(schema: dict[str, Any], told: str = "As asked.") -> dict[str, Any]:
    return {"description": told, "content": {"application/json": {"schema": schema}}}


def _object(*names: str) -> dict[str, Any]:
    return {"type": "object", "required": [*names]}


def _metadata() -> dict[str, Any]:
    tensor = {
        "type": "object",
        "required": ["name", "datatype", "shape"],
        "properties": {
            "name": {"type": "string"},
            "datatype": {"enum": [*DATATYPES]},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": -1}},
        },
    }
    tensors = {"type": "array", "minItems": 1, "items": tensor}
    return {
        **_object("name", "versions", "platform", "inputs", "outputs"),
        "properties": {
            "name": {"type": "string"},
            "versions": {"type": "array", "items": {"type": "string"}},
            "platform": {"type": "string"},
            "inputs": tensors,
            "outputs": tensors,
            "properties": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }


def _statistics() -> dict[str, Any]:
    durations = {**_object(*PARTS), "properties": dict.fromkeys(PARTS, DURATION)}
    of_model = {
        **_object("name", "version", "inference_count", "execution_count", "inference_stats"),
        "properties": {"version": {"pattern": "^[0-9]+$"}, "inference_stats": durations},
    }
    return {
        **_object("model_stats"),
        "properties": {"model_stats": {"type": "array", "items": of_model}},
    }


def _index() -> dict[str, Any]:
    asked = {"type": "object", "properties": {"ready": {"type": "boolean"}}}
    entry = {**_object("name", "state"), "properties": {"state": {"type": "string"}}}
    return {
        "operationId": "index",
        "requestBody": {"content": {"application/json": {"schema": asked}}},
        "responses": {
            "200": _json({"type": "array", "items": entry}),
            "400": _json(ERROR, "The body is not valid."),
        },
    }


def _infer(manifest: Manifest, place: str) -> dict[str, Any]:
    """An inference of one row, with a tensor for each feature."""
    features = manifest.signature.features
    usual = example(manifest.signature)
    inputs = [_input(one) for one in features if isinstance(one, NumberFeature)]
    given = [
        {"name": one["properties"]["name"]["const"], "shape": [1], "datatype": "FP64"}
        for one in inputs
    ]
    told = [{**one, "data": [usual[one["name"]]]} for one in given]
    body = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string", "maxLength": 200},
            "inputs": {
                "type": "array",
                "prefixItems": inputs,
                "minItems": len(inputs),
                "maxItems": len(inputs),
            },
            "parameters": {
                "type": "object",
                "properties": {
                    "passes": {"type": "integer", "minimum": 1, "maximum": 100},
                    "seed": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
                },
                "additionalProperties": False,
            },
        },
    }
    output = {
        "type": "object",
        "required": ["name", "datatype", "shape", "data"],
        "properties": {
            "name": {"type": "string"},
            "datatype": {"enum": [*DATATYPES]},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "data": {"type": "array"},
        },
    }
    answer = {
        **_object("model_name", "model_version", "outputs"),
        "properties": {
            "model_name": {"const": manifest.identity.name},
            "model_version": {"const": str(manifest.identity.version)},
            "id": {"type": "string"},
            "outputs": {"type": "array", "minItems": 1, "items": output},
        },
    }
    content = {"schema": body, "example": {"inputs": told}}
    return {
        "operationId": f"infer{place}",
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            "200": _json(answer),
            "400": _json(ERROR, "The request is not valid."),
            "503": _json(ERROR, "The service cannot answer now."),
        },
    }


def _input(feature: NumberFeature) -> dict[str, Any]:
    number = {
        "type": "integer" if feature.is_whole else "number",
        "minimum": feature.minimum,
        "maximum": feature.maximum,
    }
    element: dict[str, Any] = {"anyOf": [number, {"type": "null"}]} if feature.nullable else number
    return {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"const": feature.name},
            "shape": {"const": [1]},
            "datatype": {"const": "FP64"},
            "data": {"type": "array", "items": element, "minItems": 1, "maxItems": 1},
        },
    }
