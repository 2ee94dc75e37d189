"""Every kernel: batch-invariant to the last bit, and what Keras' own layer computes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.compiler.lowering import kernel_in
from dubito.engine.lowering import KERNELS
from dubito.loans.layers.features import LoanFeatures
from dubito.numerics.kernels import ACTIVATION_KERNELS
from tests.networks import filled, rows

layers = keras.layers
Array = NDArray[Any]
UNITS = 12
BLOCKS = 24
ROWS = 5
"""Rows of the embedding."""

CASES: dict[str, list[Callable[[], Any]]] = {
    "Dense": [
        *(partial(layers.Dense, 17, activation=name) for name in ACTIVATION_KERNELS),
        lambda: layers.Dense(1, use_bias=False),
        lambda: layers.Dense(256, activation="relu"),
    ],
    "Activation": [partial(layers.Activation, name) for name in ACTIVATION_KERNELS],
    "ReLU": [layers.ReLU],
    "Softmax": [layers.Softmax],
    "BatchNormalization": [
        layers.BatchNormalization,
        lambda: layers.BatchNormalization(axis=1, scale=False, epsilon=0.1),
        lambda: layers.BatchNormalization(center=False),
    ],
    "Normalization": [
        lambda: layers.Normalization(mean=np.arange(UNITS), variance=np.arange(1, UNITS + 1)),
        lambda: layers.Normalization(axis=1, mean=2.0, variance=3.0),
        lambda: layers.Normalization(mean=0.5, variance=3.0, invert=True),
        lambda: layers.Normalization(
            mean=np.arange(UNITS), variance=np.arange(1, UNITS + 1), invert=True
        ),
    ],
    "Rescaling": [
        lambda: layers.Rescaling(0.5, 0.1),
        lambda: layers.Rescaling([0.1 * at for at in range(UNITS)], list(range(UNITS))),
    ],
    "Concatenate": [layers.Concatenate],
    "Embedding": [lambda: layers.Embedding(ROWS, 3)],
    "Flatten": [layers.Flatten],
    "Reshape": [
        partial(layers.Reshape, (2, UNITS // 2)),
        partial(layers.Reshape, (UNITS // 3, -1)),
        partial(layers.Reshape, (-1,)),
    ],
    "Add": [layers.Add],
    "Subtract": [layers.Subtract],
    "Multiply": [layers.Multiply],
    "Maximum": [layers.Maximum],
    "Minimum": [layers.Minimum],
    "Identity": [layers.Identity],
    "ActivityRegularization": [lambda: layers.ActivityRegularization(0.1, 0.2)],
}
"""Every class on the list with its configurations that have a kernel."""

MERGES = {"Concatenate": 3, "Add": 3, "Subtract": 2, "Multiply": 3, "Maximum": 3, "Minimum": 3}
ALL = [(name, at) for name, makes in CASES.items() for at in range(len(makes))]


def values(passes: int, seed: int, blocks: int = BLOCKS, dtype: str = "float32") -> Array:
    """Blocks `(B, P, U)`, some of them far from zero."""
    random = np.random.default_rng(seed)
    drawn = random.normal(0, 1, (blocks, passes, UNITS)) * random.choice(
        [0.1, 1, 30], (blocks, 1, 1)
    )
    return drawn.astype(dtype)


def test_every_listed_class_is_tested() -> None:
    """A class on the list without a case here fails."""
    assert set(CASES) == set(KERNELS)


@pytest.mark.parametrize(("name", "at"), ALL)
@pytest.mark.parametrize("passes", [1, 50])
def test_a_block_is_computed_from_itself_alone(name: str, at: int, passes: int) -> None:
    """Any subset of blocks, in any order, has the bits that each block has alone."""
    pin_arithmetic()
    layer, inputs = made(name, at, passes)
    kernel = kernel_in(layer, ((UNITS,),) * len(inputs))
    assert kernel is not None
    with np.errstate(over="ignore"):
        whole = kernel(*inputs)
        random = np.random.default_rng(2)
        for size in (1, 1, 2, 3, 7, 8, 16, 17, BLOCKS):
            chosen = random.permutation(BLOCKS)[:size]
            part = kernel(*(values[chosen] for values in inputs))
            assert part.tobytes() == np.ascontiguousarray(whole[chosen]).tobytes()


@pytest.mark.parametrize(("name", "at"), ALL)
def test_a_kernel_is_what_keras_computes(name: str, at: int) -> None:
    """A kernel gives what the Keras layer gives, within float32's precision."""
    layer, inputs = made(name, at, 50)
    kernel = kernel_in(layer, ((UNITS,),) * len(inputs))
    assert kernel is not None
    small = [np.clip(given, -20, 20) for given in inputs]
    flat = [given.reshape(-1, UNITS) for given in small]
    expected = np.asarray(layer(flat if name in MERGES else flat[0]))
    found = kernel(*small)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found.reshape(expected.shape), expected, rtol=2e-5, atol=2e-5 * (name == "Dense") + 1e-6
    )


