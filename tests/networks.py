"""Small networks, rows and a plain loop, for tests of the engine and of what stands on it.

Every network takes nine features to seven classes, or to two or a number as its name says, has
Monte-Carlo layers and fixed weights.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import keras
import numpy as np

from dubito import bundle
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.compiler.flattening import flatten
from dubito.engine.engine import Engine
from dubito.engine.ensemble import combined
from dubito.layers.archive import from_bytes
from dubito.layers.encode import Encode
from dubito.layers.impute import Impute
from dubito.layers.lookup import Discretize, Lookup, SelectColumns
from dubito.layers.monte_carlo import (
    MONTE_CARLO_LAYERS,
    MCAlphaDropout,
    MCDropout,
    MCGaussianDropout,
    MCGaussianNoise,
    MCSpatialDropout1D,
    MCSpatialDropout2D,
)
from dubito.loans.layers.features import LoanFeatures
from dubito.numerics.encoding import InputKind
from dubito.numerics.rng import PassRange, keep_masks, normals
from dubito.targets import HEAD_OUTPUTS, NumberHead
from dubito.training.architecture import Architecture, build
from dubito.training.binary import with_both_classes
from dubito.training.heads import ClassHead
from dubito.training.monte_carlo import with_monte_carlo
from dubito.types import Backend, Floats, Query, Summary

ROOT = Path(__file__).parent.parent
FEATURES, CLASSES = 9, 7
IMPUTED: list[float | None] = [None, None, 17.5, None, None, None, None, None, None]
SCALES = np.array([1e4, 5e4, 20, 25, 0.5, 2e3, 1e3, 1, 0.1])
SUMMARIES = tuple(Summary.__dataclass_fields__)

layers = keras.layers


def rows(count: int, seed: int = 0, *, missing: bool = False) -> Floats:
    """Rows `(N, F)` of the size of loans; every fifth lacks its third feature where asked for."""
    values = np.random.default_rng(seed).exponential(SCALES, (count, FEATURES)).round(2)
    if missing:
        values[::5, 2] = np.nan
    return values


def filled(model: Any, seed: int = 1) -> Any:
    """The model with weights of its own, moving statistics included; no global seed is touched."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name in ("mean", "variance", "count"):
            continue
        drawn = random.normal(0, max(1, weight.shape[0]) ** -0.5, weight.shape)
        if "variance" in weight.name:
            drawn = np.abs(drawn) + 0.1
        if weight.name == "gamma":
            drawn = drawn + 1
        weight.assign(drawn)
    return model


def family(seed: int = 0, **choices: Any) -> Any:
    """A network of the study's family with Monte-Carlo layers."""
    return with_monte_carlo(plain(seed, **choices))


def plain(seed: int = 0, *, loan: bool = False, **choices: Any) -> Any:
    """A network of the study's family as Keras trains it."""
    derived = [LoanFeatures(name="loan_features")] if loan else []
    prepared = [Impute(IMPUTED, name="impute"), *derived]
    seen = rows(200, 99, missing=True)
    return filled(build(Architecture(**choices), seen, prepared, ClassHead(CLASSES), seed))


def normalized(inputs: Any) -> Any:
    """The inputs, scaled as rows come."""
    return layers.Normalization(mean=SCALES, variance=SCALES**2)(inputs)


def finished(inputs: Any, outputs: Any) -> Any:
    """The model with a softmax layer on top."""
    return filled(keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(outputs)))


def between(*middle: Any, rate: float = 0.3) -> Any:
    """Dense, Monte-Carlo dropout, then the layers given, then Monte-Carlo dropout and softmax."""
    inputs = keras.Input((FEATURES,))
    outputs = layers.Dense(12, activation="tanh")(normalized(inputs))
    outputs = MCDropout(rate)(outputs)
    for layer in middle:
        outputs = layer(outputs)
    return finished(inputs, MCDropout(rate)(outputs))


def twice() -> Any:
    """A dense layer and a dropout layer that are each called twice, one after the other."""
    inputs = keras.Input((FEATURES,))
    dense, dropout = layers.Dense(FEATURES, activation="relu"), MCDropout(0.3)
    outputs = dense(dropout(dense(dropout(normalized(inputs)))))
    return finished(inputs, outputs)


def inner(name: str) -> Any:
    """A model to be called inside another: dropout and a skip."""
    inputs = keras.Input((FEATURES,))
    outputs = layers.Dense(FEATURES, activation="relu")(MCDropout(0.25)(inputs))
    return keras.Model(inputs, layers.Add()([inputs, outputs]), name=name)


def nested() -> Any:
    """A model called twice in a model, beside a Sequential one."""
    inputs = keras.Input((FEATURES,))
    shared = inner("shared")
    stack = keras.Sequential([keras.Input((FEATURES,)), layers.Dense(8), MCDropout(0.5)])
    return finished(inputs, stack(shared(shared(normalized(inputs)))))


