"""The engine against the plain loop over Keras' own calls, and against Keras' own dropout."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from dubito.engine.backends.numpy import Stacked
from dubito.engine.backends.tensorflow import Graph
from dubito.engine.blocks import blocks_of
from dubito.engine.compiler.admission import FIXED_SHAPE
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.compiler.flattening import flatten
from dubito.engine.compiler.lowering import program_of
from dubito.engine.engine import Engine
from dubito.errors import NetworkError
from dubito.layers.monte_carlo import MCDropout
from dubito.targets import HEAD_OUTPUTS
from dubito.training.monte_carlo import MONTE_CARLO_OF, with_monte_carlo
from dubito.training.twins import REPLACED
from dubito.types import Floats, Query
from tests.networks import (
    FEATURES,
    GENERAL,
    NETWORKS,
    between,
    engine,
    filled,
    finished,
    inert,
    loop,
    network,
    normalized,
    on_both,
    plain,
    rows,
)

layers = keras.layers
Record = Callable[[str, object], None]
TOLERANCE = 1e-6

TRAINED: dict[str, Callable[[], Any]] = {
    "study": plain,
    "batch-norm": lambda: plain(batch_norm=True),
    "selu": lambda: plain(activation="selu", rate=0.2),
    "hidden": lambda: plain(widths=(64, 64), placement="hidden", rate=0.2),
    "gaussian": lambda: chain(
        layers.GaussianDropout(0.3), layers.Dense(16, "silu"), layers.GaussianDropout(0.2)
    ),
    "spatial": lambda: chain(
        layers.Reshape((FEATURES, 1)),
        layers.Conv1D(8, 3, activation="relu"),
        layers.SpatialDropout1D(0.3),
        layers.Flatten(),
    ),
    "image": lambda: chain(
        layers.Reshape((3, 3, 1)),
        layers.Conv2D(8, 2, activation="relu"),
        layers.SpatialDropout2D(0.3),
        layers.Flatten(),
    ),
    "lstm": lambda: chain(
        layers.Reshape((3, 3)),
        layers.LSTM(6, dropout=0.2, recurrent_dropout=0.3, return_sequences=True),
        layers.LSTM(5, dropout=0.2),
    ),
    "both directions": lambda: chain(
        layers.Reshape((3, 3)),
        layers.Bidirectional(layers.LSTM(5, dropout=0.2, return_sequences=True)),
        layers.Bidirectional(layers.GRU(4, dropout=0.1, recurrent_dropout=0.2), merge_mode="sum"),
    ),
    "gru": lambda: chain(
        layers.Reshape((3, 3)),
        layers.GRU(6, dropout=0.2, recurrent_dropout=0.3, reset_after=False),
    ),
    "attention": lambda: attending(layers.MultiHeadAttention(2, 4, dropout=0.3)),
    "stepwise": lambda: chain(
        layers.Reshape((3, 3)),
        layers.TimeDistributed(layers.Dense(6, "silu")),
        layers.TimeDistributed(layers.Dropout(0.3)),
        layers.Flatten(),
    ),
    "noise": lambda: chain(
        layers.GaussianNoise(0.4), layers.Dense(16, "silu"), layers.GaussianNoise(0.2)
    ),
}
"""Networks with Keras' own dropout, one layer after the other."""

GENERAL_LAYERS: dict[str, Callable[[], list[Any]]] = {
    "AveragePooling1D": lambda: [sequence(), layers.AveragePooling1D(2), layers.Flatten()],
    "AveragePooling2D": lambda: [picture(), layers.AveragePooling2D(2), layers.Flatten()],
    "Conv1D": lambda: [sequence(), layers.Conv1D(4, 2, activation="relu"), layers.Flatten()],
    "Conv2D": lambda: [picture(), layers.Conv2D(4, 2, activation="relu"), layers.Flatten()],
    "ELU": lambda: [layers.ELU(0.7)],
    "GlobalAveragePooling1D": lambda: [sequence(), layers.GlobalAveragePooling1D()],
    "GlobalAveragePooling2D": lambda: [picture(), layers.GlobalAveragePooling2D()],
    "GlobalMaxPooling2D": lambda: [picture(), layers.GlobalMaxPooling2D()],
    "MaxPooling2D": lambda: [picture(), layers.MaxPooling2D(2), layers.Flatten()],
    "GlobalMaxPooling1D": lambda: [sequence(), layers.GlobalMaxPooling1D()],
    "GroupNormalization": lambda: [layers.GroupNormalization(3)],
    "LayerNormalization": lambda: [layers.LayerNormalization()],
    "LeakyReLU": lambda: [layers.LeakyReLU(0.2)],
    "MaxPooling1D": lambda: [sequence(), layers.MaxPooling1D(2), layers.Flatten()],
    "PReLU": lambda: [layers.PReLU()],
    "Permute": lambda: [sequence(), layers.Permute((2, 1)), layers.Flatten()],
    "RepeatVector": lambda: [layers.RepeatVector(3), layers.Flatten()],
    "UnitNormalization": lambda: [layers.UnitNormalization()],
}
"""Layers that only the general execution runs, each in a chain; `Average` merges, see below."""


