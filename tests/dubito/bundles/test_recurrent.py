"""Shape rules of recurrent layers: Keras' own shapes, and settings that contradict their inputs."""

from typing import Any

import keras
import pytest

from dubito.bundles.validation.shapes import rule_of
from dubito.layers.recurrent import MaskedGRU, MaskedLSTM, Ones

STEPS, FEATURES, UNITS = 5, 3, 4
GATES = {"MaskedLSTM": 4, "MaskedGRU": 3}


def layer(kind: str, **choices: Any) -> Any:
    return {"MaskedLSTM": MaskedLSTM, "MaskedGRU": MaskedGRU}[kind](UNITS, **choices)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("input_masks", [0, 1, None], ids=["none", "one", "each"])
@pytest.mark.parametrize("state_masks", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_shapes_are_keras_own(
    kind: str,
    input_masks: int | None,
    state_masks: bool,
    use_bias: bool,
    return_sequences: bool,
) -> None:
    """Of the output and of every weight, for each way of being masked."""
    masks = GATES[kind] if input_masks is None else input_masks
    made = layer(
        kind,
        use_bias=use_bias,
        return_sequences=return_sequences,
        input_masks=masks,
        state_masks=state_masks,
    )
    widths = [masks * FEATURES] * bool(masks) + [GATES[kind] * UNITS] * state_masks
    inputs = [keras.Input((STEPS, FEATURES)), *(keras.Input((width,)) for width in widths)]
    output = made(inputs if len(inputs) > 1 else inputs[0])
    found = rule_of(kind)(made.get_config(), [tuple(one.shape[1:]) for one in inputs])
    assert found.output == tuple(output.shape[1:])
    assert list(found.weights) == [tuple(weight.shape) for weight in made.weights]


def test_work_counts_every_step() -> None:
    """A sequence of twice the steps is twice the work, with the same weights."""
    settings = layer("MaskedGRU").get_config()
    first, second = (rule_of("MaskedGRU")(settings, [(n, FEATURES)]) for n in (STEPS, 2 * STEPS))
    assert (first.weights, 2 * first.uses) == (second.weights, second.uses)


def test_ones_are_as_many_as_asked() -> None:
    """Whatever the input is."""
    made = Ones(7)
    output = made(keras.Input((STEPS, FEATURES)))
    assert rule_of("Ones")(made.get_config(), [(STEPS, FEATURES)]).output == output.shape[1:]


WRONG: dict[str, tuple[dict[str, Any], list[tuple[int, ...]], str]] = {
    "no sequence": ({}, [(FEATURES,)], "steps of features"),
    "too many steps": ({}, [(10_001, FEATURES)], "at most 10000 steps"),
    "a mask too many": ({}, [(STEPS, FEATURES), (FEATURES,)], "masks do not fit"),
    "a mask missing": ({"state_masks": True}, [(STEPS, FEATURES)], "masks do not fit"),
    "a narrow mask": ({"input_masks": 1}, [(STEPS, FEATURES), (2,)], "masks do not fit"),
    "masks of two gates": ({"input_masks": 2}, [(STEPS, FEATURES)], "2 masks of its inputs"),
    "no units": ({"units": 0}, [(STEPS, FEATURES)], "units"),
    "units of text": ({"units": "4"}, [(STEPS, FEATURES)], "units"),
    "half of a gate": ({"recurrent_activation": "glu"}, [(STEPS, FEATURES)], "half as many"),
    "half of a state": ({"activation": "glu"}, [(STEPS, FEATURES)], "half as many"),
    "a bias of text": ({"use_bias": "no"}, [(STEPS, FEATURES)], "use_bias"),
}


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("name", WRONG)
def test_contradictions_are_refused(kind: str, name: str) -> None:
    """In a sentence that names the setting or the inputs."""
    changes, shapes, sentence = WRONG[name]
    settings = layer(kind).get_config() | changes
    with pytest.raises(ValueError, match=sentence):
        rule_of(kind)(settings, shapes)