def branches() -> Any:
    """Three branches of one depth with two dropouts of one shape and rate, merged in two ways."""
    inputs = keras.Input((FEATURES,))
    scaled = normalized(inputs)
    first = layers.Dense(8, activation="relu")(MCDropout(0.5)(scaled))
    second = layers.Dense(8, activation="elu")(MCDropout(0.5)(scaled))
    third = layers.Dense(8, activation="selu")(scaled)
    pairs = [layers.Concatenate()([branch, third]) for branch in (first, second)]
    merged = layers.Subtract()(pairs)
    product = layers.Multiply()([first, second, third])
    return finished(inputs, layers.Concatenate()([merged, product, second, third]))


def operators() -> Any:
    """Sums, differences and products written with operators."""
    inputs = keras.Input((FEATURES,))
    scaled = MCDropout(0.4)(normalized(inputs))
    hidden = layers.Dense(FEATURES, activation="sigmoid")(scaled)
    return finished(inputs, (scaled - hidden) * hidden + scaled)


def convolution() -> Any:
    """Rows read as sequences, with whole channels dropped."""
    inputs = keras.Input((FEATURES,))
    outputs = layers.Reshape((FEATURES, 1))(normalized(inputs))
    outputs = layers.Conv1D(6, 3, activation="gelu", padding="same")(outputs)
    outputs = MCDropout(0.4, noise_shape=(None, 1, 6))(outputs)
    outputs = layers.LayerNormalization()(layers.Conv1D(4, 2)(outputs))
    return finished(inputs, MCDropout(0.3)(layers.Flatten()(outputs)))


def gaussian() -> Any:
    """Noise of three kinds, side by side and one after the other."""
    inputs = keras.Input((FEATURES,))
    scaled = normalized(inputs)
    first = layers.Dense(12, activation="silu")(MCGaussianDropout(0.2)(scaled))
    second = layers.Dense(12, activation="selu")(MCAlphaDropout(0.1)(scaled))
    merged = layers.BatchNormalization()(layers.Add()([first, MCGaussianDropout(0.5)(second)]))
    return finished(inputs, MCDropout(0.3)(merged))


def noisy() -> Any:
    """Noise added to the inputs and within."""
    inputs = keras.Input((FEATURES,))
    hidden = layers.Dense(12, activation="silu")(MCGaussianNoise(0.3)(normalized(inputs)))
    return finished(inputs, MCDropout(0.2)(MCGaussianNoise(0.1)(hidden)))


def spatial() -> Any:
    """Rows read as sequences, with channels dropped by the layer made for it, and normal noise."""
    inputs = keras.Input((FEATURES,))
    outputs = layers.Reshape((FEATURES, 1))(normalized(inputs))
    outputs = layers.Conv1D(6, 3, activation="relu")(outputs)
    outputs = MCGaussianDropout(0.3)(MCSpatialDropout1D(0.4)(outputs))
    return finished(inputs, layers.GlobalAveragePooling1D()(outputs))


def image() -> Any:
    """Rows read as small images, with channels dropped by the layer made for it."""
    inputs = keras.Input((FEATURES,))
    outputs = layers.Reshape((3, 3, 1))(normalized(inputs))
    outputs = layers.Conv2D(6, 2, activation="relu", padding="same")(outputs)
    outputs = layers.MaxPooling2D(2)(MCSpatialDropout2D(0.4)(outputs))
    return finished(inputs, MCDropout(0.2)(layers.Flatten()(outputs)))


def recurrent(kind: Any, **choices: Any) -> Any:
    """Rows read as three steps, by Keras' own recurrent layer with dropout inside, converted."""
    inputs = keras.Input((FEATURES,))
    outputs = layers.Reshape((3, 3))(normalized(inputs))
    outputs = kind(6, dropout=0.2, recurrent_dropout=0.3, **choices)(outputs)
    return with_monte_carlo(finished(inputs, outputs))


def attention() -> Any:
    """Rows read as three steps that attend to each other, by Keras' own layer, converted."""
    inputs = keras.Input((FEATURES,))
    steps = layers.Reshape((3, 3))(normalized(inputs))
    heads = layers.MultiHeadAttention(2, 3, value_dim=4, dropout=0.3)
    outputs = layers.LayerNormalization()(layers.Add()([steps, heads(steps, steps)]))
    return with_monte_carlo(finished(inputs, layers.Dropout(0.2)(layers.Flatten()(outputs))))


def sigmoid() -> Any:
    """One sigmoid unit, as `convert` serves it: the probabilities of both classes."""
    inputs = keras.Input((FEATURES,))
    outputs = MCDropout(0.3)(layers.Dense(12, activation="relu")(normalized(inputs)))
    single = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(outputs))
    return with_both_classes(filled(single))


