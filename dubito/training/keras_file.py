"""Checks and simplifies the bytes of a foreign `.keras` file before Keras reads it.

The first bytes identify the file's format, and the configuration lists the layers. Dropout with a
rate of 0 becomes an Identity layer, and half precision becomes single precision; no weight changes.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from dubito.bundles.strict_json import strict_json
from dubito.bundles.validation.allow_list import INERT, build_allow_list
from dubito.bundles.validation.archive_members import (
    HDF5_MAGIC,
    LIMITS,
    Members,
    read_with_vocabularies,
)
from dubito.errors import NetworkError
from dubito.layers.archive import archived
from dubito.training.joined_inputs import Inputs, join_inputs
from dubito.training.monte_carlo import MONTE_CARLO_OF
from dubito.training.twins import ATTENDED, MASKED

BIDIRECTIONAL = "Bidirectional"
RECURRENT = frozenset(kind.__name__ for kind in MASKED)
CONVERTED = frozenset(kind.__name__ for kind in MONTE_CARLO_OF)
SERVED = frozenset(
    name
    for (_, name, _), kind in build_allow_list().items()
    if kind.role in ("model", "layer", "operator")
)
MODELS = ("Functional", "Sequential")
STRENGTHS = ("rate", "stddev")
"""Settings that give the strength of a layer that is active in training only; 0 is inactive."""
INSIDE = ("dropout", "recurrent_dropout")
"""Settings of recurrent layers and of attention that are rates of dropout."""
UNSERVED = ("stateful", "return_state", "zero_output_for_mask", "use_gate", "sliding_window")
"""Settings of recurrent layers and of attention with which they compute what is not served."""
ATTENTION, STEPWISE = "MultiHeadAttention", "TimeDistributed"
OF_STEPS = (
    *("Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "Rescaling", "Identity"),
    *("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise"),
)
"""Layers that work on every step alike, whether `TimeDistributed` calls them or not."""
OF_LAST_AXIS = ("LayerNormalization", "BatchNormalization", "Softmax")
"""Layers that do so where their axis is the last."""
IDENTITY = ("name", "trainable", "dtype")
"""Settings that every layer has, which an Identity layer takes over."""
MIXED = ("mixed_float16", "mixed_bfloat16")
"""Policies that compute in half precision; their weights are in single precision."""
HALF = ("float16", "bfloat16")
SINGLE = "float32"

REMEDIES = {
    "SimpleRNN": ": train a GRU or an LSTM",
    "RNN": ": train a GRU or an LSTM",
    "DepthwiseConv2D": ": train a Conv2D, whose groups may be as many as its channels",
    "Lambda": ": what it computes must be layers of Keras",
}
"""Remedies for some layers of Keras, as the end of a sentence."""
OWN_REMEDY = ": if it is dropout that is always on, say so by --as {kind}=Dropout"
"""Remedy for a class that is not Keras'."""

AGAIN = "keras.models.load_model('model.h5', compile=False).save('model.keras')"
OTHERS = (
    (HDF5_MAGIC, f"it is an HDF5 file: save it as .keras, with {AGAIN}"),
    (b"\x80", "it is a Python pickle, which is not opened: save the model as .keras"),
    (b"\x1f\x8b", "it is compressed with gzip: unpack it first"),
)
"""First bytes of unsupported files, each with its error message."""
TFLITE_AT, TFLITE = 4, b"TFL3"


class Saved(NamedTuple):
    """Bytes of a checked `.keras` file that Keras may read."""

    network: bytes
    notes: tuple[str, ...]
    """Sentences on the simplifications made, for people."""


