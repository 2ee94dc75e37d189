"""Checks every object in `config.json`: on the allow-list, in its place, with known settings."""

import json
from collections.abc import Iterator
from typing import Any

from dubito.bundles.manifest import NETWORK_FILE
from dubito.bundles.validation.allow_list import (
    ACTIVATIONS,
    FLOATS,
    INERT,
    AllowedObject,
    Role,
    Triple,
    build_allow_list,
)
from dubito.errors import BundleError

NAMING = frozenset({"module", "class_name", "registered_name"})
ENCODED = frozenset({"class_name", "config"})
REQUIRED = NAMING | {"config"}
OPTIONAL = frozenset(
    {"build_config", "compile_config", "shared_object_id", "name", "inbound_nodes"}
)

PLACES: dict[str, tuple[Role, ...]] = {
    "": ("model",),
    "layers": ("layer", "operator", "model"),
    "initializer": ("initializer",),
    "regularizer": ("regularizer",),
    "constraint": ("constraint",),
    "dtype": ("policy",),
    "args": ("encoding",),
    "scale": ("encoding",),
    "offset": ("encoding",),
}
"""Roles allowed under a key of `config.json`, by the key's last word."""

PARTS = ("initializer", "regularizer", "constraint")
"""Roles of objects whose settings are numbers and texts only."""

FIXED: dict[str, Any] = {
    "autocast": True,
    "quantization_config": None,
    "renorm": False,
    "synchronized": False,
    "sparse": False,
    "ragged": False,
    "optional": False,
    "mask_zero": False,
}
"""Settings with one allowed value: others change how weights are stored or rows are read."""


def quoted(value: object) -> str:
    """Quote text from a file for a message: printable and at most 60 characters of it."""
    return repr(str(value)[:60])


def check_objects(config: dict[str, Any]) -> None:
    """Check every object at any depth.

    Raises:
        BundleError: an object is not allowed, or not in this place.
    """
    shared: dict[int, str] = {}
    for key, members in _dictionaries(config):
        if members.keys() & NAMING:
            kind = _kind(members)
            if kind.role not in PLACES.get(key.rpartition("_")[2], ()):
                raise BundleError(f"{_named(members)}, which does not belong under {quoted(key)}")
            if kind.role != "encoding":
                _check_frame(members, kind)
                _check_settings(members, kind)
                _check_shared(members, kind, shared)


def _dictionaries(config: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every dictionary in `config`, after the key of it or of the list that contains it."""
    waiting: list[tuple[str, Any]] = [("", config)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            yield key, value
            waiting.extend(value.items())
        elif isinstance(value, list):
            waiting.extend((key, member) for member in value)


def _kind(members: dict[str, Any]) -> AllowedObject:
    triple: Triple = (
        members.get("module"),
        members.get("class_name", ""),
        members.get("registered_name"),
    )
    if not all(part is None or isinstance(part, str) for part in triple):
        raise BundleError(f"{NETWORK_FILE}: an object's module or class is not a name")
    if members.get("class_name") in INERT:
        raise BundleError(
            f"{NETWORK_FILE}: the layer {_name(members)} is a plain {members['class_name']}, "
            "which would be inert: `dubito convert` puts Monte-Carlo layers in place of dropout"
        )
    kind = build_allow_list().get(triple)
    if kind is None:
        written = ", ".join("null" if part is None else quoted(part) for part in triple)
        raise BundleError(f"{_named(members)}, which is not allowed as ({written})")
    keys = members.keys()
    if not (
        keys == ENCODED if kind.role == "encoding" else REQUIRED <= keys <= REQUIRED | OPTIONAL
    ):
        raise BundleError(f"{_named(members)}, with members that Keras does not write")
    return kind


def _name(members: dict[str, Any]) -> str:
    config = members.get("config")
    return quoted(config.get("name", "") if isinstance(config, dict) else "")


def _named(members: dict[str, Any]) -> str:
    kind = quoted(members.get("class_name"))
    return f"{NETWORK_FILE}: the object {_name(members)} in config.json is a {kind}"


def _check_frame(members: dict[str, Any], kind: AllowedObject) -> None:
    """Check the members of an object other than its `config`."""
    if not isinstance(members["config"], dict):
        raise BundleError(f"{_named(members)}, whose settings are not a dictionary")
    if members.get("compile_config"):
        raise BundleError(f"{_named(members)} that was saved compiled, with its optimizer")
    build = members.get("build_config")
    if build is not None and (not isinstance(build, dict) or build.keys() != {"input_shape"}):
        raise BundleError(f"{_named(members)} with a build_config that is not an input shape")
    if kind.role in ("layer", "operator", "model") and "shared_object_id" in members:
        raise BundleError(f"{_named(members)} that occurs in two models")


def _check_settings(members: dict[str, Any], kind: AllowedObject) -> None:
    for setting, value in members["config"].items():
        if kind.settings is not None and setting not in kind.settings:
            raise BundleError(f"{_named(members)} with the unknown setting {quoted(setting)}")
        if not _fits(setting, value, kind):
            raise BundleError(f"{_named(members)}, whose {setting} is not one that is allowed")


def _fits(setting: str, value: Any, kind: AllowedObject) -> bool:
    if setting in FIXED:
        return value is FIXED[setting]
    if setting == "trainable":
        return isinstance(value, bool)
    if setting in ("activation", "recurrent_activation"):
        return isinstance(value, str) and value in ACTIVATIONS
    if kind.role in PARTS:
        return value is None or isinstance(value, str | int | float)
    if isinstance(value, dict):
        return bool(value.keys() & NAMING)
    if setting == "dtype" or (kind.role == "policy" and setting == "name"):
        return isinstance(value, str) and value in FLOATS
    return value is None or not setting.endswith(("_initializer", "_regularizer", "_constraint"))


def _check_shared(members: dict[str, Any], kind: AllowedObject, shared: dict[int, str]) -> None:
    """Check that objects of one shared number are equal: Keras uses the first of them for all."""
    number = members.get("shared_object_id")
    if number is None:
        return
    if type(number) is not int:
        raise BundleError(f"{_named(members)}, whose shared_object_id is not a number")
    content = json.dumps([kind.role, members["class_name"], members["config"]], sort_keys=True)
    if shared.setdefault(number, content) != content:
        raise BundleError(f"{_named(members)} under the shared_object_id of another object")
