"""Imports a `.keras` file of plain Keras as a network with Monte-Carlo dropout.

A file with a layer that a bundle cannot contain is rejected before Keras reads it.
"""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import keras
import tensorflow as tf
from keras.src.saving import saving_lib

from dubito.bundles.manifest import NETWORK_FILE
from dubito.bundles.validation.index_bounds import Bounds
from dubito.bundles.validation.soundness import check_network
from dubito.engine.compiler.flattening import flatten
from dubito.errors import BundleError, NetworkError
from dubito.layers.archive import to_bytes
from dubito.layers.impute import Impute
from dubito.targets import NumberTarget, Target
from dubito.training.binary import with_both_classes
from dubito.training.joined_inputs import Inputs
from dubito.training.keras_file import read_saved
from dubito.training.monte_carlo import with_monte_carlo
from dubito.training.temperature import answers_probabilities


class Adopted(NamedTuple):
    """Network that can be served."""

    model: keras.Model
    notes: tuple[str, ...]
    """Sentences on the changes made to the network besides replacing its dropout, for people."""


def adopt(
    path: Path,
    inputs: Inputs,
    target: Target,
    *,
    logits: bool = False,
    dropouts: Mapping[str, str] = MappingProxyType({}),
) -> Adopted:
    """Read the network of a `.keras` file and replace its dropout; all weights stay as they are.

    Args:
        path: the file, as `model.save` wrote it; a compiled model's optimiser is dropped.
        inputs: the `F` features, and which of them its inputs take. A layer that imputes is put
            before the network, unless none is missing.
        target: what the network predicts. One with one sigmoid unit gives the probability of the
            second of two classes.
        logits: whether the network of classes answers logits; a softmax, or the sigmoid of one
            unit, is put behind it.
        dropouts: Keras' class of dropout that stands for a class of the user's own, by its name.

    Raises:
        NetworkError: the network cannot be served; names the file and, if possible, the layer.
    """
    try:
        network, notes = read_saved(path, inputs, dropouts)
        model = with_monte_carlo(_loaded(network))
        width = sum(column.width for column in inputs.columns)
        model, told = _answering(model, width, target, logits=logits)
        model = _imputing(model, [column.imputed for column in inputs.columns])
        bounds = [
            Bounds(*column.limits, column.nullable)
            for column in inputs.columns
            for _ in range(column.width)
        ]
        check_network(to_bytes(model), bounds, target)
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


def _squashed(model: keras.Model) -> tuple[keras.Model, str]:
    """Put a softmax or a sigmoid behind logits, and return a sentence on it.

    Raises:
        NetworkError: the network ends with such an activation already.
    """
    laid = flatten(model)
    if answers_probabilities(laid):
        raise NetworkError("it answers probabilities, not logits: leave out --logits")
    name = "sigmoid" if laid.classes == 1 else "softmax"
    squashed = keras.layers.Activation(name, name=f"{name}_of_logits")(model.outputs[0])
    told = f"layer {laid.outlet.name} gives logits, of which a {name} makes probabilities"
    return keras.Model(model.inputs, squashed, name=model.name), told


def _imputing(model: keras.Model, imputed: Sequence[float | None]) -> keras.Model:
    """Put a layer that imputes missing values before the network, if a feature may be missing.

    Raises:
        NetworkError: the network's input is of integers, which cannot be missing.
    """
    if all(value is None for value in imputed):
        return model
    (rows,) = model.inputs
    if not keras.backend.is_float_dtype(rows.dtype):
        raise NetworkError(f"it takes {rows.dtype}, which can be neither missing nor imputed")
    inputs = keras.Input(rows.shape[1:], dtype=rows.dtype)
    return keras.Model(inputs, model(Impute(imputed, dtype=rows.dtype)(inputs)))


def _answering(
    model: keras.Model, features: int, target: Target, *, logits: bool
) -> tuple[keras.Model, tuple[str, ...]]:
    """Return the network with the outputs of its target, and notes on the changes made for that.

    Raises:
        NetworkError: it has several outputs, the widths of input or output do not fit, or the
            engine cannot run the network as a sequence of steps.
    """
    if (count := len(model.outputs)) != 1:
        raise NetworkError(f"it has {count} outputs, not one: save a keras.Model of one of them")
    if _is_named(model):
        # A bundle's network takes and returns arrays; its names are those of the signature.
        model = keras.Model(model.inputs[0], model.outputs[0])
    model, notes = _of_rows(model, features), list[str]()
    if logits:
        model, note = _squashed(model)
        notes.append(note)
    laid = flatten(model)
    if laid.features != features:
        raise NetworkError(f"it takes {laid.features} features, but {features} are described")
    values = "1 value" if laid.classes == 1 else f"{laid.classes} values"
    outputs = target.outputs
    if isinstance(target, NumberTarget):
        if laid.classes != len(outputs):
            wanted = f"a head of kind {target.head} has {len(outputs)}: {', '.join(outputs)}"
            raise NetworkError(f"it answers {values} a row, but {wanted}")
        return model, ()
    if (laid.classes, len(outputs)) == (1, 2):
        first, second = outputs
        told = f"one sigmoid unit gives the probability of {second}, and 1 minus it that of {first}"
        return with_both_classes(model), (*notes, told)
    if laid.classes != len(outputs):
        raise NetworkError(f"it answers {values} a row, but {len(outputs)} classes are named")
    return model, tuple(notes)


def _of_rows(model: keras.Model, numbers: int) -> keras.Model:
    """Let a network of a series or an image take it as one row of numbers.

    Raises:
        NetworkError: the shape of its input is not fixed, or is not of as many numbers.
    """
    shape = model.inputs[0].shape[1:]
    if len(model.inputs) != 1 or len(shape) < 2:
        return model
    if None in shape:
        raise NetworkError(f"its input is of the shape {shape}: save it with fixed lengths")
    if math.prod(shape) != numbers:
        told = " × ".join(map(str, shape))
        raise NetworkError(f"it takes {told} numbers a row, but {numbers} are described")
    inputs = keras.Input((numbers,), dtype=model.inputs[0].dtype)
    return keras.Model(inputs, model(keras.layers.Reshape(shape)(inputs)))


def _is_named(model: keras.Model) -> bool:
    """Whether a model takes or returns dictionaries; a Sequential model cannot."""
    if isinstance(model, keras.Sequential):
        return False
    return isinstance(model.input, dict) or isinstance(model.output, dict)
