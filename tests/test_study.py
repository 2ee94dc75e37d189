"""The study, row by row: what its notebook states, and what therefore has to work."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from benchmarks.lessons.dropout import selu_moments
from benchmarks.lessons.penalties import decays
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.engine import Engine
from dubito.layers.monte_carlo import MCDropout
from dubito.layout import Layout
from dubito.loans.columns import LAYOUT
from dubito.training.architecture import Architecture
from dubito.training.columns import ClassReader
from dubito.training.data import Table
from dubito.training.fit import fit
from dubito.training.heads import ClassHead
from dubito.training.monte_carlo import with_monte_carlo
from dubito.training.recipe import PenaltyWarning, Recipe
from dubito.types import Query
from tests.networks import called, engine, family, plain, rows

layers = keras.layers
Record = Callable[[str, object], None]


def three_layers(penalty: Any = None) -> Any:
    """The study's network from loan amount and interest to income: 2, 2 and 1 units."""
    inputs = keras.Input((2,))
    outputs = inputs
    for units in (2, 2, 1):
        outputs = layers.Dense(
            units,
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(seed=units),
            kernel_regularizer=penalty,
        )(outputs)
    return keras.Model(inputs, outputs)


def test_the_plain_network_has_no_losses() -> None:
    """Without penalties `model.losses` is an empty list, after a call as well."""
    model = three_layers()
    model(np.ones((4, 2), np.float32))
    assert model.losses == []
    assert plain().losses == []


@pytest.mark.parametrize(
    ("penalty", "norm"),
    [
        (keras.regularizers.L1(0.01), lambda kernel: np.abs(kernel).sum()),
        (keras.regularizers.L2(0.01), lambda kernel: np.square(kernel).sum()),
    ],
    ids=["L1", "L2"],
)
def test_each_regularised_layer_has_a_loss(penalty: Any, norm: Callable[[Any], float]) -> None:
    """After a call `model.losses` holds 0.01 times each kernel's norm, layer by layer."""
    model = three_layers(penalty)
    model(np.ones((4, 2), np.float32))
    expected = [0.01 * norm(np.asarray(layer.kernel)) for layer in model.layers[1:]]
    np.testing.assert_allclose([float(loss) for loss in model.losses], expected, rtol=1e-5)
    assert len(model.losses) == 3


@pytest.mark.parametrize("choices", [{"l1": 0.01}, {"l2": 0.02}, {"l1": 0.01, "l2": 0.02}])
def test_the_familys_penalties_show_in_its_losses(choices: dict[str, Any]) -> None:
    """One loss per hidden kernel, as the choices say, before and after conversion."""
    model = plain(widths=(16, 8), **choices)
    kernels = [np.asarray(model.get_layer(f"hidden_{at}").kernel) for at in range(2)]
    expected = [
        choices.get("l1", 0) * np.abs(kernel).sum() + choices.get("l2", 0) * np.square(kernel).sum()
        for kernel in kernels
    ]
    for network in (model, with_monte_carlo(model)):
        np.testing.assert_allclose([float(loss) for loss in network.losses], expected, rtol=1e-5)


def test_l2_with_adam_warns() -> None:
    """L2 is not combined with Adam and its kin, and the warning says what to take instead."""
    recipe = Recipe(architecture=Architecture(l2=0.01), optimizer="adamw")
    with pytest.warns(PenaltyWarning, match="use weight decay"):
        recipe.make_optimizer(10)
    optimizer = Recipe(architecture=Architecture(l2=0.01), optimizer="sgd").make_optimizer(10)
    assert (optimizer.momentum, optimizer.nesterov) == (0.9, True)


def test_dropout_at_three_quarters_multiplies_by_four() -> None:
    """14,400,000 becomes 57,600,000 or 0, in Keras' training and in ours; else it is unchanged."""
    values = np.full((1, 1000), 14_400_000, np.float32)
    trained = np.asarray(layers.Dropout(0.75, seed=1)(values, training=True))
    ours = np.asarray(MCDropout(0.75, seed=1)(values))
    assert set(trained.ravel()) == set(ours.ravel()) == {0, 57_600_000}
    assert (np.asarray(layers.Dropout(0.75)(values, training=False)) == values).all()


def test_a_hundred_passes_of_one_row() -> None:
    """T = 100 on one row is `(100, 1, 7)`; the mean over it is the answer, the std is there."""
    query = Query(rows(1), 100, 42)
    draws = engine("study").draws(query)
    (summary,) = engine("study").summarise([query])
    assert draws.shape == (100, 1, 7)
    np.testing.assert_allclose(draws.mean(axis=0), summary.mean, rtol=1e-12)
    np.testing.assert_allclose(draws.std(axis=0), summary.std, rtol=1e-9)
    assert summary.std.max() > 0.01


@pytest.mark.claim("batch-norm", test=100, proof=1_000)
def test_requests_leave_batch_normalization_alone(count: int, record_property: Record) -> None:
    """After Monte-Carlo requests every weight of a BatchNorm network has the bits it had."""
    model = family(batch_norm=True)
    ran = engine_of(model)
    before = [np.asarray(weight).tobytes() for weight in model.variables]
    for seed in range(count):
        ran.summarise([Query(rows(3, seed), 100, seed)])
    after = [np.asarray(weight).tobytes() for weight in model.variables]
    record_property("figure", f"{len(after)} weights")
    assert after == before
    assert any("moving_mean" in weight.path for weight in model.variables)


