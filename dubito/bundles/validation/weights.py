"""Checks `model.weights.h5`: exactly the weights that the configuration implies, all finite."""

import io
import math
from collections.abc import Sequence

import h5py
import numpy as np

from dubito.bundles.manifest import NETWORK_FILE
from dubito.bundles.validation.objects import quoted
from dubito.bundles.validation.shape_inference import Held
from dubito.errors import BundleError
from dubito.layer_shapes import Shape

WEIGHTS_FILE = "model.weights.h5"
DTYPES = ("<f4", "<f8", "<i8")
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, MemoryError)
"""Exceptions that h5py raises for a damaged file, depending on the place of the damage."""


def check_weights(content: bytes, held: Sequence[Held]) -> None:
    """Check shapes and storage of every dataset, then that every weight is finite.

    Raises:
        BundleError: a dataset is missing, unexpected, stored outside the file or in parts, or has
            a value that is not finite.
    """
    expected = {f"{one.path}/{n}": shape for one in held for n, shape in enumerate(one.shapes)}
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            found = _datasets(file, _groups(held), expected)
            _check_stored(found, expected, len(content))
            for one in held:
                _check_finite(one, found)
    except UNREADABLE as error:
        raise BundleError(f"{NETWORK_FILE}: {WEIGHTS_FILE} is damaged or not HDF5") from error


def _groups(held: Sequence[Held]) -> set[str]:
    """Return the path of every group that leads to a layer's weights."""
    parts = [one.path.split("/") for one in held]
    return {"/".join(part[:length]) for part in parts for length in range(1, len(part) + 1)}


def _datasets(
    group: h5py.Group, groups: set[str], expected: dict[str, Shape], path: str = ""
) -> dict[str, h5py.Dataset]:
    """Collect the datasets below `group` by path, opening expected members only."""
    found: dict[str, h5py.Dataset] = {}
    for name in group:
        inner = f"{path}{name}"
        if inner not in groups and inner not in expected:
            raise _fault(f"{quoted(inner)} belongs to no layer")
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise _fault(f"{quoted(inner)} is a link")
        member = group[name]
        if isinstance(member, h5py.Dataset) and inner in expected:
            found[inner] = member
        elif isinstance(member, h5py.Group) and inner in groups:
            found |= _datasets(member, groups, expected, f"{inner}/")
        else:
            raise _fault(f"{quoted(inner)} is not a group or a dataset as Keras writes it")
    return found


def _check_stored(found: dict[str, h5py.Dataset], expected: dict[str, Shape], size: int) -> None:
    for path, shape in expected.items():
        if path not in found:
            raise _fault(f"{path} is missing")
        if found[path].shape != shape:
            raise _fault(f"{path} is of shape {found[path].shape}, not {shape}")
        if fault := _storage_fault(found[path], size):
            raise _fault(f"{path} {fault}")


def _storage_fault(dataset: h5py.Dataset, size: int) -> str | None:
    """Return the fault of a dataset's storage in an HDF5 file of `size` bytes, or None."""
    plan = dataset.id.get_create_plist()
    if plan.get_external_count() or dataset.is_virtual:
        return "is stored outside of the file"
    if plan.get_nfilters():
        return "is compressed or filtered"
    if plan.get_layout() != h5py.h5d.CONTIGUOUS:
        return "is not stored in one piece"
    if dataset.dtype.str not in DTYPES or len(dataset.attrs):
        return "is not plain float32, float64 or int64"
    needed = math.prod(dataset.shape) * dataset.dtype.itemsize
    start = dataset.id.get_offset()
    if start is None or dataset.id.get_storage_size() != needed or start + needed > size:
        return "is not stored in full"
    return None


def _check_finite(one: Held, found: dict[str, h5py.Dataset]) -> None:
    for position in range(len(one.shapes)):
        if not np.isfinite(found[f"{one.path}/{position}"][()]).all():
            raise BundleError(
                f"{NETWORK_FILE}: the layer {quoted(one.layer)} has a weight that is not finite"
            )


def _fault(fault: str) -> BundleError:
    return BundleError(f"{NETWORK_FILE}: {WEIGHTS_FILE}: {fault}")
