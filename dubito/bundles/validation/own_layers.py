"""Dubito's own Keras layers as files contain them: settings, shapes and modules, without Keras."""

from collections.abc import Sequence

import numpy as np

from dubito.bundles.validation import attention, recurrent, spatial
from dubito.domains import DomainLayer
from dubito.layer_shapes import (
    LayerSettings,
    LayerShape,
    Shape,
    broadcast_into,
    one,
    setting,
    whole_setting,
)
from dubito.numerics.encoding import INPUT_KINDS, Encoding, InputEncoding
from dubito.numerics.kernels import Fill
from dubito.numerics.lookup import Binning, Selection, TokenLookup

MODULE = "dubito.layers"
"""Module that files name for Dubito's own layers."""
MOST_SLOTS = 100_000
"""Largest number of slots of one category, and of known numbers of one lookup."""
NO_INDEX = -1
"""Index that encodes as no slot at all."""


def _dropout(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer dropout; `noise_shape` must not contain the batch, as a mask belongs to one pass."""
    shape = one(shapes)
    noise = setting(settings, "noise_shape") or [None] * (len(shape) + 1)
    own = [size or length for size, length in zip(noise[1:], shape, strict=True)]
    if noise[0] not in (None, 1):
        raise ValueError("its noise_shape holds the batch")
    broadcast_into(tuple(whole_setting(size, "noise_shape") for size in own), shape)
    return LayerShape(shape)


def _same(_settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    return LayerShape(one(shapes))


def _impute(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    _check_values(settings, one(shapes)[-1])
    return LayerShape(one(shapes))


def _check_values(settings: LayerSettings, columns: int) -> None:
    values = setting(settings, "values")
    if any(value is not None and type(value) not in (int, float) for value in values):
        raise ValueError("its values are not numbers")
    if len(values) != columns:
        raise ValueError(f"it has {len(values)} values for {columns} columns")


def _encode(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    shape = one(shapes)
    _check_values(settings, shape[-1])
    kinds, slots = setting(settings, "kinds"), setting(settings, "slots")
    if len(kinds) != shape[-1] or any(kind not in INPUT_KINDS for kind in kinds):
        raise ValueError(f"its kinds are not one of {', '.join(INPUT_KINDS)} for each column")
    if len(slots) != shape[-1]:
        raise ValueError(f"it has slots for {len(slots)} of {shape[-1]} columns")
    for kind, count in zip(kinds, slots, strict=True):
        least = int(kind == "category")
        if whole_setting(count, "slots", least) > least * MOST_SLOTS:
            raise ValueError("its slots are those of a number, or too many")
    _check_edges(setting(settings, "edges"), kinds)
    return LayerShape((*shape[:-1], sum(len(one.outputs) for one in _inputs(settings))))


def _check_edges(edges: Sequence[Sequence[float]], kinds: Sequence[str]) -> None:
    if len(edges) != len(kinds):
        raise ValueError(f"it has edges for {len(edges)} of {len(kinds)} columns")
    for kind, own in zip(kinds, edges, strict=True):
        if own and (kind == "category" or len(own) < 2):
            raise ValueError("its edges are those of a category, or enclose nothing")
        if own:
            _check_ascending(own, "edges")


def _inputs(settings: LayerSettings) -> list[InputEncoding]:
    names = ("kinds", "slots", "values", "edges")
    return [
        InputEncoding(kind, slots, imputed, tuple(edges))
        for kind, slots, imputed, edges in zip(*(settings[name] for name in names), strict=True)
    ]


def _select(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    shape, indices = one(shapes), setting(settings, "indices")
    if not indices or max(whole_setting(at, "indices", 0) for at in indices) >= shape[-1]:
        raise ValueError(f"its indices are not those of {shape[-1]} columns")
    return LayerShape((*shape[:-1], len(indices)))


def _lookup(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    keys, indices = setting(settings, "keys"), setting(settings, "indices")
    _check_ascending(keys, "keys")
    if len(indices) != len(keys):
        raise ValueError(f"it has {len(indices)} indices for {len(keys)} keys")
    for index in (*indices, setting(settings, "unknown")):
        whole_setting(index, "indices", NO_INDEX)
    return LayerShape(one(shapes))


def _discretize(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    _check_ascending(setting(settings, "boundaries"), "boundaries")
    return LayerShape(one(shapes))


def _check_ascending(values: Sequence[float], name: str) -> None:
    """Check a list of numbers, which float32 must tell apart, as it is searched by halves."""
    if not values or any(type(value) not in (int, float) for value in values):
        raise ValueError(f"its {name} are not numbers")
    with np.errstate(over="ignore"):
        single = np.asarray(values, np.float64).astype(np.float32)
    if len(values) > MOST_SLOTS or not (np.diff(single) > 0).all() or not np.isfinite(single).all():
        raise ValueError(f"its {name} are not in ascending order, or too many")


def _encoded(settings: LayerSettings, dtype: str) -> Encoding:
    return Encoding.of(_inputs(settings), dtype)


def _filled(settings: LayerSettings, dtype: str) -> Fill:
    return Fill.of(settings["values"], dtype)


def _selection(settings: LayerSettings, _: str) -> Selection:
    return Selection.of(settings["indices"])


def _looked_up(settings: LayerSettings, dtype: str) -> TokenLookup:
    return TokenLookup.of(settings["keys"], settings["indices"], settings["unknown"], dtype)


def _binned(settings: LayerSettings, dtype: str) -> Binning:
    return Binning.of(settings["boundaries"], dtype)


_OLD = ("app.network.mc",)
MONTE_CARLO = {
    "MCDropout": DomainLayer("rate seed noise_shape", _dropout, _OLD),
    "MCAlphaDropout": DomainLayer("rate seed noise_shape", _dropout, _OLD),
    "MCSpatialDropout1D": DomainLayer("rate seed", spatial.DROPOUTS["MCSpatialDropout1D"], _OLD),
    "MCSpatialDropout2D": DomainLayer(
        "rate seed data_format", spatial.DROPOUTS["MCSpatialDropout2D"]
    ),
    "MCGaussianDropout": DomainLayer("rate seed", _same, _OLD),
    "MCGaussianNoise": DomainLayer("stddev seed", _same),
}
"""Layers that are random in a prediction, by class name."""
STRENGTHS = {name: layer.settings.split()[0] for name, layer in MONTE_CARLO.items()}
"""Setting of each that says how strong its noise is."""
OWN_LAYERS = MONTE_CARLO | {
    "Impute": DomainLayer("values", _impute, ("app.network.impute",), _filled),
    "Encode": DomainLayer("kinds slots values edges", _encode, (), _encoded),
    "SelectColumns": DomainLayer("indices", _select, (), _selection),
    "Lookup": DomainLayer("keys indices unknown", _lookup, (), _looked_up),
    "Discretize": DomainLayer("boundaries", _discretize, (), _binned),
    "Ones": DomainLayer("units", recurrent.ones),
    "MaskedAttention": DomainLayer(attention.SETTINGS, attention.attention),
    "MaskedLSTM": DomainLayer(recurrent.SETTINGS, recurrent.lstm),
    "MaskedGRU": DomainLayer(f"{recurrent.SETTINGS} reset_after", recurrent.gru),
}
"""All layers of `dubito.layers`, by class name; bundles of before version 0.4 name old modules."""