def number(head: NumberHead) -> Any:
    """A number of about 1 with a head of a kind, whose last layers scale it."""
    inputs = keras.Input((FEATURES,))
    outputs = MCDropout(0.3)(layers.Dense(12, activation="silu")(normalized(inputs)))
    if head == "normal":
        variance = layers.Rescaling(0.2, 0.01)(layers.Dense(1, activation="softplus")(outputs))
        found = layers.Concatenate()(
            [layers.Rescaling(0.2, 0.5)(layers.Dense(1)(outputs)), variance]
        )
    else:
        found = layers.Rescaling(0.2, 0.5)(layers.Dense(len(HEAD_OUTPUTS[head]))(outputs))
    return filled(keras.Model(inputs, found))


def encoded() -> Any:
    """Rows encoded as a table's: logs of money, a gap, and two small counts as categories."""
    inputs = keras.Input((FEATURES,))
    kinds: list[InputKind] = [
        "log",
        "log",
        "number",
        "number",
        "category",
        "log",
        "number",
        "number",
        "category",
    ]
    slots = [0, 0, 0, 0, 3, 0, 0, 0, 2]
    edges: list[list[float]] = [[] for _ in kinds]
    edges[1], edges[2] = [0, 2e4, 5e4, 1e5], [5, 17.5, 40]
    encode, normalization = Encode(kinds, slots, IMPUTED, edges), layers.Normalization()
    normalization.adapt(np.asarray(encode(rows(200, 9, missing=True).astype(np.float32))))
    hidden = layers.Dense(16, activation="silu")(normalization(encode(inputs)))
    return finished(inputs, MCDropout(0.3)(hidden))


def embedded() -> Any:
    """Indices of bins and of known numbers as embeddings, one and two at a time, and as slots."""
    inputs = keras.Input((FEATURES,))
    known = Impute(IMPUTED)(inputs)
    amount = Discretize([1e3, 5e3, 2e4])(SelectColumns([0])(known))
    count = Lookup([0, 1, 2], [2, 1, 3], 0)(Discretize([0.3, 0.9])(SelectColumns([7])(known)))
    money = Discretize([1e3, 4e3])(SelectColumns([1, 0])(known))
    tables = [(4, 3, amount), (4, 2, count), (3, 2, money)]
    found = [layers.Flatten()(layers.Embedding(*size)(indices)) for *size, indices in tables]
    slots = Encode(["category"], [3], [None])(Discretize([0.1, 0.5])(SelectColumns([8])(known)))
    columns = [2, 3, 5, 6]
    scaling = layers.Normalization(mean=SCALES[columns], variance=SCALES[columns] ** 2)
    numbers = scaling(SelectColumns(columns)(known))
    joined = layers.Concatenate()([*found, slots, numbers])
    return finished(inputs, MCDropout(0.3)(layers.Dense(16, activation="relu")(joined)))


NETWORKS: dict[str, Callable[[], Any]] = {
    "study": family,
    "batch-norm": lambda: family(batch_norm=True),
    "selu": lambda: family(activation="selu", rate=0.2),
    "residual": lambda: family(
        widths=(16, 16, 16), activation="silu", residual=True, placement="hidden", rate=0.2
    ),
    "loan": lambda: family(loan=True, activation="silu", rate=0.1),
    "output": lambda: family(placement="output"),
    "wide": lambda: family(widths=(64, 64), rate=0.2),
    "twice": twice,
    "nested": nested,
    "branches": branches,
    "operators": operators,
    "gaussian": gaussian,
    "noisy": noisy,
    "encoded": encoded,
    "embedded": embedded,
    "sigmoid": sigmoid,
    "point": lambda: number("point"),
    "normal": lambda: number("normal"),
    "quantiles": lambda: number("quantiles"),
}
"""Networks that both executions can run."""
SINGLE = tuple(name for name in NETWORKS if name not in ("sigmoid", "noisy"))
"""Those that the native backend runs too: of single precision alone, without added noise."""

ENSEMBLE = (("study", 31), ("batch-norm", 32), ("wide", 33))
"""Networks of the engine called `ensemble`, each with the seed of its weights."""

GENERAL: dict[str, Callable[[], Any]] = {
    "gelu": lambda: between(layers.Dense(10, activation="gelu"), layers.LayerNormalization()),
    "convolution": convolution,
    "spatial": spatial,
    "image": image,
    "lstm": lambda: recurrent(layers.LSTM),
    "gru": lambda: recurrent(layers.GRU, go_backwards=True),
    "attention": attention,
}
"""Networks that only the general execution can run."""


def on_both(names: Iterable[str]) -> list[str]:
    """Names of engines on the backend that is used for each, and on NumPy."""
    return [backend for name in names for backend in (name, f"{name}, numpy")]


