"""How a bundle is named on the command line: a folder, a name, or a name with its version."""

import argparse
import os
from pathlib import Path

from app.errors import BundleError, SettingsError
from app.network.catalog import is_version, versions
from app.network.manifest import MANIFEST_FILE


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """The argument that names a bundle."""
    parser.add_argument(
        "bundle",
        nargs="?",
        help="a bundle's folder or that of its versions, its name, or NAME/VERSION (default: what "
        "DUBITO_* settings say)",
    )


def flags_of(bundle: str | None) -> dict[str, str | None]:
    """The settings that a reference stands for.

    Raises:
        BundleError: a path where there is no bundle.
        SettingsError: neither a folder nor a name with a version.
    """
    try:
        return {} if bundle is None else _flags(bundle)
    except OSError as error:
        raise BundleError(f"{bundle} cannot be read: {error.strerror}") from error


def _flags(bundle: str) -> dict[str, str | None]:
    folder = _folder(bundle)
    if os.path.lexists(folder / MANIFEST_FILE):
        if not is_version(folder.name):
            raise BundleError(f"{bundle} is no version's folder: a bundle lies in NAME/VERSION")
        models, name = folder.parent.parent, folder.parent.name
        return {"models": str(models), "model": name, "version": folder.name}
    if _is_path(bundle) and versions(folder.parent, folder.name):
        return {"models": str(folder.parent), "model": folder.name, "version": None}
    return _named(bundle)


def _folder(bundle: str) -> Path:
    """The path to a folder, long enough to tell the folders above it.

    A link such as `current`, whose own name is no version, is followed.
    """
    folder = Path(bundle)
    is_alias = folder.is_symlink() and not is_version(folder.name)
    if ".." in folder.parts or (is_alias and os.path.lexists(folder / MANIFEST_FILE)):
        return Path(os.path.realpath(folder))
    return folder if len(folder.parts) > 2 else folder.absolute()


def _is_path(bundle: str) -> bool:
    return bundle.startswith(".") or "/" in bundle


def _named(bundle: str) -> dict[str, str | None]:
    """The settings of a name, or of a name with its version."""
    name, slash, version = bundle.partition("/")
    is_folder = _is_path(bundle) and Path(bundle).is_dir()
    if is_folder or not name or name.startswith(".") or "/" in version:
        raise BundleError(f"{bundle} holds no {MANIFEST_FILE}, nor versions of a bundle")
    if slash and not is_version(version):
        raise SettingsError(
            f"{bundle} is no folder, and {version or 'nothing'} is no version: a version is a "
            "positive whole number"
        )
    return {"model": name, "version": version or None}
