"""Serializes networks as `model.keras` reproducibly, so that equal weights give equal bytes.

Keras writes the time of saving and numbers shared objects by their addresses in memory; both are
replaced here.
"""

import io
import json
import re
import tempfile
import zipfile
from pathlib import Path

import keras
from keras.src.saving import saving_lib

from dubito.domains import import_layers

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Earliest time that a zip archive can express."""

SHARED_OBJECT = re.compile(r'("shared_object_id": )(\d+)')


def to_bytes(model: keras.Model) -> bytes:
    """Serialize a network in Keras' format, as a pure function of its configuration and weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = _renumbered(members["config.json"].decode()).encode()
    members["metadata.json"] = _undated(members["metadata.json"])
    return archived(members)


def from_bytes(network: bytes) -> keras.Model:
    """Load a network whose bytes `dubito.bundles.validation.inspection` has checked.

    Keras' public `load_model` takes only a path, whose file may have changed since the check.
    """
    import_layers()
    return saving_lib.load_model(io.BytesIO(network), compile=False, safe_mode=True)


def _renumbered(config: str) -> str:
    """Renumber shared objects by their first appearance."""
    numbers: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        return match[1] + str(numbers.setdefault(match[2], len(numbers)))

    return SHARED_OBJECT.sub(number, config)


def _undated(metadata: bytes) -> bytes:
    return json.dumps({**json.loads(metadata), "date_saved": "1980-01-01@00:00:00"}).encode()


def archived(members: dict[str, bytes]) -> bytes:
    """Write members to a zip archive with fixed times and order, and return its bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), members[name])
    return buffer.getvalue()