@cache
def network(name: str) -> Any:
    """One of the networks, built once, or that of a shipped bundle by its version."""
    name, _, _ = name.partition(", ")
    if name.isdigit():
        return from_bytes((ROOT / "models" / "loan-grade" / name / "model.keras").read_bytes())
    return {**NETWORKS, **GENERAL}[name]()


@cache
def engine(name: str) -> Engine:
    """The engine of one of the networks, or of a shipped bundle by its version; see `on_both`."""
    pin_arithmetic()
    bare, _, given = name.partition(", ")
    backend: Backend = "numpy" if given else "auto"
    if bare == "ensemble":
        return combined([engine_of(member, backend=backend) for member in members()])
    if bare.isdigit():
        return bundle.load(ROOT / "models" / "loan-grade" / bare, backend=backend).engine
    return engine_of(network(bare), backend=backend)


@cache
def members() -> tuple[Any, ...]:
    """The networks of the ensemble."""
    return tuple(filled(NETWORKS[name](), seed) for name, seed in ENSEMBLE)


def dropped(layer: Any, inputs: Any, noise: Any) -> Any:
    """What a dropout layer makes of its inputs and its noise, written from the papers."""
    keep = np.asarray(noise, np.float32)
    if isinstance(layer, MCGaussianNoise):
        return inputs + keep * np.float32(layer.stddev)
    if isinstance(layer, MCGaussianDropout):
        return inputs * (1 + keep * np.sqrt(layer.rate / (1 - layer.rate)))
    if not isinstance(layer, MCAlphaDropout):
        return inputs * keep / (1 - layer.rate)
    saturated = -1.0507009873554805 * 1.6732632423543772
    variance = (1 - layer.rate) * (1 + layer.rate * saturated**2)
    mixed = inputs * keep + saturated * (1 - keep)
    return (mixed - layer.rate * saturated) / np.sqrt(variance)


@contextmanager
def instead(call: Callable[..., Any]) -> Iterator[None]:
    """While inside, this is what Keras' calls of any Monte-Carlo layer do."""
    with ExitStack() as patches:
        for kind in MONTE_CARLO_LAYERS:
            patches.enter_context(patch.object(kind, "call", call))
        yield


def inert(model: Any, features: Any) -> Any:
    """Keras' own call with the Monte-Carlo layers left out."""
    with instead(lambda self, inputs, training=None: inputs):
        return called(model, features)


@contextmanager
def given_noise(model: Any, seed: int, passes: int, at: int) -> Iterator[None]:
    """While inside, Keras' own calls of `model` drop with the noise of pass `at`.

    The n-th call of a layer takes the n-th noise that the plan has for this layer.
    """
    waiting: dict[int, list[Any]] = defaultdict(list)
    for step in flatten(model).steps:
        if step.call is None:
            continue
        key = [PassRange(seed, 0, passes)], step.call.ordinal, step.call.shape
        normal = isinstance(step.layer, MCGaussianDropout | MCGaussianNoise)
        drawn = normals(*key) if normal else keep_masks(*key, step.layer.rate)
        waiting[id(step.layer)].append(drawn[at])

    def given(self: Any, inputs: Any, training: bool | None = None) -> Any:
        return dropped(self, inputs, waiting[id(self)].pop(0))

    with instead(given):
        yield
    assert not any(waiting.values()), "Keras made fewer Monte-Carlo calls than the plan"


def called(model: Any, features: Floats) -> Floats:
    """Keras' own eager call: probabilities `(N, C)`."""
    values = features.astype(model.inputs[0].dtype)
    listed = not isinstance(model, keras.Sequential) and isinstance(model.input, list)
    return np.asarray(model([values] if listed else values), np.float64)


def loop(model: Any, features: Floats, passes: int, seed: int) -> Floats:
    """The plain loop: draws `(T, N, C)` of Keras' own eager calls with the stream's noise."""
    drawn = []
    for at in range(passes):
        with given_noise(model, seed, passes, at):
            drawn.append(called(model, features))
    return np.stack(drawn)


def bits(summary: Summary) -> list[bytes]:
    """The bytes of every statistic that there is, row by row."""
    every = (getattr(summary, name) for name in SUMMARIES)
    known = [values for values in every if values is not None]
    return [
        b"".join(np.ascontiguousarray(values[at]).tobytes() for values in known)
        for at in range(len(summary.mean))
    ]


def answers(name: str, seed: int = 7, passes: int = 70) -> str:
    """Answers for twelve rows as hexadecimal text, to be compared between processes."""
    features = rows(12, 3)
    (summary,) = engine(name).summarise([Query(features, passes, seed)])
    return b"".join([*bits(summary), engine(name).predict(features).tobytes()]).hex()


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        sys.stdout.write(f"{answers(wanted)}\n")
