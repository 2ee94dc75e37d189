"""`model.keras` as bytes: the same weights give the same file, and it reads back."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from dubito.engine.compiler.compiler import engine_of
from dubito.layers.archive import from_bytes, to_bytes
from dubito.types import Query
from tests.networks import GENERAL, NETWORKS, ROOT, family, network, rows

CHOICES: tuple[dict[str, Any], ...] = (
    {},
    {"batch_norm": True, "l1": 0.1},
    {"activation": "selu"},
    {"loan": True},
)
SCRIPT = f"""
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import networks
from dubito.layers.archive import to_bytes
for choices in {CHOICES!r}:
    print(hashlib.sha256(to_bytes(networks.family(**choices))).hexdigest())
"""


def test_the_same_weights_give_the_same_bytes() -> None:
    """A network built again after others were built has the same file, byte for byte."""
    first = to_bytes(family(3, batch_norm=True))
    for _ in range(3):
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dropout(0.3)])
    assert to_bytes(family(3, batch_norm=True)) == first


def test_another_process_writes_the_same_bytes() -> None:
    """A process that has built nothing else writes the same files."""
    command = [sys.executable, "-c", SCRIPT, str(ROOT / "tests")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    ours = [hashlib.sha256(to_bytes(family(**choices))).hexdigest() for choices in CHOICES]
    assert ours == done.stdout.split()


def test_writing_twice_gives_the_same_bytes() -> None:
    """The time of writing is not in the file."""
    assert to_bytes(network("study")) == to_bytes(network("study"))


def test_other_weights_give_other_bytes() -> None:
    """One weight that differs by one bit shows in the file."""
    model = family(5)
    before = to_bytes(model)
    kernel = model.get_layer("grades").kernel
    values = np.array(kernel)
    values[0, 0] = np.nextafter(values[0, 0], np.float32(9))
    kernel.assign(values)
    assert to_bytes(model) != before


@pytest.mark.parametrize("name", [*NETWORKS, *GENERAL])
def test_what_was_written_reads_back(name: str) -> None:
    """A network read back has the same weights and draws, and from then on the same file."""
    written = to_bytes(network(name))
    read = from_bytes(written)
    pairs = zip(read.get_weights(), network(name).get_weights(), strict=True)
    assert all(ours.tobytes() == theirs.tobytes() for ours, theirs in pairs)
    query = Query(rows(2), 10, 3)
    assert (engine_of(read).draws(query) == engine_of(network(name)).draws(query)).all()
    rewritten = to_bytes(read)
    assert to_bytes(from_bytes(rewritten)) == rewritten


def test_the_archive_holds_three_members_of_one_time() -> None:
    """The members are Keras' three, stored, and dated 1980."""
    with zipfile.ZipFile(io.BytesIO(to_bytes(network("study")))) as archive:
        members = archive.infolist()
        metadata = json.loads(archive.read("metadata.json"))
    assert [member.filename for member in members] == [
        "config.json",
        "metadata.json",
        "model.weights.h5",
    ]
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}
    assert metadata["date_saved"] == "1980-01-01@00:00:00"


def test_keras_itself_reads_the_file(tmp_path: Path) -> None:
    """The file is Keras' own format: `load_model` reads it in safe mode."""
    file = tmp_path / "model.keras"
    file.write_bytes(to_bytes(network("study")))
    read = keras.models.load_model(file, compile=False, safe_mode=True)
    assert len(read.get_weights()) == len(network("study").get_weights())


def test_a_lambda_is_not_read() -> None:
    """Reading is safe: a Lambda layer's code is not run."""
    inputs = keras.Input((4,))
    outputs = keras.layers.Lambda(lambda x: 2 * x, output_shape=(4,))(inputs)
    written = to_bytes(keras.Model(inputs, outputs))
    with pytest.raises((ValueError, TypeError), match=r"[Ll]ambda"):
        from_bytes(written)
