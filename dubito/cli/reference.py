"""Locates the bundle that the command line names: a folder, a name, or a name with its version."""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from dubito.bundles.manifest import MANIFEST_FILE
from dubito.bundles.model_reference import ModelReference, parse_references
from dubito.bundles.repository import find_version, is_version, versions
from dubito.errors import BundleError, UsageError
from dubito.types import Backend

PREFIX = "DUBITO_"
"""Prefix of the environment variables that correspond to flags."""
MOST = 10**12
DEFAULTS = {"models": "models", "model": "loan-grade", "version": None, "digest": None}
"""Values used if neither the command line nor an environment variable sets them."""
MEANINGS = {
    "models": "folder of the bundles",
    "digest": "the only digest that the bundle may have, sha256:…",
}


@dataclass(frozen=True, slots=True)
class Location:
    """Location of a bundle, and the digest it must have."""

    models: Path
    model: str
    version: int | None
    """Version of the bundle; the highest if None."""
    digest: str | None
    """Required digest of the bundle; any if None."""

    @property
    def folder(self) -> Path:
        """The bundle's folder.

        Raises:
            BundleError: the bundle does not exist.
        """
        return find_version(self.models, self.model, self.version)


def add_location(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a bundle, and the flags of its folder and its digest."""
    add_bundle(parser)
    add_places(parser)


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a bundle's folder and its digest."""
    for name, meaning in MEANINGS.items():
        default = "" if DEFAULTS[name] is None else f"default {DEFAULTS[name]}, "
        text = f"{meaning} ({default}{flag_variable(name)})"
        parser.add_argument(f"--{name}", metavar="VALUE", help=text)


def location_of(
    arguments: argparse.Namespace, environment: Mapping[str, str] = os.environ
) -> Location:
    """Locate the bundle that the command line names; flags take precedence over variables.

    Raises:
        BundleError: a path contains no bundle.
        UsageError: a flag or variable is invalid; the message names it.
    """
    flags = {name: getattr(arguments, name, None) for name in MEANINGS}
    named = settings_named_by(arguments.bundle)
    texts = {
        name: _text(name, {**flags, **named}.get(name), environment, default)
        for name, default in DEFAULTS.items()
    }
    one = (
        ModelReference(named["model"], None, None) if "model" in named else _listed(texts["model"])
    )
    version = None if texts["version"] is None else whole_number("version", texts["version"], 1)
    return Location(
        Path(texts["models"] or ""), one.name, one.version or version, one.digest or texts["digest"]
    )


def _listed(text: str | None) -> ModelReference:
    """Return the only bundle that the variable of a service lists."""
    try:
        found = parse_references(text or "")
    except ValueError as error:
        raise UsageError(f"{flag_variable('model')} {error}") from None
    if len(found) > 1:
        raise UsageError(f"{flag_variable('model')} lists several bundles: name the one you mean")
    return found[0]


def flag_variable(name: str) -> str:
    """Return the name of the environment variable that corresponds to a flag."""
    return PREFIX + name.upper()


def whole_number(name: str, text: str, least: int) -> int:
    """Parse the whole number of a flag or its environment variable.

    Raises:
        UsageError: the text is not a whole number, or out of range; names the variable.
    """
    try:
        value = int(text)
    except ValueError as error:
        raise UsageError(f"{flag_variable(name)} must be a whole number") from error
    if not least <= value <= MOST:
        raise UsageError(f"{flag_variable(name)} must be from {least} to {MOST}")
    return value


def _text(
    name: str, flag: str | None, environment: Mapping[str, str], default: str | None
) -> str | None:
    text = environment.get(flag_variable(name)) if flag is None else flag
    if text is None:
        return default
    if not text.strip():
        raise UsageError(f"{flag_variable(name)} must not be empty")
    return text.strip()


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Add the flag that chooses what computes the network."""
    parser.add_argument(
        "--backend",
        choices=get_args(Backend),
        help="what computes the network (default: auto, the first of native, numpy and tensorflow "
        f"that runs all its layers; {flag_variable('backend')})",
    )


def backend_given(
    arguments: argparse.Namespace, environment: Mapping[str, str] = os.environ
) -> Backend:
    """Return the backend of the flag, its environment variable or the default, in this order.

    Raises:
        UsageError: the variable names none.
    """
    text = _text("backend", arguments.backend, environment, "auto")
    for backend in get_args(Backend):
        if backend == text:
            return cast(Backend, backend)
    known = ", ".join(get_args(Backend))
    raise UsageError(f"{flag_variable('backend')} must be one of {known}")


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a bundle."""
    parser.add_argument(
        "bundle",
        nargs="?",
        help="a bundle's folder or that of its versions, its name, or NAME/VERSION (default: what "
        "DUBITO_* settings say)",
    )


def settings_named_by(bundle: str | None) -> dict[str, str]:
    """Return the settings that a reference implies: models, model and version.

    Raises:
        BundleError: a path contains no bundle.
        UsageError: the reference is neither a folder nor a name with a version.
    """
    try:
        named = {} if bundle is None else _named_by(bundle)
    except OSError as error:
        raise BundleError(f"{bundle} cannot be read: {error.strerror}") from error
    return {name: text for name, text in named.items() if text is not None}


def _named_by(bundle: str) -> dict[str, str | None]:
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
    """Return the path of a folder with at least its two parents' names.

    A symbolic link such as `current`, whose own name is not a version, is resolved.
    """
    folder = Path(bundle)
    is_alias = folder.is_symlink() and not is_version(folder.name)
    if ".." in folder.parts or (is_alias and os.path.lexists(folder / MANIFEST_FILE)):
        return Path(os.path.realpath(folder))
    return folder if len(folder.parts) > 2 else folder.absolute()


def _is_path(bundle: str) -> bool:
    return bundle.startswith(".") or "/" in bundle


def _named(bundle: str) -> dict[str, str | None]:
    """Return the settings of a name, or of a name with its version."""
    name, slash, version = bundle.partition("/")
    is_folder = _is_path(bundle) and Path(bundle).is_dir()
    if is_folder or not name or name.startswith(".") or "/" in version:
        raise BundleError(f"{bundle} holds no {MANIFEST_FILE}, nor versions of a bundle")
    if slash and not is_version(version):
        raise UsageError(
            f"{bundle} is no folder, and {version or 'nothing'} is no version: a version is a "
            "positive whole number"
        )
    return {"model": name, "version": version or None}