@pytest.mark.parametrize("classes", [tuple("ABCDEFG"), tuple("BCADEFG")])
def test_labels_map_as_string_lookup_maps_them(classes: tuple[str, ...]) -> None:
    """Labels become the indices that StringLookup gives seven tokens, none out of vocabulary."""
    labels = np.random.default_rng(0).choice(list("ABCDEFG"), 500).tolist()
    layout = Layout(LAYOUT.features, LAYOUT.target, classes)
    lookup = layers.StringLookup(vocabulary=list(classes), num_oov_indices=0)
    assert ClassReader(layout).read(labels).tolist() == np.asarray(lookup(labels)).tolist()


def test_the_classes_have_their_natural_order() -> None:
    """StringLookup would order by frequency; a bundle's order is A to G, and it is stated."""
    assert LAYOUT.classes == tuple("ABCDEFG")


def test_the_ordinary_prediction_over_a_hundred_rows() -> None:
    """The argmax path: grades of 100 rows are `np.argmax(model.predict(rows))`'s."""
    model = plain()
    features = rows(100, 12)
    expected = np.argmax(model.predict(features.astype(np.float32), verbose=0), axis=1)
    found = converted(model).predict(features)
    assert np.argmax(found, axis=1).tolist() == expected.tolist()
    np.testing.assert_allclose(found, called(model, features), atol=1e-6)


def learnable(count: int, seed: int) -> Table:
    """Rows `(N, 9)` whose class, one of two, is the sign of their first feature."""
    features = np.random.default_rng(seed).normal(size=(count, 9))
    return Table(features, (features[:, 0] > 0).astype(np.intp), "made", "")


def trained(recipe: Recipe, noise: int = 0) -> tuple[Any, dict[str, list[float]]]:
    """A network and its curves; the first so many labels are wrong."""
    table, history = learnable(300, 0), keras.callbacks.History()
    table.labels[:noise] = 1 - table.labels[:noise]
    nothing, head = [None] * 9, ClassHead(2)
    model = fit(recipe, table, learnable(100, 1), nothing, head, 0, verbose=0, callbacks=[history])
    return model, history.history


def kernels(**choice: Any) -> Any:
    """The hidden weights `(K,)` after training with a penalty."""
    shape = Architecture(widths=(32,), rate=0.1, **choice)
    recipe = Recipe(shape, optimizer="sgd", learning_rate=0.1, batch=64, epochs=20, patience=20)
    return np.asarray(trained(recipe)[0].get_layer("hidden_0").kernel).ravel()


@pytest.mark.claim("the study", test=0, proof=1)
def test_l1_is_sparse_and_l2_shrinks() -> None:
    """L1 takes most weights near zero; L2 makes them smaller, and few of them near zero."""
    plain_ones, sparse, small = kernels(), kernels(l1=0.01), kernels(l2=0.01)
    assert np.mean(np.abs(sparse) < 0.01) > 0.5
    assert np.mean(np.abs(small) < 0.01) < 0.2
    assert np.square(small).sum() < 0.5 * np.square(plain_ones).sum()


def test_l2_under_adam_is_no_decay() -> None:
    """Under SGD and AdamW equal weights shrink alike; under Adam, by their gradients' size."""
    left = {name: (small, large) for name, small, large in decays()}
    for name in ("SGD with L2", "AdamW"):
        small, large = left[name]
        assert small == pytest.approx(large, rel=0.02)
    small, large = left["Adam with L2"]
    assert large > small + 0.2


@pytest.mark.claim("the study", test=0, proof=1)
def test_dropout_before_the_output_alone_is_weaker() -> None:
    """With dropout on every layer a network learns wrong labels by heart less."""
    losses = {}
    for placement in ("every", "output"):
        shape = Architecture(widths=(64, 64), rate=0.4, placement=placement)
        recipe = Recipe(shape, learning_rate=0.01, batch=64, epochs=40, patience=40)
        table = learnable(300, 0)
        table.labels[:90] = 1 - table.labels[:90]
        # Watched on its own rows, so that the weights kept are those that know them best.
        model = fit(recipe, table, table, [None] * 9, ClassHead(2), 0, verbose=0)
        wrong = engine_of(model).predict(table.features)[range(90), table.labels[:90]]
        losses[placement] = -np.log(wrong).mean()
    assert losses["every"] > losses["output"] + 0.3


def test_alpha_dropout_keeps_what_selu_keeps() -> None:
    """Behind eight layers mean and std are 0 and 1 with alpha dropout, not with dropout."""
    mean, std = selu_moments(layers.AlphaDropout)
    assert max(abs(mean), abs(std - 1)) < 0.1
    mean, std = selu_moments(layers.Dropout)
    assert max(abs(mean), abs(std - 1)) > 0.1


def test_training_mode_moves_batch_normalization() -> None:
    """`training=True` adapts moving statistics, which is why no request is answered with it."""
    model = plain(batch_norm=True)
    moving = [weight for weight in model.variables if "moving" in weight.path]
    before = [np.asarray(weight).copy() for weight in moving]
    model(rows(20).astype(np.float32), training=True)
    assert len(before) == 4
    assert not any(np.array_equal(was, now) for was, now in zip(before, moving, strict=True))


def test_early_stopping_keeps_the_best_weights() -> None:
    """It stops `patience` epochs after the least validation loss, and goes back to its weights."""
    shape = Architecture(widths=(64,), rate=0.01, placement="output")
    recipe = Recipe(shape, learning_rate=0.02, batch=64, epochs=60, patience=2)
    model, curves = trained(recipe, noise=90)
    best = int(np.argmin(curves["val_loss"]))
    assert best + 1 + recipe.patience == len(curves["val_loss"]) < recipe.epochs
    shorter, _ = trained(
        Recipe(shape, learning_rate=0.02, batch=64, epochs=best + 1, patience=60), noise=90
    )
    for kept, expected in zip(model.get_weights(), shorter.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, expected)


def converted(model: Any) -> Engine:
    return engine_of(with_monte_carlo(model))
