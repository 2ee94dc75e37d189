"""A network trained elsewhere: a `.keras` file of plain Keras, read and given Monte-Carlo layers.

What a bundle could not hold is refused by the name of the layer, before Keras sees the file.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf
from keras.src.saving import saving_lib

from dubito.bundles.manifest import NETWORK_FILE
from dubito.bundles.validation.soundness import check_network
from dubito.engine.compiler.plan import plan
from dubito.errors import BundleError, NetworkError
from dubito.layers.archive import to_bytes
from dubito.layers.impute import Impute
from dubito.training.binary import with_both_classes
from dubito.training.keras_file import read_saved
from dubito.training.monte_carlo import with_monte_carlo


class Adopted(NamedTuple):
    """A network that can be served."""

    model: keras.Model
    notes: tuple[str, ...]
    """What was made of it besides exchanging its dropout, for people."""


def adopt(path: Path, imputed: Sequence[float | None], classes: Sequence[str]) -> Adopted:
    """The network of a `.keras` file with its dropout exchanged, and all its weights as they are.

    Args:
        path: the file, as `model.save` wrote it; a compiled model's optimiser is left behind.
        imputed: for each of the `F` features what stands for a missing value, or None. A layer
            that puts it there comes before the network, unless all are None.
        classes: the classes, in the order of the network's output. Of two, a network with one
            sigmoid unit gives the second one's probability.

    Raises:
        NetworkError: what cannot be served; names the file and, where it is one's fault, the layer.
    """
    try:
        network, notes = read_saved(path)
        model = with_monte_carlo(_loaded(network))
        model, told = _answering(model, len(imputed), classes)
        model = _imputing(model, imputed)
        check_network(to_bytes(model), len(imputed), len(classes))
    except OSError as error:
        raise NetworkError(f"{path.name} cannot be read: {error.strerror}") from error
    except (NetworkError, BundleError) as error:
        fault = str(error)
        rest = fault.removeprefix(NETWORK_FILE) if fault.startswith(NETWORK_FILE) else f": {fault}"
        raise NetworkError(f"{path.name}{rest}") from error
    return Adopted(model, (*notes, *told))


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


def _answering(
    model: keras.Model, features: int, classes: Sequence[str]
) -> tuple[keras.Model, tuple[str, ...]]:
    """The network with an answer for each class, and what was done for that.

    Raises:
        NetworkError: other widths, or a network that the engine cannot lay flat.
    """
    _check_single(model)
    if _is_named(model):
        # Rows and answers of a bundle have no names beside the features' and the classes'.
        model = keras.Model(model.inputs[0], model.outputs[0])
    laid = plan(model)
    if laid.features != features:
        raise NetworkError(f"it takes {laid.features} features, but {features} are described")
    if (laid.classes, len(classes)) == (1, 2):
        first, second = classes
        told = f"one sigmoid unit gives the probability of {second}, and 1 minus it that of {first}"
        return with_both_classes(model), (told,)
    if laid.classes != len(classes):
        values = "1 value" if laid.classes == 1 else f"{laid.classes} values"
        raise NetworkError(f"it answers {values} a row, but {len(classes)} classes are named")
    return model, ()


def _check_single(model: keras.Model) -> None:
    """Check that a model takes one row and gives one answer.

    Raises:
        NetworkError: several inputs or outputs; says what to do.
    """
    if (count := len(model.inputs)) != 1:
        way = "join them by a Concatenate layer behind one Input"
        raise NetworkError(f"it has {count} inputs, not one row of features: {way}")
    if (count := len(model.outputs)) != 1:
        raise NetworkError(f"it has {count} outputs, not one: save a keras.Model of one of them")


def _is_named(model: keras.Model) -> bool:
    """Whether a model takes or gives dictionaries; a Sequential one cannot."""
    if isinstance(model, keras.Sequential):
        return False
    return isinstance(model.input, dict) or isinstance(model.output, dict)
