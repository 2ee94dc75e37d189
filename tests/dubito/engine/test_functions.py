"""The kernel's elementary functions: within their stated accuracy, by mpmath."""

import ctypes
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from dubito.numerics.normal import quantile
from dubito.types import Floats

DOUBLES: dict[str, tuple[Callable[[Any], Any], float, tuple[float, float]]] = {
    "exp": (mpmath.exp, 1.0, (-708.0, 708.0)),
    "expm1": (mpmath.expm1, 2.0, (-708.0, 708.0)),
    "log": (mpmath.log, 1.0, (1e-300, 1e300)),
    "log1p": (lambda x: mpmath.log(1 + x), 2.0, (0.0, 1e300)),
    "sin": (mpmath.sin, 1.5, (-400.0, 400.0)),
    "cos": (mpmath.cos, 1.5, (-400.0, 400.0)),
}
"""Functions of double precision: the oracle, the most units in the last place, and the range."""


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


SINGLES: dict[str, tuple[Callable[[Any], Any], float]] = {
    "exponential": (mpmath.exp, 1.1),
    "elu": (lambda x: x if x > 0 else mpmath.expm1(x), 0.51),
    "selu": (
        lambda x: (
            mpmath.mpf(1.0507009873554805)
            * (x if x > 0 else mpmath.mpf(1.6732632423543772) * mpmath.expm1(x))
        ),
        0.51,
    ),
    "tanh": (mpmath.tanh, 0.51),
    "sigmoid": (_sigmoid, 3.0),
    "silu": (lambda x: x * _sigmoid(x), 3.0),
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), 0.51),
}
"""Activations of single precision: the oracle, and the most units in the last place."""


def computed(function: Any, which: int, x: Any) -> Any:
    found = np.empty_like(x)
    addresses = (ctypes.c_void_p(values.ctypes.data) for values in (x, found))
    function(ctypes.c_int(which), *addresses, ctypes.c_size_t(len(x)))
    return found


def points(least: float, most: float, count: int) -> Floats:
    """Numbers over a range: evenly, by orders of magnitude, and close to 0 and 1."""
    random = np.random.default_rng(3)
    sizes = 10.0 ** random.uniform(-30, np.log10(most), count) * random.choice([-1, 1], count)
    even, near = random.uniform(least, most, count), 1 + random.normal(0, 1e-3, count)
    found = np.concatenate([even, sizes, near, random.normal(0, 1, count)])
    return found[(found >= least) & (found <= most)]


def distances(found: Any, oracle: Callable[[Any], Any], x: Any) -> Floats:
    """Distances from the exact value, in units of the last place of what was found."""
    with mpmath.workprec(200):
        exact = [oracle(mpmath.mpf(float(value))) for value in x]
        apart = [float(abs(mpmath.mpf(float(y)) - e)) for y, e in zip(found, exact, strict=True)]
    tiny = np.finfo(found.dtype).tiny
    return np.array(apart) / np.spacing(np.maximum(np.abs(found), tiny)).astype(np.float64)


@pytest.mark.parametrize("name", list(DOUBLES))
@pytest.mark.claim("native functions", test=300, proof=20_000)
def test_a_function_is_as_accurate_as_stated(name: str, count: int, library: ctypes.CDLL) -> None:
    """In double precision, over the range that it is used on."""
    oracle, most, (least, greatest) = DOUBLES[name]
    x = points(least, greatest, count)
    found = computed(library.doubles, list(DOUBLES).index(name), x)
    assert distances(found, oracle, x).max() <= most


@pytest.mark.parametrize("name", list(SINGLES))
@pytest.mark.claim("native functions", test=300, proof=20_000)
def test_an_activation_is_as_accurate_as_stated(
    name: str, count: int, library: ctypes.CDLL
) -> None:
    """In single precision; NaN stays NaN, and zero has the sign that Keras gives it."""
    oracle, most = SINGLES[name]
    x = points(-80.0, 80.0, count).astype(np.float32)
    which = list(SINGLES).index(name)
    assert distances(computed(library.singles, which, x), oracle, x).max() <= most
    odd = np.array([np.nan, np.inf, 0.0], np.float32)
    found = computed(library.singles, which, odd)
    assert np.isnan(found[0])
    assert found[1] == (1.0 if name in ("tanh", "sigmoid") else np.inf)


def test_infinity_and_no_number_stay(library: ctypes.CDLL) -> None:
    """Of the logarithms; of others the argument is bounded."""
    x = np.array([np.inf, np.nan])
    for name in ("log", "log1p"):
        found = computed(library.doubles, list(DOUBLES).index(name), x)
        assert np.isnan(found[1])
    assert computed(library.doubles, list(DOUBLES).index("log"), x)[0] == np.inf


@pytest.mark.claim("native normals", test=20_000, proof=10_000_000)
def test_normals_have_numpys_bits(count: int, library: ctypes.CDLL) -> None:
    """The quantile is the same operations in the same order."""
    random = np.random.default_rng(8)
    x = np.concatenate([random.random(count), 10.0 ** random.uniform(-16, -1, 1_000), [0.5]])
    x = np.concatenate([x, 1 - x[-1001:]])
    x = x[(x > 0) & (x < 1)]
    assert quantile(x).tobytes() == computed(library.doubles, len(DOUBLES), x).tobytes()