def read_saved(
    path: Path, inputs: Inputs, dropouts: Mapping[str, str] = MappingProxyType({})
) -> Saved:
    """Read a file, check every layer, and simplify it.

    Args:
        path: the file.
        inputs: the features behind the network's inputs.
        dropouts: Keras' class of dropout that stands for a class of the user's own, by its name;
            the user's code is never run.

    Raises:
        NetworkError: the file is of another kind, has a layer that is not supported, or has no
            layer that is random.
        BundleError: the file is damaged.
        OSError: the file cannot be read.
    """
    if path.is_dir():
        raise NetworkError(_folder(path))
    members, vocabularies = _members(path.read_bytes())
    config = strict_json(members.config, "config.json")
    if config.get("class_name") not in MODELS:
        raise NetworkError("it is not a Functional or Sequential model")
    try:
        renamed = _renamed(config, dropouts)
        joined = [*renamed, *join_inputs(config, inputs, vocabularies)]
        notes = [*joined, *_simplify(config)]
    except (AttributeError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise NetworkError("its config.json is not a network as Keras writes it") from error
    packed = {
        "config.json": json.dumps(config).encode(),
        "metadata.json": members.metadata,
        "model.weights.h5": members.weights,
    }
    return Saved(archived(packed), tuple(notes))


def _folder(path: Path) -> str:
    if (path / "saved_model.pb").exists():
        return (
            "it is a SavedModel folder, which has no layers to exchange: save the model as .keras "
            "where it was trained"
        )
    if path.joinpath("config.json").exists():
        return "it is an unpacked .keras file: zip its three files, or save it again"
    return "it is a folder: name a .keras file"


def _members(network: bytes) -> tuple[Members, dict[str, bytes]]:
    for magic, sentence in OTHERS:
        if network.startswith(magic):
            raise NetworkError(sentence)
    if network[TFLITE_AT : TFLITE_AT + len(TFLITE)] == TFLITE:
        raise NetworkError("it is a TensorFlow Lite file: save the model as .keras")
    _check_version(network)
    return read_with_vocabularies(network)


def _check_version(network: bytes) -> None:
    """Check that Keras 3 wrote the file; damaged files pass: their members are read next."""
    try:
        with zipfile.ZipFile(io.BytesIO(network)) as archive, archive.open("metadata.json") as file:
            told = json.loads(file.read(LIMITS["metadata.json"]))
            version = str(told["keras_version"])
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, KeyError, TypeError):
        return
    major = version.partition(".")[0]
    if major in ("1", "2"):
        raise NetworkError(
            f"it was written by Keras {version[:20]}, and Keras 3 is needed: save it there with "
            f"model.save('model.h5'), then with Keras 3 {AGAIN}"
        )


def _simplify(config: dict[str, Any]) -> list[str]:
    """Check the class and the calls of every layer at any depth, and simplify in place.

    Raises:
        NetworkError: a layer is not supported, or no layer is random.
    """
    layers = list(_layers(config))
    notes = [note for layer in layers for note in _simplify_layer(layer)]
    _in_single_precision(config)
    if not any(map(_is_random, layers)):
        raise NetworkError(
            "no dropout layer of it has a rate above 0, so nothing in it would be random"
            if notes
            else "it has no dropout layer, so nothing in it would be random"
        )
    return list(dict.fromkeys(notes))


def _renamed(config: dict[str, Any], dropouts: Mapping[str, str]) -> Iterator[str]:
    """Let layers of the user's own dropout be Keras' own; yield a sentence for each class.

    Raises:
        NetworkError: no layer is of a class, or one lacks the rate.
    """
    for name, kind in dropouts.items():
        own = [
            layer
            for layer in _layers(config)
            if layer["class_name"] == name and not _is_keras(layer)
        ]
        if not own:
            raise NetworkError(f"no layer of it is of a class {name} of your own, as --as says")
        for layer in own:
            settings = {key: layer["config"].get(key) for key in (*IDENTITY, "rate", "noise_shape")}
            if settings["rate"] is None:
                told = f"layer {layer['config']['name']} of class {name} has no rate"
                raise NetworkError(f"{told}, as {kind} has: write it in its get_config")
            kept = {key: value for key, value in settings.items() if value is not None}
            layer.update(module="keras.layers", class_name=kind, registered_name=None, config=kept)
        yield f"layers of the class {name} are taken as {kind}"


def _is_random(layer: dict[str, Any]) -> bool:
    """Whether a layer is dropout, or a recurrent layer or attention with dropout inside."""
    kind, settings = layer["class_name"], layer["config"]
    if kind in RECURRENT or kind == ATTENTION:
        return any(settings.get(name) for name in INSIDE)
    return kind in CONVERTED or _is_ours(layer)


