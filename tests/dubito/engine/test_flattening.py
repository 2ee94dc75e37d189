"""Laying networks flat: the order of Monte-Carlo calls, and what is refused in which words."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from dubito.engine.compiler.compiler import engine_of
from dubito.engine.compiler.flattening import flatten
from dubito.errors import NetworkError
from dubito.layers.archive import from_bytes, to_bytes
from dubito.layers.monte_carlo import MCAlphaDropout, MCDropout
from dubito.types import Query
from tests.networks import FEATURES, GENERAL, NETWORKS, between, finished, network, normalized, rows

layers = keras.layers


def names(model: Any) -> list[str]:
    return [step.layer.name for step in flatten(model).steps]


@pytest.mark.parametrize("name", [*NETWORKS, *GENERAL])
def test_steps_come_after_what_they_read(name: str) -> None:
    """Every step reads slots written before it, and no slot is written twice."""
    written = {0}
    for step in flatten(network(name)).steps:
        assert written.issuperset(step.inputs)
        assert step.output not in written
        written.add(step.output)
    assert flatten(network(name)).result in written


@pytest.mark.parametrize("name", [*NETWORKS, *GENERAL])
def test_random_is_what_a_monte_carlo_call_reaches(name: str) -> None:
    """A step is random exactly if a Monte-Carlo call is among its ancestors or it is one."""
    reached: set[int] = set()
    for step in flatten(network(name)).steps:
        expected = step.call is not None or bool(reached & set(step.inputs))
        assert step.random == expected
        reached |= {step.output} if expected else set()


@pytest.mark.parametrize("name", [*NETWORKS, *GENERAL])
def test_the_order_of_calls_survives_saving(name: str) -> None:
    """A network read back from its bytes has the same steps, and its draws the same bits."""
    model = network(name)
    read = from_bytes(to_bytes(model))
    again = from_bytes(to_bytes(read))
    assert names(model) == names(read) == names(again)
    query = Query(rows(3), 20, 4)
    assert (engine_of(model).draws(query) == engine_of(read).draws(query)).all()


@pytest.mark.parametrize(
    ("name", "calls"), [("study", 3), ("twice", 2), ("nested", 3), ("branches", 2)]
)
def test_every_call_has_an_ordinal_of_its_own(name: str, calls: int) -> None:
    """A layer called twice, a model called twice and parallel branches are separate calls."""
    assert len(flatten(network(name)).calls) == calls


def test_two_calls_never_share_a_mask() -> None:
    """Two dropouts of one rate on one tensor drop different units: their difference is not 0."""
    inputs = keras.Input((FEATURES,))
    once = MCDropout(0.5)
    for pair in ([once, once], [MCDropout(0.5), MCDropout(0.5)]):
        difference = layers.Subtract()([layer(inputs) for layer in pair])
        draws = engine_of(finished(inputs, difference)).draws(Query(rows(1), 50, 0))
        assert draws.std(axis=0).max() > 0.01


def test_what_comes_before_the_first_call_is_not_random() -> None:
    """Imputing, normalising and a first dense layer are computed once a row."""
    steps = flatten(network("residual")).steps
    assert [step.layer.name for step in steps if not step.random] == [
        "impute",
        "normalization",
        "hidden_0",
    ]


class Foreign(keras.layers.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dropout = MCDropout(0.5)

    def call(self, inputs: Any) -> Any:
        return self.dropout(inputs)


class Doubled(keras.Model):
    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        return 2 * super().call(inputs)


class NoisyDropout(MCDropout):
    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return super().call(inputs) + 1


def two_inputs() -> Any:
    inputs = [keras.Input((4,)), keras.Input((4,))]
    return keras.Model(inputs, layers.Dense(3)(MCDropout(0.5)(layers.Add()(inputs))))


def two_outputs() -> Any:
    inputs = keras.Input((4,))
    outputs = MCDropout(0.5)(inputs)
    return keras.Model(inputs, [layers.Dense(3)(outputs), layers.Dense(2)(outputs)])


def of_shape(*shape: int | None) -> Any:
    inputs = keras.Input(shape)
    return keras.Model(inputs, MCDropout(0.5)(inputs))


def stack(*middle: Any) -> Any:
    return keras.Sequential([keras.Input((9,)), *middle, layers.Dense(7, activation="softmax")])


def called_by_keyword() -> Any:
    inputs = keras.Input((9,))
    outputs = MCDropout(0.5)(inputs=inputs)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(outputs))


def calculated(change: Callable[[Any], Any]) -> Any:
    inputs = keras.Input((9,))
    outputs = change(MCDropout(0.5)(inputs))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(outputs))


def doubled() -> Any:
    inputs = keras.Input((9,))
    return Doubled(inputs, layers.Dense(3, activation="softmax")(MCDropout(0.5)(inputs)))


def unused() -> Any:
    inputs = keras.Input((9,))
    MCDropout(0.5)(inputs)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(inputs))


SINGLE = "^the network is not a Functional or Sequential model with one input"
ROWS = "^the network does not map rows of features to rows of classes$"
EFFECT = "^no Monte-Carlo layer has any effect on the network's output$"
PLAN = "^layer .* is called in an unsupported way$"
MASK = "^the mask of layer .* does not have a fixed shape of its own$"


def of_class(name: str) -> str:
    return f"^layer .* is of class {name}, which the engine does not run$"


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "two inputs": (two_inputs, SINGLE),
    "two outputs": (two_outputs, SINGLE),
    "subclassed model": (Subclassed, SINGLE),
    "unbuilt Sequential": (lambda: keras.Sequential([MCDropout(0.5), layers.Dense(3)]), SINGLE),
    "not a model": (lambda: layers.Dense(3), SINGLE),
    "sequences": (lambda: of_shape(4, 3), ROWS),
    "open width": (lambda: of_shape(None), ROWS),
    "no Monte-Carlo layer": (lambda: stack(layers.Dense(4)), EFFECT),
    "Monte-Carlo layer beside the output": (unused, EFFECT),
    "foreign layer": (lambda: between(Foreign()), of_class("Foreign")),
    "Lambda": (lambda: between(layers.Lambda(lambda x: 2 * x)), of_class("Lambda")),
    "plain Dropout": (lambda: between(layers.Dropout(0.5)), of_class("Dropout")),
    "plain AlphaDropout": (lambda: between(layers.AlphaDropout(0.5)), of_class("AlphaDropout")),
    "GaussianNoise": (lambda: between(layers.GaussianNoise(1.0)), of_class("GaussianNoise")),
    "GaussianDropout": (lambda: between(layers.GaussianDropout(0.5)), of_class("GaussianDropout")),
    "LSTM": (lambda: between(layers.Reshape((4, 3)), layers.LSTM(4)), of_class("LSTM")),
    "wrapper": (
        lambda: between(layers.SpectralNormalization(layers.Dense(4))),
        of_class("SpectralNormalization"),
    ),
    "subclassed model inside": (lambda: between(Subclassed()), of_class("Subclassed")),
    "mask of a batch": (lambda: stack(MCDropout(0.5, noise_shape=(3, 9))), MASK),
    "mask of another rank": (lambda: stack(MCDropout(0.5, noise_shape=(9,))), MASK),
    "mask that does not fit": (lambda: stack(MCDropout(0.5, noise_shape=(None, 3))), MASK),
    "constant": (lambda: calculated(lambda x: x + 1.0), PLAN),
    "boolean constant": (lambda: calculated(lambda x: x + True), PLAN),
    "rate 0": (lambda: stack(MCDropout(0.0)), "rate"),
    "rate 1": (lambda: stack(MCDropout(1.0)), "rate"),
    "changed model": (doubled, "."),
    "changed Monte-Carlo layer": (lambda: stack(NoisyDropout(0.5)), "."),
    "activation of one's own": (
        lambda: between(layers.Dense(4, activation=shifted)),
        ".",
    ),
    "softmax over rows": (lambda: between(layers.Softmax(axis=0)), "."),
    "unit normalization over rows": (lambda: between(layers.UnitNormalization(axis=0)), "."),
    "concatenated rows": (
        lambda: calculated(lambda x: layers.Concatenate(axis=0)([x, x])),
        ".",
    ),
    "softmax operator over rows": (
        lambda: calculated(lambda x: keras.ops.softmax(x, axis=0)),
        ".",
    ),
    "reshaped rows": (
        lambda: calculated(
            lambda x: keras.ops.reshape(layers.Dense(18)(keras.ops.reshape(x, (-1, 18))), (-1, 9))
        ),
        ".",
    ),
}


def shifted(x: Any) -> Any:
    return x + keras.random.uniform(())


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_run_is_refused_by_its_sentence(name: str) -> None:
    """A network outside of the contract is refused when the engine is made, in one sentence."""
    make, sentence = REFUSED[name]
    model = make()
    with pytest.raises(NetworkError, match=sentence):
        engine_of(model)


def test_a_layer_called_by_keyword_runs_or_is_refused() -> None:
    """`layer(inputs=x)` is as good as `layer(x)`, or refused by a sentence, but no crash."""
    model = called_by_keyword()
    try:
        ran = engine_of(model)
    except NetworkError:
        return
    assert ran.draws(Query(rows(2), 5, 0)).shape == (5, 2, 3)


def test_alpha_dropout_and_dropout_are_both_monte_carlo() -> None:
    """Both of our layers have masks, by their `noise_shape` where they have one."""
    model = stack(MCDropout(0.5), MCAlphaDropout(0.5, noise_shape=(None, 1)))
    assert [call.shape for call in flatten(model).calls] == [(9,), (1,)]


def test_a_shared_mask_for_the_batch_is_a_mask_of_the_pass() -> None:
    """A `noise_shape` of 1 for the batch is one mask for all rows, as every pass has."""
    model = stack(MCDropout(0.5, noise_shape=(1, 9)))
    assert flatten(model).calls[0].shape == (9,)


def test_a_functional_model_of_one_named_input_is_laid_flat() -> None:
    """A model whose single input stands in a dictionary is run like any other."""
    inputs = keras.Input((9,), name="row")
    outputs = layers.Dense(3, activation="softmax")(MCDropout(0.5)(normalized(inputs)))
    model = keras.Model({"row": inputs}, outputs)
    assert np.isfinite(engine_of(model).predict(rows(2))).all()
