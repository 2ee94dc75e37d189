"""Attention: its shape rule is Keras', and it computes what Keras' own layer computes."""

from typing import Any

import keras
import numpy as np
import pytest

from dubito.bundles.validation.shapes import rule_of
from dubito.layers.attention import MaskedAttention

ASKING, STEPS = 4, 3
SIZES: dict[str, Any] = {"heads": 2, "key_units": 3, "value_units": 5, "output_units": 7}
SHAPES: list[tuple[int, ...]] = [(ASKING, 6), (STEPS, 8), (STEPS, 9)]
PAIRS = (SIZES["heads"] * ASKING * STEPS,)


def settings(**changes: Any) -> dict[str, Any]:
    return MaskedAttention(**SIZES).get_config() | changes


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_shapes_are_keras_own(use_bias: bool, masked: bool) -> None:
    """Of the output and of every weight, as of Keras' own layer with other sizes everywhere."""
    made = MaskedAttention(**SIZES, use_bias=use_bias, masked=masked)
    shapes = [*SHAPES, *([PAIRS] * masked)]
    output = made([keras.Input(shape) for shape in shapes])
    found = rule_of("MaskedAttention")(made.get_config(), shapes)
    theirs = keras.layers.MultiHeadAttention(2, 3, 5, use_bias=use_bias, output_shape=7)
    query, value, key = (keras.Input(shape) for shape in SHAPES)
    assert found.output == tuple(output.shape[1:]) == tuple(theirs(query, value, key).shape[1:])
    assert list(found.weights) == [tuple(weight.shape) for weight in made.weights]
    assert list(found.weights) == [tuple(weight.shape) for weight in theirs.weights]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
def test_it_is_keras_attention(causal: bool, use_bias: bool) -> None:
    """With the same weights, and a mask of ones or none."""
    random = np.random.default_rng(2)
    theirs = keras.layers.MultiHeadAttention(2, 3, 5, use_bias=use_bias, output_shape=7)
    query, value, key = (random.normal(size=(6, *shape)).astype(np.float32) for shape in SHAPES)
    theirs(query, value, key)
    theirs.set_weights([random.normal(size=one.shape) for one in theirs.get_weights()])
    expected = np.asarray(theirs(query, value, key, use_causal_mask=causal))
    for masked in (False, True):
        ours = MaskedAttention(**SIZES, use_bias=use_bias, masked=masked, causal=causal)
        given = [query, value, key, *([np.ones((6, *PAIRS), np.float32)] * masked)]
        ours(given)
        ours.set_weights(theirs.get_weights())
        np.testing.assert_allclose(np.asarray(ours(given)), expected, rtol=1e-5, atol=1e-5)


def test_a_mask_is_of_heads_and_pairs_of_steps() -> None:
    """Where the weights of one head and step are dropped, that head adds nothing to that step."""
    random = np.random.default_rng(3)
    ours = MaskedAttention(**SIZES, use_bias=False, masked=True)
    query, value, key = (random.normal(size=(1, *shape)).astype(np.float32) for shape in SHAPES)
    mask = np.ones((1, 2, ASKING, STEPS), np.float32)
    whole = np.asarray(ours([query, value, key, mask.reshape(1, -1)]))
    mask[0, 0, 1] = 0
    one_head = np.asarray(ours([query, value, key, mask.reshape(1, -1)]))
    mask[0, 1, 1] = 0
    none = np.asarray(ours([query, value, key, mask.reshape(1, -1)]))
    others = [0, 2, 3]
    assert (whole[0, others] == one_head[0, others]).all()
    assert (whole[0, 1] != one_head[0, 1]).all()
    assert not none[0, 1].any()


def test_work_counts_products_of_pairs() -> None:
    """Ten times the steps are more than ten times the work."""
    rule = rule_of("MaskedAttention")
    first, second = (rule(settings(), [(steps, 6)] * 3) for steps in (30, 300))
    assert 10 * first.uses < second.uses


WRONG: dict[str, tuple[dict[str, Any], list[tuple[int, ...]], str]] = {
    "no key": ({}, SHAPES[:2], "not a query, a value and a key"),
    "no steps": ({}, [(6,), *SHAPES[1:]], "not a query, a value and a key"),
    "a longer key": ({}, [*SHAPES[:2], (STEPS + 1, 9)], "differ in length"),
    "a mask too many": ({}, [*SHAPES, PAIRS], "mask does not fit"),
    "no mask": ({"masked": True}, SHAPES, "mask does not fit"),
    "a narrow mask": ({"masked": True}, [*SHAPES, (PAIRS[0] - 1,)], "mask does not fit"),
    "no heads": ({"heads": 0}, SHAPES, "heads"),
    "units of text": ({"key_units": "3"}, SHAPES, "key_units"),
    "a bias of text": ({"use_bias": "no"}, SHAPES, "use_bias"),
    "a cause of text": ({"causal": 1}, SHAPES, "causal"),
    "many pairs": ({}, [(2_000, 6)] * 3, "8000000 pairs of steps"),
}


@pytest.mark.parametrize("name", WRONG)
def test_contradictions_are_refused(name: str) -> None:
    """In a sentence that names the setting or the inputs."""
    changes, shapes, sentence = WRONG[name]
    with pytest.raises(ValueError, match=sentence):
        rule_of("MaskedAttention")(settings(**changes), shapes)