def _layers(model: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for layer in model["config"]["layers"]:
        yield layer
        if "layers" in layer["config"]:
            yield from _layers(layer)
        if layer["class_name"] == BIDIRECTIONAL:
            yield from _directions(layer)
        if layer["class_name"] == STEPWISE:
            yield _inside(layer)


def _directions(layer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the layers of both directions.

    Raises:
        NetworkError: they are not recurrent layers that are served, or are not joined.
    """
    settings, named = layer["config"], f"layer {layer['config']['name']}"
    if settings["merge_mode"] is None:
        raise NetworkError(f"{named} does not join its directions: give it a merge_mode")
    for part in (settings["layer"], settings["backward_layer"]):
        if part["class_name"] not in RECURRENT:
            raise NetworkError(f"{named} is of a {part['class_name']}: train a GRU or an LSTM")
        # It matters where steps are masked, which is refused where they would be.
        part["config"]["zero_output_for_mask"] = False
        yield part


def _inside(layer: dict[str, Any]) -> dict[str, Any]:
    """Return the layer that is called on each step.

    Raises:
        NetworkError: called on the whole sequence it would compute something else.
    """
    inner: dict[str, Any] = layer["config"]["layer"]
    kind, settings = inner["class_name"], inner["config"]
    is_alike = kind in OF_STEPS and settings.get("noise_shape") is None
    if not is_alike and not (kind in OF_LAST_AXIS and settings["axis"] in (-1, [-1])):
        named = f"layer {layer['config']['name']} is a {STEPWISE} of a {kind}"
        raise NetworkError(f"{named}: train it with layers that take the whole sequence")
    return inner


def _simplify_layer(layer: dict[str, Any]) -> Iterator[str]:
    """Check a layer and simplify it in place; yield a sentence for each change."""
    _check_calls(layer)
    if _is_idle(layer):
        yield f"layer {layer['config']['name']} drops nothing and is left out"
        _make_identity(layer)
    _check_layer(layer)
    policy = _policy(layer)
    if policy in MIXED:
        yield f"it was trained in {policy} and is served in {SINGLE}, with the same weights"
    elif policy not in (None, SINGLE, "float64"):
        named = f"layer {layer['config']['name']} has the dtype policy {policy}"
        raise NetworkError(f"{named}: save it with {SINGLE} or {MIXED[0]}")


def _is_idle(layer: dict[str, Any]) -> bool:
    """Whether a layer is of a random kind but has a rate of 0."""
    kind, settings = layer["class_name"], layer["config"]
    if kind not in INERT and not _is_ours(layer):
        return False
    strengths = [settings[name] for name in STRENGTHS if name in settings]
    return bool(strengths) and all(value == 0 for value in strengths)


def _make_identity(layer: dict[str, Any]) -> None:
    kept = {name: value for name, value in layer["config"].items() if name in IDENTITY}
    layer.update(module="keras.layers", class_name="Identity", registered_name=None, config=kept)


def _policy(layer: dict[str, Any]) -> str | None:
    """Return the name of a layer's dtype policy; None if it has none."""
    policy = layer["config"].get("dtype")
    if isinstance(policy, dict):
        return str(policy["config"].get("name", policy["class_name"]))
    return None if policy is None else str(policy)


def _in_single_precision(value: Any) -> None:
    """Replace half precision by single precision wherever the configuration names a dtype."""
    if isinstance(value, list):
        for member in value:
            _in_single_precision(member)
    if isinstance(value, dict):
        if value.get("class_name") == "DTypePolicy" and value["config"].get("name") in MIXED:
            value["config"]["name"] = SINGLE
        if value.get("dtype") in (*MIXED, *HALF):
            value["dtype"] = SINGLE
        for member in value.values():
            _in_single_precision(member)


def _check_layer(layer: dict[str, Any]) -> None:
    kind, settings = layer["class_name"], layer["config"]
    named = f"layer {settings['name']}"
    if kind in INERT and kind not in CONVERTED:
        remedy = REMEDIES.get(kind, "")
        raise NetworkError(f"{named} is a {kind}, which has no Monte-Carlo counterpart{remedy}")
    if kind in RECURRENT or kind == ATTENTION:
        for name in UNSERVED:
            if settings.get(name):
                raise NetworkError(
                    f"{named} is a {kind} with {name}, which the engine does not run"
                )
    if kind == ATTENTION and not _is_of_steps(settings):
        told = "whose attention_axes or output_shape are not those of steps"
        raise NetworkError(f"{named} is a {kind} {told}, which the engine does not run")
    known = SERVED | CONVERTED | RECURRENT | {BIDIRECTIONAL, ATTENTION, STEPWISE}
    if not _is_ours(layer) and (kind not in known or not _is_keras(layer)):
        remedy = REMEDIES.get(kind, "") if _is_keras(layer) else OWN_REMEDY.format(kind=kind)
        raise NetworkError(f"{named} is of class {kind}, which the engine does not run{remedy}")
    for name, value in settings.items():
        if isinstance(value, dict) and "module" in value and not _is_keras(value):
            raise NetworkError(f"{named} has a setting, {name}, that is not Keras' own")


def _is_of_steps(settings: dict[str, Any]) -> bool:
    """Whether attention is along the steps of sequences, and answers one vector for each."""
    axes, shape = settings.get("attention_axes"), settings.get("output_shape")
    return axes in (None, [1]) and (shape is None or isinstance(shape, int) or len(shape) == 1)


def _check_calls(layer: dict[str, Any]) -> None:
    """Check that calls have no options; removes `training` from calls of dropout, now always on."""
    for node in layer.get("inbound_nodes", ()):
        kind = layer["class_name"]
        if kind in (*INERT, *RECURRENT, BIDIRECTIONAL, ATTENTION, STEPWISE):
            node["kwargs"].pop("training", None)
        known = (*ATTENDED, "use_causal_mask") if kind == ATTENTION else ()
        for option, value in node["kwargs"].items():
            if value and option not in known:
                raise NetworkError(f"layer {layer['config']['name']} is called with {option}")


def _is_keras(written: dict[str, Any]) -> bool:
    module = written["module"] or ""
    return module == "keras" or module.startswith("keras.")


def _is_ours(layer: dict[str, Any]) -> bool:
    return str(layer["registered_name"]).startswith("dubito>") and layer["class_name"] in SERVED
