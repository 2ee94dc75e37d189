"""A network trained elsewhere: a `.keras` file of plain Keras, read and given Monte-Carlo layers.

What a bundle could not hold is refused by the name of the layer, before Keras sees the file.
"""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras.src.saving import saving_lib

from app.errors import BundleError, NetworkError
from app.network.container import archived, to_bytes
from app.network.conversion import MONTE_CARLO, with_monte_carlo
from app.network.document import strict_json
from app.network.impute import Impute
from app.network.inspection.allowed import ALLOWED, INERT
from app.network.inspection.members import HDF5_MAGIC, read_members
from app.network.inspection.soundness import check_network
from app.network.manifest import NETWORK_FILE
from app.network.plan import plan

CONVERTED = frozenset(kind.__name__ for kind in MONTE_CARLO)
SERVED = frozenset(
    name for (_, name, _), kind in ALLOWED.items() if kind.role in ("model", "layer", "operator")
)
MODELS = ("Functional", "Sequential")


def adopt(path: Path, imputed: Sequence[float | None], classes: int) -> keras.Model:
    """The network of a `.keras` file with its dropout exchanged, and all its weights as they are.

    Args:
        path: the file, as `model.save` wrote it; a compiled model's optimiser is left behind.
        imputed: for each of the `F` features what stands for a missing value, or None. A layer
            that puts it there comes before the network, unless all are None.
        classes: the number of classes, which the network's output must have.

    Raises:
        NetworkError: what cannot be served; names the file and, where it is one's fault, the layer.
    """
    try:
        model = with_monte_carlo(_loaded(_checked(path.read_bytes())))
        _check_shape(model, len(imputed), classes)
        model = _imputing(model, imputed)
        check_network(to_bytes(model), len(imputed), classes)
    except OSError as error:
        raise NetworkError(f"{path.name} cannot be read: {error.strerror}") from error
    except (NetworkError, BundleError) as error:
        fault = str(error)
        rest = fault.removeprefix(NETWORK_FILE) if fault.startswith(NETWORK_FILE) else f": {fault}"
        raise NetworkError(f"{path.name}{rest}") from error
    return model


def _checked(network: bytes) -> bytes:
    """The file with every layer's class checked, and dropout called as any other layer is.

    Raises:
        NetworkError: a layer that is not served, or none that is random.
    """
    if network.startswith(HDF5_MAGIC):
        raise NetworkError("it is an HDF5 file: save the model again, as .keras")
    members = read_members(network)
    config = strict_json(members.config, "config.json")
    _check_config(config)
    return archived(
        {
            "config.json": json.dumps(config).encode(),
            "metadata.json": members.metadata,
            "model.weights.h5": members.weights,
        }
    )


def _check_config(config: dict[str, Any]) -> None:
    """Check the class and the calls of every layer at any depth.

    Raises:
        NetworkError: a layer that is not served, or none that is random.
    """
    if config.get("class_name") not in MODELS:
        raise NetworkError("it is no Functional or Sequential model")
    try:
        layers = list(_layers(config))
        for layer in layers:
            _check_layer(layer)
            _check_calls(layer)
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise NetworkError("its config.json is not a network as Keras writes it") from error
    if not any(layer["class_name"] in CONVERTED or _is_ours(layer) for layer in layers):
        raise NetworkError("it has no dropout layer, so nothing in it would be random")


def _layers(model: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for layer in model["config"]["layers"]:
        yield layer
        if "layers" in layer["config"]:
            yield from _layers(layer)


def _check_layer(layer: dict[str, Any]) -> None:
    kind, settings = layer["class_name"], layer["config"]
    named = f"layer {settings['name']}"
    if kind in INERT and kind not in CONVERTED:
        raise NetworkError(f"{named} is a {kind}, which has no Monte-Carlo counterpart")
    if not _is_ours(layer) and (kind not in SERVED | CONVERTED or not _is_keras(layer)):
        raise NetworkError(f"{named} is of class {kind}, which the engine does not run")
    for name, value in settings.items():
        if isinstance(value, dict) and "module" in value and not _is_keras(value):
            raise NetworkError(f"{named} has a setting, {name}, that is not Keras' own")


def _check_calls(layer: dict[str, Any]) -> None:
    """Check that calls have no options; dropout called with `training=True` needs that no more."""
    for node in layer.get("inbound_nodes", ()):
        if layer["class_name"] in CONVERTED:
            node["kwargs"].pop("training", None)
        for option, value in node["kwargs"].items():
            if value:
                raise NetworkError(f"layer {layer['config']['name']} is called with {option}")


def _is_keras(written: dict[str, Any]) -> bool:
    module = written["module"] or ""
    return module == "keras" or module.startswith("keras.")


def _is_ours(layer: dict[str, Any]) -> bool:
    return str(layer["registered_name"]).startswith("dubito>") and layer["class_name"] in SERVED


def _loaded(network: bytes) -> keras.Model:
    try:
        return saving_lib.load_model(io.BytesIO(network), compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, AttributeError, OSError, tf.errors.OpError) as error:
        raise NetworkError("it cannot be read by Keras") from error


def _imputing(model: keras.Model, imputed: Sequence[float | None]) -> keras.Model:
    """The network behind a layer for missing values, if a feature may be missing.

    Raises:
        NetworkError: a network of whole numbers, which cannot be missing.
    """
    if all(value is None for value in imputed):
        return model
    (rows,) = model.inputs
    if not keras.backend.is_float_dtype(rows.dtype):
        raise NetworkError(f"it takes {rows.dtype}, of which none can be missing or imputed")
    inputs = keras.Input(rows.shape[1:], dtype=rows.dtype)
    return keras.Model(inputs, model(Impute(imputed, dtype=rows.dtype)(inputs)))


def _check_shape(model: keras.Model, features: int, classes: int) -> None:
    """Check the widths of the input and the output.

    Raises:
        NetworkError: other widths, or a network that the engine cannot lay flat.
    """
    laid = plan(model)
    if laid.features != features:
        raise NetworkError(f"it takes {laid.features} features, but {features} are described")
    if laid.classes != classes:
        raise NetworkError(
            f"it answers {laid.classes} values a row, but {classes} classes are named"
        )
