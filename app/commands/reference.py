"""How a bundle is named on the command line: a folder, a name, or a name with its version."""

import argparse
from pathlib import Path

from app.errors import BundleError
from app.network.manifest import MANIFEST_FILE


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """The argument that names a bundle."""
    parser.add_argument(
        "bundle",
        nargs="?",
        help="a bundle's folder, its name, or NAME/VERSION (default: what DUBITO_* settings say)",
    )


def flags_of(bundle: str | None) -> dict[str, str | None]:
    """The settings that a reference stands for.

    Raises:
        BundleError: a path where there is no bundle.
    """
    if bundle is None:
        return {}
    folder = Path(bundle)
    if (folder / MANIFEST_FILE).exists():
        whole = folder.resolve()
        models = folder.parent.parent if len(folder.parts) > 2 else whole.parent.parent
        return {"models": str(models), "model": whole.parent.name, "version": whole.name}
    name, _, version = bundle.partition("/")
    if not name or name.startswith(".") or "/" in version:
        raise BundleError(f"{bundle} holds no {MANIFEST_FILE}")
    return {"model": name, "version": version or None}
