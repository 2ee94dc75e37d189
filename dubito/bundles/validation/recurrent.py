"""Shape rules of Dubito's recurrent layers and of what their masks are made of."""

from collections.abc import Sequence
from functools import partial

from dubito.layer_shapes import (
    LayerSettings,
    LayerShape,
    Shape,
    bool_setting,
    setting,
    whole_setting,
)

SETTINGS = (
    "units activation recurrent_activation use_bias return_sequences go_backwards restores_order"
    " input_masks state_masks"
)
"""Names of the settings of every recurrent layer, separated by spaces."""
LSTM_GATES, GRU_GATES = 4, 3
MOST_STEPS = 10_000
"""Most steps of a sequence."""


def ones(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer ones, whose number the input does not change."""
    if len(shapes) != 1:
        raise ValueError("it takes one input")
    return LayerShape((whole_setting(setting(settings, "units"), "units"),))


def _recurrence(gates: int, settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    sequence, *masks = shapes
    if len(sequence) != 2 or sequence[0] > MOST_STEPS:
        raise ValueError(f"its input is not at most {MOST_STEPS} steps of features")
    steps, features = sequence
    units = whole_setting(setting(settings, "units"), "units")
    of_inputs = whole_setting(setting(settings, "input_masks"), "input_masks", 0)
    if of_inputs not in (0, 1, gates):
        raise ValueError(f"it has {of_inputs} masks of its inputs for {gates} gates")
    of_states = bool_setting(settings, "state_masks")
    wanted = [(of_inputs * features,)] * bool(of_inputs) + [(gates * units,)] * of_states
    if masks != wanted:
        raise ValueError("its masks do not fit its inputs and its state")
    if "glu" in (setting(settings, "activation"), setting(settings, "recurrent_activation")):
        raise ValueError("its activation gives half as many values as it gets")
    for name in ("go_backwards", "restores_order"):
        bool_setting(settings, name)
    width = gates * units
    both = gates == GRU_GATES and bool_setting(settings, "reset_after")
    bias: Shape = (2, width) if both else (width,)
    weights = ((features, width), (units, width))
    output = (steps, units) if bool_setting(settings, "return_sequences") else (units,)
    every = (*weights, bias) if bool_setting(settings, "use_bias") else weights
    return LayerShape(output, every, steps)


lstm = partial(_recurrence, LSTM_GATES)
"""Rule of `MaskedLSTM`."""
gru = partial(_recurrence, GRU_GATES)
"""Rule of `MaskedGRU`, whose settings have `reset_after`."""