def made(name: str, at: int, passes: int) -> tuple[Any, list[Array]]:
    """A built layer with weights of its own, and inputs for it."""
    layer, number = CASES[name][at](), MERGES.get(name, 1)
    shapes = [(None, UNITS)] * number
    inputs = [keras.Input(shape[1:]) for shape in shapes]
    layer(inputs if name in MERGES else inputs[0])
    drawn = [values(passes, seed) for seed in range(number)]
    if name == "Embedding":
        drawn = [np.floor(np.abs(one)) % ROWS for one in drawn]
    return filled(layer, at), drawn


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(ACTIVATION_KERNELS))
def test_an_activation_is_keras_own(name: str, dtype: str) -> None:
    """Activations agree with Keras' own from −80 to 80, at zero and at tiny values."""
    tiny = np.array([0.0, -0.0, 1e-30, -1e-30, 1e-8, -1e-8])
    x = np.concatenate([np.linspace(-80, 80, 999), tiny]).astype(dtype)[:, None] * np.ones(3, dtype)
    x[:, 1] *= -1
    expected = np.asarray(getattr(keras.activations, name)(x))
    found = ACTIVATION_KERNELS[name](x)
    assert found.dtype == x.dtype
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", sorted(set(ACTIVATION_KERNELS) - {"exponential"}))
def test_an_activation_has_no_overflow(name: str) -> None:
    """Activations of ±10³⁰ are finite in float32 and warn of nothing."""
    x = np.array([[1e30, -1e30, 0.0], [-1e30, -1e30, -1e30]], np.float32)
    with np.errstate(under="ignore"):
        assert np.isfinite(ACTIVATION_KERNELS[name](x)).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Dense(4, activation="gelu"),
        lambda: layers.ReLU(max_value=6),
        lambda: layers.ReLU(negative_slope=0.1),
        lambda: layers.ReLU(threshold=0.5),
        lambda: layers.Normalization(axis=None, mean=0.0, variance=1.0),
        lambda: layers.Rescaling(np.arange(UNITS) / 10, 0.1),
        lambda: layers.Activation("hard_sigmoid"),
        lambda: layers.LayerNormalization(),
    ],
)
def test_a_layer_of_another_configuration_has_no_kernel(make: Callable[[], Any]) -> None:
    """A setting that the kernel does not know leaves the layer to the general execution."""
    layer = make()
    layer(keras.Input((UNITS,)))
    assert kernel_in(layer, ((UNITS,),)) is None


def test_a_function_that_only_shares_a_name_has_no_kernel() -> None:
    """A function of one's own called `relu` is not taken for Keras' relu."""

    def relu(x: Any) -> Any:
        return 2 * x

    layer = layers.Activation(relu)
    layer(keras.Input((UNITS,)))
    assert kernel_in(layer, ((UNITS,),)) is None


@pytest.mark.parametrize("passes", [1, 50])
def test_features_of_loans_are_batch_invariant(passes: int) -> None:
    """The formula of loan features has the same bits for a row alone and among others."""
    kernel = kernel_in(LoanFeatures(), ((9,),))
    assert kernel is not None
    given = np.repeat(rows(40, 3).astype(np.float32)[:, None], passes, axis=1)
    whole = kernel(given)
    for at in range(40):
        assert kernel(given[at : at + 1]).tobytes() == whole[at].tobytes()
    chosen = np.random.default_rng(0).permutation(40)[:17]
    assert kernel(given[chosen]).tobytes() == whole[chosen].tobytes()
