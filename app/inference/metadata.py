"""What the service and a model are, as the Open Inference Protocol tells it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import json

from app.inference.datatypes import BOOL, BYTES_TYPE, FP64, INT64, Datatype
from app.inference.outputs import Output
from dubito.bundles.manifest import Manifest
from dubito.features import CategoryFeature, Feature, NumberFeature, TensorFeature
from dubito.targets import ClassTarget, NumberTarget
from dubito.types import Calibration, Signature

PLATFORM = "dubito"
EXTENSIONS = (
    "model_repository",
    "model_configuration",
    "binary_tensor_data",
    "parameters",
    "statistics",
)
"""Extensions of the protocol that the service has, by their names there."""
SCALAR = (1,)
"""Axes of a value a row, behind that of the rows, which clients may leave out."""


def server_metadata(version: str) -> dict[str, Any]:
    """Return the name, version and extensions of the service."""
    return {"name": PLATFORM, "version": version, "extensions": EXTENSIONS}


def model_metadata(manifest: Manifest, outputs: Sequence[Output]) -> dict[str, Any]:
    """Return the inputs, outputs and properties of a model."""
    return {
        "name": manifest.identity.name,
        "versions": [str(manifest.identity.version)],
        "platform": PLATFORM,
        "inputs": [_input(feature) for feature in manifest.signature.features],
        "outputs": [
            {"name": one.name, "datatype": one.datatype.name, "shape": one.shape} for one in outputs
        ],
        "properties": dict(_properties(manifest)),
    }


def model_config(manifest: Manifest, outputs: Sequence[Output], most_rows: int) -> dict[str, Any]:
    """Return a model's configuration, as far as there is one, in the form of Triton's."""
    return {
        "name": manifest.identity.name,
        "platform": PLATFORM,
        "backend": PLATFORM,
        "version_policy": {"specific": {"versions": [manifest.identity.version]}},
        "max_batch_size": most_rows,
        "input": [
            {
                "name": feature.name,
                "data_type": _type(told_datatype(feature)),
                "format": "FORMAT_NONE",
                "dims": _dims(feature),
                "is_shape_tensor": False,
                "allow_ragged_batch": False,
                "optional": False,
            }
            for feature in manifest.signature.features
        ],
        "output": [
            {
                "name": one.name,
                "data_type": _type(one.datatype),
                "dims": one.dims,
                "label_filename": "",
                "is_shape_tensor": False,
            }
            for one in outputs
        ],
        "instance_group": [{"name": PLATFORM, "kind": "KIND_CPU", "count": 1, "gpus": []}],
        "dynamic_batching": {"preferred_batch_size": [], "max_queue_delay_microseconds": 0},
        "parameters": {},
    }


def told_datatype(feature: Feature) -> Datatype:
    """Return the datatype in which a feature is told; only floats can be NaN, which is missing."""
    if isinstance(feature, CategoryFeature):
        return BYTES_TYPE
    if isinstance(feature, TensorFeature) or feature.nullable:
        return FP64
    if isinstance(feature, NumberFeature):
        return INT64 if feature.is_whole else FP64
    return BOOL


def _input(feature: Feature) -> Mapping[str, Any]:
    return {
        "name": feature.name,
        "datatype": told_datatype(feature).name,
        "shape": [-1, *_dims(feature)],
    }


def _dims(feature: Feature) -> tuple[int, ...]:
    return feature.shape if isinstance(feature, TensorFeature) else SCALAR


def _type(datatype: Datatype) -> str:
    return "TYPE_STRING" if datatype is BYTES_TYPE else f"TYPE_{datatype.name}"


def _properties(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield texts about a model, some of them JSON."""
    target, calibration = manifest.target, manifest.calibration
    yield "digest", manifest.identity.digest
    yield "passes", str(manifest.passes)
    yield "units", _json(_units(manifest.signature))
    if categories := {
        one.name: one.labels
        for one in manifest.signature.features
        if isinstance(one, CategoryFeature)
    }:
        yield "categories", _json(categories)
    if isinstance(target, ClassTarget):
        yield "classes", _json(target.classes)
    if isinstance(target, NumberTarget):
        yield "target", _json({"name": target.name, "unit": target.unit, "head": target.head})
        if target.levels:
            yield "levels", _json(target.levels)
    if calibration is not None:
        is_class = isinstance(calibration, Calibration)
        yield "calibrated_passes", str(calibration.passes)
        yield "methods", _json(list(calibration.scores))
        yield "targets", _json([promise.target for promise in calibration.policy.promises])
        yield "coverage", SETS if is_class else INTERVALS
        yield "decision", DECISIONS if is_class else NUMBER_DECISIONS


SETS = (
    "On average over many rows exchangeable with the calibration rows, and over the draw of those, "
    "a share `coverage` of the prediction sets contains the true class. It is not the probability "
    "for one row."
)
INTERVALS = (
    "On average over many rows exchangeable with the calibration rows, and over the draw of those, "
    "a share `coverage` of the intervals contains the true number. It is not the probability for "
    "one row."
)
DECISIONS = (
    "Of many rows that are automated, at most a share `target` is wrong. It is not the probability "
    "that one row is wrong, and says nothing about granting anything."
)
NUMBER_DECISIONS = (
    "Of many rows that are automated, the interval of at most a share `target` misses the true "
    "number. It is not the probability for one row, and says nothing about granting anything."
)
"""Wording of what is promised, by what is predicted."""


def _units(signature: Signature) -> dict[str, str]:
    return {
        feature.name: feature.unit
        for feature in signature.features
        if isinstance(feature, NumberFeature | TensorFeature) and feature.unit
    }


def _json(value: object) -> str:
    return json.encode(value).decode()