def chain(*middle: Any) -> Any:
    """Scaled inputs, the layers given, softmax."""
    inputs = keras.Input((FEATURES,))
    outputs = normalized(inputs)
    for layer in middle:
        outputs = layer(outputs)
    return finished(inputs, outputs)


WITHOUT_IMPUTING = {
    *("twice", "nested", "branches", "operators", "gaussian", "noisy"),
    *("sigmoid", *HEAD_OUTPUTS, *GENERAL),
}
"""Networks that take no missing value."""


def sequence() -> Any:
    """Twelve units as six steps of two."""
    return layers.Reshape((6, 2))


def picture() -> Any:
    """Twelve units as two by three places of two channels."""
    return layers.Reshape((2, 3, 2))


def average() -> Any:
    """Two random branches, averaged."""
    inputs = keras.Input((FEATURES,))
    scaled = normalized(inputs)
    branches = [layers.Dense(6)(MCDropout(0.3)(scaled)) for _ in range(2)]
    return finished(inputs, layers.Average()(branches))


def furthest(first: tuple[Floats, ...], second: tuple[Floats, ...]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))


def moments(draws: Floats) -> tuple[Floats, Floats]:
    return draws.mean(axis=0), draws.std(axis=0)


def check_against_the_loop(model: Any, ran: Engine, passes: int, *, missing: bool) -> float:
    """The largest distance of mean and std from the loop's, over twelve rows."""
    features = rows(12, 2, missing=missing)
    (summary,) = ran.summarise([Query(features, passes, 42)])
    return furthest((summary.mean, summary.std), moments(loop(model, features, passes, 42)))


@pytest.mark.claim("oracle", test=10, proof=1_000)
@pytest.mark.parametrize("name", [*on_both([*NETWORKS, "3"]), *GENERAL])
def test_agrees_with_the_loop(name: str, count: int, record_property: Record) -> None:
    """Mean and std are those of the plain loop given the same noise, within 1e-6."""
    bare, _, _ = name.partition(", ")
    missing = bare not in WITHOUT_IMPUTING
    distance = check_against_the_loop(network(name), engine(name), count, missing=missing)
    record_property("figure", f"furthest {distance:.1e}")
    assert distance < TOLERANCE


def test_every_layer_of_the_general_execution_is_tested() -> None:
    """A layer on the general list without a case here fails."""
    assert {*GENERAL_LAYERS, "Average"} == FIXED_SHAPE


@pytest.mark.parametrize("name", [*GENERAL_LAYERS, "Average"])
def test_general_layers_agree_with_the_loop(name: str) -> None:
    """Each layer that only the general execution runs gives what Keras' own call gives."""
    model = average() if name == "Average" else between(*GENERAL_LAYERS[name]())
    ran = engine_of(model)
    assert ran.path == "graph"
    assert check_against_the_loop(model, ran, 4, missing=False) < TOLERANCE
    features = rows(7, 4)
    alone = [ran.summarise([Query(features[at : at + 1], 60, 3)])[0].mean for at in range(7)]
    together = ran.summarise([Query(features, 60, 3), Query(features, 9, 4)])[0].mean
    assert np.concatenate(alone).tobytes() == together.tobytes()


@pytest.mark.parametrize("name", list(NETWORKS))
def test_both_executions_agree(name: str) -> None:
    """The lean and the general execution give one network's mean and std within 1e-6."""
    laid = flatten(network(name))
    program = program_of(laid)
    assert program is not None
    lean, general = Stacked(program), Graph(laid)
    query = Query(rows(8, 5), 100, 6)
    drawn = [ran.draws(blocks_of(laid.calls, [query])) for ran in (lean, general)]
    first, second = (moments(draws.astype(np.float64).swapaxes(0, 1)) for draws in drawn)
    assert furthest(first, second) < TOLERANCE
    deterministic = [ran.deterministic(query.features) for ran in (lean, general)]
    assert np.abs(deterministic[0] - deterministic[1]).max() < TOLERANCE


@pytest.mark.claim("distribution", test=5_000, proof=200_000)
@pytest.mark.parametrize("name", list(TRAINED))
def test_is_distributed_as_keras_own_dropout(
    name: str, count: int, record_property: Record
) -> None:
    """At T passes each class' mean and std are within 4.5 standard errors of Keras' dropout's."""
    trained = TRAINED[name]()
    features = rows(3, 8)
    keras.utils.set_random_seed(9)
    theirs = np.stack([training_dropout(trained, row, count) for row in features], axis=1)
    ours = engine_of(with_monte_carlo(trained)).draws(Query(features, count, 10))
    scores = [
        np.abs(ours.mean(axis=0) - theirs.mean(axis=0))
        / np.hypot(error_of_mean(ours), error_of_mean(theirs)),
        np.abs(ours.std(axis=0) - theirs.std(axis=0))
        / np.hypot(error_of_std(ours), error_of_std(theirs)),
    ]
    worst = float(np.max(scores))
    record_property("figure", f"worst of {np.size(scores)} z-scores {worst:.1f}")
    assert worst < 4.5


