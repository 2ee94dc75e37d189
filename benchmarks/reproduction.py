"""Checks that retrained bundles are identical to the shipped ones, byte for byte.

    python -m benchmarks.reproduction models/loan-grade build/models/loan-grade

Keras writes the module that defines a layer into `config.json`, and bundles from before version 0.4
have the modules of that time. These names may differ, and so may the digests that depend on them;
the network's computation does not.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from dubito.bundles.files import read_files
from dubito.bundles.manifest import CARD_FILE, KOREAN_CARD_FILE, MANIFEST_FILE, NETWORK_FILE
from dubito.bundles.validation.archive_members import read_members
from dubito.bundles.validation.own_layers import MODULE, OWN_LAYERS
from dubito.domains import domains


def differences(shipped: Path, trained: Path) -> list[str]:
    """Return the names of the files, and members of `model.keras`, in which two bundles differ.

    A shipped bundle from before there were Korean cards has none to compare.

    Raises:
        BundleError: a folder contains no bundle, or a damaged bundle.
    """
    before, after = parts(shipped), parts(trained)
    return [name for name in before if before[name] not in (None, after[name])]


def parts(folder: Path) -> dict[str, bytes | None]:
    """Return the parts of a bundle by name, without digests and with today's module names."""
    files = read_files(folder)
    file = files.networks[NETWORK_FILE]
    members = read_members(file)
    network, bundle = _digest(file), _digest(files.manifest)
    korean = files.korean_card
    return {
        "config.json": json.dumps(json.loads(members.config, object_hook=_of_today)).encode(),
        "metadata.json": members.metadata,
        "model.weights.h5": members.weights,
        MANIFEST_FILE: files.manifest.replace(network, b""),
        CARD_FILE: files.card.replace(bundle, b""),
        KOREAN_CARD_FILE: None if korean is None else korean.replace(bundle, b""),
    }


def main(arguments: Sequence[str]) -> int:
    """Compare every version in the second folder with the first's; return 1 if any differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reproduction")
    parser.add_argument("shipped", type=Path, help="folder of the shipped versions")
    parser.add_argument("trained", type=Path, help="folder of those that were trained anew")
    folders = parser.parse_args(arguments)
    is_same = True
    for trained in sorted(folders.trained.iterdir()):
        differing = differences(folders.shipped / trained.name, trained)
        told = f"differs in {', '.join(differing)}" if differing else "is the same, byte for byte"
        print(f"version {trained.name} {told}")
        is_same = is_same and not differing
    return 0 if is_same else 1


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _of_today(part: dict[str, Any]) -> dict[str, Any]:
    """Return an object of `config.json` with the module name that is written today."""
    module = _modules().get((part.get("module"), part.get("class_name")))
    return part if module is None else part | {"module": module}


@cache
def _modules() -> dict[tuple[Any, Any], str]:
    """Return today's module, by former module and class name."""
    tables = {MODULE: OWN_LAYERS, **{one.layer_module: one.layers for one in domains()}}
    return {
        (old, name): module
        for module, layers in tables.items()
        for name, layer in layers.items()
        for old in layer.old_modules
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
