"""Reading a network without Keras: the program that Keras' own objects give, to the last bit."""

import math
from dataclasses import fields, is_dataclass
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dubito.bundles.program import read_program
from dubito.bundles.validation.index_bounds import Bounds
from dubito.bundles.validation.soundness import check_network
from dubito.engine.compiler import lowering
from dubito.engine.compiler.flattening import flatten
from dubito.engine.program import Program
from dubito.layers.archive import from_bytes, to_bytes
from dubito.layers.monte_carlo import MCDropout
from dubito.targets import ClassTarget
from tests.networks import CLASSES, FEATURES, GENERAL, NETWORKS, finished, network, normalized

layers = keras.layers
SHIPPED = ("1", "2", "3", "4", "5")


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, arrays to the last bit."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if is_dataclass(one) and not isinstance(one, type):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return bool(one == other)


ANY = Bounds(-math.inf, math.inf, may_miss=True)


def both(written: bytes, outputs: int = CLASSES) -> tuple[Program | None, Program | None]:
    """The program that is read from a file, and the one that Keras' objects give."""
    target = ClassTarget(tuple(map(str, range(outputs))))
    read = read_program(check_network(written, [ANY] * FEATURES, target))
    return read, lowering.program_of(flatten(from_bytes(written)))


@pytest.mark.parametrize("name", [*NETWORKS, *GENERAL, *SHIPPED])
def test_a_program_is_the_one_of_keras(name: str) -> None:
    """Operations, their order, Monte-Carlo calls and weights are equal; both know what has none."""
    read, expected = both(to_bytes(network(name)), network(name).output_shape[-1])
    assert (read is None) == (name in GENERAL)
    assert same(read, expected)


STEPS = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=9
)
"""Kind of each step, and the numbers of its inputs among what was made before."""


def graph(steps: list[tuple[int, int, int]]) -> Any:
    """A network with shared layers at several depths, branches, operators and a nested model."""
    inputs = keras.Input((FEATURES,))
    shared = [layers.Dense(FEATURES, activation="tanh"), MCDropout(0.5), MCDropout(0.25)]
    inside = keras.Input((FEATURES,))
    shared.append(keras.Model(inside, MCDropout(0.5)(layers.Dense(FEATURES)(inside))))
    found = [MCDropout(0.1)(normalized(inputs))]
    for kind, *numbers in steps:
        one, other = (found[number % len(found)] for number in numbers)
        if kind < len(shared):
            made = shared[kind](one)
        elif kind == 4:
            made = one + other
        elif kind == 5:
            made = layers.Multiply()([one, other])
        elif kind == 6:
            made = layers.Dense(FEATURES)(layers.Concatenate()([one, other]))
        else:
            made = MCDropout(0.5)(one)
        found.append(made)
    return finished(inputs, layers.Add()([found[-1], found[len(found) // 2]]))


@given(STEPS)
@settings(max_examples=25)
def test_calls_are_in_the_order_of_keras(steps: list[tuple[int, int, int]]) -> None:
    """In any graph, with layers shared between depths: equal programs."""
    read, expected = both(to_bytes(graph(steps)))
    assert read is not None
    assert same(read, expected)