def attending(heads: Any) -> Any:
    """A network of three steps that attend to each other."""
    inputs = keras.Input((FEATURES,))
    steps = layers.Reshape((3, 3))(inputs)
    return finished(inputs, layers.Flatten()(heads(steps, steps)))


def training_dropout(model: Any, row: Floats, passes: int) -> Floats:
    """Draws `(T, C)`: each layer in turn, `training=True` for Keras' dropout alone."""
    values: Any = np.repeat(row[None].astype(np.float32), passes, axis=0)
    for layer in model.layers[1:]:
        random = type(layer) in {*MONTE_CARLO_OF, *REPLACED}
        given = [values] * (2 if isinstance(layer, layers.MultiHeadAttention) else 1)
        values = layer(*given, training=True) if random else layer(*given)
    return np.asarray(values, np.float64)


def error_of_mean(draws: Floats) -> Floats:
    return draws.std(axis=0) / np.sqrt(len(draws))


def error_of_std(draws: Floats) -> Floats:
    """The delta method: Var[s] is about (m4 − s⁴) / (4 s² T)."""
    deviations, variance = draws - draws.mean(axis=0), draws.var(axis=0)
    fourth = (deviations**4).mean(axis=0)
    return np.sqrt((fourth - variance**2) / (4 * variance * len(draws)))


@pytest.mark.parametrize("name", [*on_both(NETWORKS), *GENERAL])
def test_the_deterministic_pass_is_keras_without_dropout(name: str) -> None:
    """`predict` is Keras' own call with every Monte-Carlo layer left out, within 1e-6."""
    features = rows(9, 6)
    expected = inert(network(name), features)
    assert np.abs(engine(name).predict(features) - expected).max() < TOLERANCE


def test_draws_have_one_row_of_probabilities_a_pass() -> None:
    """Draws are `(T, N, C)` and every pass of every row sums to 1."""
    draws = engine("study").draws(Query(rows(5), 101, 0))
    assert draws.shape == (101, 5, 7)
    assert np.abs(draws.sum(axis=-1) - 1).max() < 1e-6


def test_rows_of_one_query_share_masks() -> None:
    """Equal rows of one query have equal draws: neither row nor position enters the stream."""
    draws = engine("study").draws(Query(np.repeat(rows(1), 4, axis=0), 60, 5))
    assert (draws == draws[:, :1]).all()


def test_a_row_that_is_not_a_number_leaves_the_others_alone() -> None:
    """One row of NaN changes no bit of its neighbours."""
    features = rows(6)
    spoilt = features.copy()
    spoilt[3, 0] = np.nan
    with np.errstate(invalid="ignore"):
        (found,) = engine("study").summarise([Query(spoilt, 60, 1)])
    (clean,) = engine("study").summarise([Query(features, 60, 1)])
    others = [0, 1, 2, 4, 5]
    assert (found.mean[others] == clean.mean[others]).all()
    assert np.isnan(found.mean[3]).all()


def test_no_query_has_no_answer() -> None:
    """An empty batch gives an empty list."""
    assert engine("study").summarise([]) == []


def test_a_nested_model_called_by_the_names_of_its_inputs() -> None:
    """A nested model called with a dictionary is refused: its inputs could be swapped."""
    left, right = keras.Input((4,), name="z"), keras.Input((4,), name="a")
    difference = keras.Model([left, right], layers.Subtract()([left, right]))
    inputs = keras.Input((FEATURES,))
    scaled = MCDropout(0.3)(normalized(inputs))
    given = {"z": layers.Dense(4)(scaled), "a": layers.Dense(4)(scaled)}
    model = finished(inputs, difference(given))
    with pytest.raises(NetworkError, match="called in an unsupported way"):
        engine_of(model)


@pytest.mark.parametrize("kind", ["int32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_an_input_of_another_type(kind: str, activation: str) -> None:
    """A network whose input is not float32 runs on either execution, draws and plain pass."""
    inputs = keras.Input((FEATURES,), dtype=kind)
    hidden = layers.Dense(8, activation=activation)(layers.Rescaling(1e-4)(inputs))
    if activation == "relu":
        hidden = layers.Dense(8, activation=activation)(inputs)
    model = filled(
        keras.Model(inputs, layers.Dense(7, activation="softmax")(MCDropout(0.5)(hidden)))
    )
    ran = engine_of(model)
    features = np.floor(rows(5) / 100)
    (summary,) = ran.summarise([Query(features, 20, 1)])
    mean = loop(model, features, 20, 1).mean(axis=0)
    assert np.abs(summary.mean - mean).max() < TOLERANCE
    assert np.abs(ran.predict(features).sum(axis=1) - 1).max() < TOLERANCE


def test_a_network_in_double_precision() -> None:
    """A network of float64 layers agrees with the loop on the lean execution."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        model = between(layers.Dense(8, activation="relu"))
    finally:
        keras.config.set_dtype_policy(policy)
    ran = engine_of(model)
    assert ran.path == "stacked 3"
    assert check_against_the_loop(model, ran, 10, missing=False) < TOLERANCE
