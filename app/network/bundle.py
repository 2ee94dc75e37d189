"""Bundles on disk: found, loaded and written."""

import hashlib
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import tensorflow as tf

from app.errors import BundleError, NetworkError
from app.network.arithmetic import pin_arithmetic
from app.network.container import from_bytes, to_bytes
from app.network.engine import Engine
from app.network.environment import environment
from app.network.execution import engine_of
from app.network.golden import faults
from app.network.inspection.archive import inspect
from app.network.manifest import (
    CARD_FILE,
    KOREAN_CARD_FILE,
    MANIFEST_FILE,
    NETWORK_FILE,
    SUMS_FILE,
    Manifest,
    parse_manifest,
)
from app.values import Cards, Environment


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that may be served."""

    manifest: Manifest
    engine: Engine
    environment: Environment
    cards: Cards


def load(folder: Path, *, pinned: str | None = None, threads: int = 1) -> Bundle:
    """Load a bundle, or say in one sentence why it must not be served.

    Args:
        folder: the bundle's.
        pinned: the only digest it may have.
        threads: how many may share the work of one call of its engine.

    Raises:
        BundleError: names the file and the fault.
    """
    inspected = inspect(folder, pinned=pinned)
    pin_arithmetic()
    manifest, file = inspected.manifest, folder / NETWORK_FILE
    try:
        engine = engine_of(from_bytes(inspected.network), threads)
        fault = next(faults(engine, manifest.golden), None)
    except NetworkError as error:
        raise BundleError(f"{file}: {error}") from error
    except (ValueError, TypeError, KeyError, OSError, tf.errors.OpError) as error:
        raise BundleError(f"{file} cannot be read by Keras") from error
    if fault is not None:
        raise BundleError(f"{file}: the network {fault}")
    return Bundle(manifest, engine, environment(engine.path), inspected.cards)


def check_free(models: Path, name: str, version: int) -> Path:
    """The folder where a new version will be.

    Raises:
        BundleError: this version is already there; a published version never changes.
    """
    folder = models / name / str(version)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"{folder.parent} cannot be made: {error.strerror}") from error
    if folder.exists():
        raise BundleError(f"{folder} is already there, and a published version never changes")
    return folder


def write(
    models: Path, manifest: Manifest, model: keras.Model, cards: Cards
) -> tuple[Path, Manifest]:
    """Write `models/<name>/<version>/` whole or not at all; returns the folder and its manifest.

    Args:
        models: the folder of all bundles.
        manifest: complete but for `network_sha256`, which is filled in here.
        model: the network with its Monte-Carlo layers.
        cards: the text of the model card, with `{digest}` where the digest stands.

    Raises:
        BundleError: this version is already there, as a published version never changes; or the
            manifest is one that would not be served.
    """
    network = to_bytes(model)
    manifest = replace(manifest, network_sha256=hashlib.sha256(network).hexdigest())
    parse_manifest(manifest.to_bytes())
    files = {
        NETWORK_FILE: network,
        MANIFEST_FILE: manifest.to_bytes(),
        CARD_FILE: _signed(cards.english, manifest),
    }
    if cards.korean is not None:
        files[KOREAN_CARD_FILE] = _signed(cards.korean, manifest)
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()]
    folder = check_free(models, manifest.name, manifest.version)
    _publish(folder, {**files, SUMS_FILE: "".join(sums).encode()})
    return folder, manifest


def _signed(card: str, manifest: Manifest) -> bytes:
    return card.replace("{digest}", manifest.identity.digest).encode()


def _publish(folder: Path, files: dict[str, bytes]) -> None:
    """Write to a hidden folder beside the final place, then rename."""
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    try:
        for name, data in files.items():
            (draft / name).write_bytes(data)
        draft.chmod(0o755)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
