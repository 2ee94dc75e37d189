"""Joins the inputs of a foreign network to one row of numbers, in its configuration.

A bundle's network takes one array. A Functional model with several named inputs gets a layer that
takes each input's columns from the row, and its layers that take words or whole numbers become
literal tables of the numbers that stand for them. Keras sees the result only.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dubito.bundles.validation.shape_inference import snake_case
from dubito.errors import NetworkError
from dubito.layout import Column
from dubito.training.token_table import SETTINGS, TokenLayer, token_layer

ROWS = "rows"
"""Name of the joined input."""
FEATURE_SPACE = {"TFDConcat": "Concatenate", "TFDIdentity": "Identity"}
"""Layers of `keras.utils.FeatureSpace`, by the layer that each is."""
MASK_READERS = frozenset(
    {"GlobalAveragePooling1D", "LSTM", "GRU", "SimpleRNN", "MultiHeadAttention", "Attention"}
)
"""Layers whose output depends on the mask of an embedding."""
OPERATORS = "keras.src.ops."
TRUNCATING = ("Embedding", "CategoryEncoding")
"""Layers that take indices of any type, and leave out what is behind the decimal point."""

Members = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Inputs:
    """The features of a network, and which of them its inputs take."""

    columns: tuple[Column, ...]
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of features by the name of an input; other inputs take the feature of their name."""

    def places(self, name: str, width: int) -> list[int]:
        """Return the places of the features of an input.

        Raises:
            NetworkError: they are not described, or are not as many as the input takes.
        """
        known = {each: at for at, column in enumerate(self.columns) for each in column.names}
        wanted = self.named.get(name, (name,))
        unknown = next((each for each in wanted if each not in known), None)
        if unknown is not None:
            told = f"describe a feature {unknown}, or its features in inputs"
            raise NetworkError(f"input {name} takes features that are not described: {told}")
        if len(wanted) != width:
            told = f'list its features, as in "inputs": {{{name!r}: […]}}'.replace("'", '"')
            raise NetworkError(f"input {name} takes {width} numbers, not {len(wanted)}: {told}")
        return [known[each] for each in wanted]


def join_inputs(config: Members, inputs: Inputs, vocabularies: Mapping[str, bytes]) -> list[str]:
    """Rewrite the configuration of a Functional model in place.

    Args:
        config: `config.json` of a file that Keras wrote.
        inputs: the features behind the network's inputs.
        vocabularies: vocabularies of adapted lookup layers, by their path in the file.

    Returns:
        Sentences on the changes, for people.

    Raises:
        NetworkError: an input or a layer cannot be served; the message names it.
        AttributeError, KeyError, TypeError, IndexError: Keras did not write this.
    """
    if config["class_name"] != "Functional":
        return []
    model = config["config"]
    joining = _Joining(model["layers"], inputs, vocabularies)
    model["layers"] = joining.layers
    _rename(model, joining.renamed)
    if not joining.places:
        return []
    model["input_layers"] = [[joining.rows, 0, 0]]
    model["layers"].insert(0, _input_layer(joining.rows, len(inputs.columns)))
    used = {at for places in joining.places.values() for at in places}
    unused = [column.name for at, column in enumerate(inputs.columns) if at not in used]
    if unused:
        raise NetworkError(f"no input of it takes the feature {unused[0]}")
    listed = ", ".join(sorted(joining.places, key=joining.places.__getitem__))
    return [f"its inputs {listed} are taken from one row of numbers"]


class _Joining:
    """The layers of a model, rewritten one after the other."""

    def __init__(
        self, layers: Sequence[Members], inputs: Inputs, vocabularies: Mapping[str, bytes]
    ) -> None:
        self._inputs, self._vocabularies = inputs, vocabularies
        self._given = {layer["config"]["name"]: layer for layer in layers}
        self._assets = dict(_asset_paths(layers))
        self._kinds = {layer["class_name"] for layer in layers}
        self._readers = _readers(layers)
        self.rows = _free_name(ROWS, self._given)
        self.renamed: dict[tuple[str, int], str] = {}
        """New names of layers, by the old name and the number of the call."""
        self.places = self._places(layers)
        """Places of the features of each input; empty if the one input takes the whole row."""
        self.layers = [made for layer in layers for made in self._rewritten(layer)]

    def _places(self, layers: Sequence[Members]) -> dict[str, list[int]]:
        entries = [layer["config"] for layer in layers if layer["class_name"] == "InputLayer"]
        if any(column.kind == "tensor" for column in self._inputs.columns):
            # Whether the shape is the right one is found where the network is checked.
            return {}
        takes_tokens = not self._kinds.isdisjoint(SETTINGS)
        if len(entries) == 1 and not takes_tokens and entries[0]["dtype"] != "string":
            is_row = entries[0]["batch_shape"] == [None, len(self._inputs.columns)]
            is_float = str(entries[0]["dtype"]).startswith("float")
            if (is_row and is_float) or not self._is_described(entries[0]["name"]):
                # Whether the width is the right one is found where the network is checked.
                return {}
        return {one["name"]: self._inputs.places(one["name"], _width(one)) for one in entries}

    def _is_described(self, name: str) -> bool:
        names = (each for column in self._inputs.columns for each in column.names)
        return name in self._inputs.named or name in names

    def _rewritten(self, layer: Members) -> Iterator[Members]:
        kind = layer["class_name"]
        if kind == "InputLayer" and self.places:
            yield self._selection(layer)
        elif kind in SETTINGS:
            yield from self._tables(layer)
        elif kind == "Discretization":
            yield from self._bins(layer)
        elif kind == "CategoryEncoding":
            yield self._encoding(layer)
        elif str(layer["module"]).startswith(OPERATORS):
            yield self._operator(layer)
        else:
            yield self._renewed(layer)

    def _renewed(self, layer: Members) -> Members:
        """Return a layer as it is, but for what only matters in training."""
        kind = layer["class_name"]
        if kind in FEATURE_SPACE and layer["registered_name"] == kind:
            return {
                **layer,
                "module": "keras.layers",
                "class_name": FEATURE_SPACE[kind],
                "registered_name": None,
            }
        if kind == "Embedding" and layer["config"]["mask_zero"]:
            reading = sorted(self._kinds & MASK_READERS)
            if reading:
                told = f"hides index 0 from {reading[0]}, which is not served: train it without"
                raise NetworkError(f"layer {layer['config']['name']} {told} mask_zero")
            return {**layer, "config": {**layer["config"], "mask_zero": False}}
        return layer

    def _operator(self, layer: Members) -> Members:
        """Return the layer that an operator on rows or indices is; other operators as they are."""
        name, nodes = layer["config"]["name"], layer["inbound_nodes"]
        match layer["class_name"]:
            case "GetItem":
                return _layer("SelectColumns", name, [_bare(nodes)], indices=_indices(name, nodes))
            case "Squeeze" | "ExpandDims" if nodes[0]["args"][0]["config"]["shape"][0] is None:
                target = _other_axes(layer)
                return _keras_layer("Reshape", name, nodes, target_shape=target)
            case "Cast" if all(one["class_name"] in TRUNCATING for one in self._readers[name]):
                return _keras_layer("Identity", name, nodes)
        return layer

    def _selection(self, layer: Members) -> Members:
        settings = layer["config"]
        name, places = settings["name"], self.places[layer["config"]["name"]]
        columns = [self._inputs.columns[at] for at in places]
        is_text = settings["dtype"] == "string"
        readers = self._readers[name]
        for column in columns:
            _check_column(name, column, readers, is_text=is_text)
        return _layer("SelectColumns", name, [_node(self.rows)], indices=places)

    def _tables(self, layer: Members) -> Iterator[Members]:
        """Yield a table for each call of a layer that takes tokens."""
        settings, nodes = layer["config"], layer["inbound_nodes"]
        name = settings["name"]
        path = f"assets/{self._assets[name]}/vocabulary.txt"
        tokens = token_layer(layer, self._vocabularies.get(path))
        for call, node in enumerate(nodes):
            own = name if call == 0 else _free_name(f"{name}_{call}", self._given)
            self.renamed[name, call] = own
            yield from self._table(tokens, node, own)

    def _table(self, tokens: TokenLayer, node: Members, name: str) -> Iterator[Members]:
        (source,) = _sources(node)
        places = self.places.get(source, ())
        if len(places) != 1:
            told = "is not called on an input of one feature, which is needed to know its tokens"
            raise NetworkError(f"layer {tokens.name} {told}")
        is_text = self._given[source]["config"]["dtype"] == "string"
        table = tokens.table(self._inputs.columns[places[0]], is_text=is_text)
        own = {"keys": table.keys, "indices": table.indices, "unknown": table.unknown}
        yield from _encoded("Lookup", name, [node], table.depth, own)

    def _bins(self, layer: Members) -> Iterator[Members]:
        settings, nodes = layer["config"], layer["inbound_nodes"]
        boundaries = settings["bin_boundaries"]
        if not boundaries:
            raise NetworkError(f"layer {settings['name']} has no boundaries: adapt it first")
        is_encoded = settings["output_mode"] != "int"
        if is_encoded:
            _check_single(layer)
        depth = len(boundaries) + 1 if is_encoded else None
        yield from _encoded(
            "Discretize", settings["name"], nodes, depth, {"boundaries": boundaries}
        )

    def _encoding(self, layer: Members) -> Members:
        _check_single(layer)
        settings = layer["config"]
        return _one_hot(settings["name"], layer["inbound_nodes"], settings["num_tokens"])


def _indices(name: str, nodes: Sequence[Members]) -> list[int]:
    """Return the places of the columns that `x[:, a:b]` takes.

    Raises:
        NetworkError: it takes something else.
    """
    tensor, key = nodes[0]["args"]
    shape = tensor["config"]["shape"]
    whole = {"start": None, "stop": None, "step": None}
    if isinstance(key, list) and len(key) == len(shape) == 2 and isinstance(key[1], dict):
        first, second = (one["config"] for one in key)
        found = list(range(shape[1])[slice(*(second[each] for each in whole))])
        if first == whole and found:
            return found
    told = "takes a part of a row: write it as x[:, 2:3], so that it stays a row"
    raise NetworkError(f"operator {name} {told}")


def _bare(nodes: Sequence[Members]) -> Members:
    """Return an operator's call without its options."""
    return {"args": nodes[0]["args"][:1], "kwargs": {}}


def _other_axes(layer: Members) -> list[int]:
    """Return the shape, without the batch axis, that an axis of length 1 more or less leaves."""
    shape = list(layer["inbound_nodes"][0]["args"][0]["config"]["shape"])
    axis = layer["config"]["axis"]
    if layer["class_name"] == "ExpandDims":
        shape.insert(axis if axis >= 0 else axis + len(shape) + 1, 1)
    else:
        del shape[axis]
    return shape[1:]


def _check_column(name: str, column: Column, readers: Sequence[Members], *, is_text: bool) -> None:
    """Check that an input can be given the numbers that stand for a feature's values.

    Raises:
        NetworkError: it cannot.
    """
    kinds = {reader["class_name"] for reader in readers}
    if is_text and column.kind != "category":
        raise NetworkError(f"input {name} takes text: describe {column.name} as a category")
    others = sorted(kinds - SETTINGS.keys())
    if is_text and others:
        told = f"a layer of class {others[0]}: put a StringLookup between them"
        if others[0] in ("Functional", "Sequential"):
            told = "a model inside of it: save one model, in which all lookups are layers"
        raise NetworkError(f"input {name} gives text to {told}")
    names = [category.name for category in column.categories]
    are_numbers = bool(names) and all(each.lstrip("-").isdecimal() for each in names)
    if others and are_numbers and names != [str(at) for at in range(len(names))]:
        told = f"would get the places of the categories of {column.name}, not these numbers"
        raise NetworkError(f"input {name} {told}: describe it as an integer")


def _check_single(layer: Members) -> None:
    """Check that a layer that encodes indices gets one a row.

    Raises:
        NetworkError: it gets several.
    """
    for node in layer["inbound_nodes"]:
        shape = node["args"][0]["config"]["shape"]
        if len(shape) != 2 or shape[1] != 1:
            name, kind = layer["config"]["name"], layer["class_name"]
            raise NetworkError(f"layer {name}, a {kind}, encodes several values of a row at once")


def _width(entry: Members) -> int:
    """Return the number of features of an input.

    Raises:
        NetworkError: it does not take features of a row.
    """
    shape = entry["batch_shape"]
    if len(shape) != 2 or type(shape[1]) is not int:
        told = "takes no numbers along one axis: give it a shape such as (1,)"
        raise NetworkError(f"input {entry['name']} {told}")
    return int(shape[1])


def _asset_paths(layers: Sequence[Members]) -> Iterator[tuple[str, str]]:
    """Yield the path of each layer's assets by its name: its class, numbered in their order."""
    counts: Counter[str] = Counter()
    for layer in layers:
        kind = snake_case(layer["class_name"])
        suffix = f"_{counts[kind]}" if counts[kind] else ""
        yield layer["config"]["name"], f"layers/{kind}{suffix}"
        counts[kind] += not str(layer["module"]).startswith(OPERATORS)


def _readers(layers: Sequence[Members]) -> dict[str, list[Members]]:
    """Return the layers that are called on each layer, by its name."""
    readers: dict[str, list[Members]] = defaultdict(list)
    for layer in layers:
        for node in layer["inbound_nodes"]:
            for source in _sources(node):
                readers[source].append(layer)
    return readers


def _sources(node: Members) -> list[str]:
    """Return the names of the layers whose outputs a call takes."""
    return [history[0] for history in _histories(node["args"])]


def _histories(value: Any) -> Iterator[list[Any]]:
    """Yield the references to tensors in a configuration, which may be changed in place."""
    if isinstance(value, list):
        for member in value:
            yield from _histories(member)
    elif isinstance(value, dict):
        history = value.get("keras_history")
        if isinstance(history, list):
            yield history
        for member in value.values():
            yield from _histories(member)


def _rename(model: Members, renamed: Mapping[tuple[str, int], str]) -> None:
    """Let all references to a layer's calls name the layers that they have become."""
    calls = [layer["inbound_nodes"] for layer in model["layers"]]
    histories = {id(history): history for history in _histories(calls)}
    for history in histories.values():
        name = renamed.get((history[0], history[1]))
        if name is not None:
            history[0], history[1] = name, 0


def _encoded(
    kind: str, name: str, nodes: Sequence[Members], depth: int | None, own: Members
) -> Iterator[Members]:
    """Yield a layer that gives indices and, where they are to be encoded, one that does."""
    if depth is None:
        yield _layer(kind, name, nodes, **own)
        return
    indices = f"{name}_indices"
    yield _layer(kind, indices, nodes, **own)
    yield _one_hot(name, [_node(indices, call) for call in range(len(nodes))], depth)


def _one_hot(name: str, nodes: Sequence[Members], slots: int) -> Members:
    if type(slots) is not int:
        raise TypeError("a number of tokens is no whole number")
    own = {"kinds": ["category"], "slots": [slots], "values": [None], "edges": [[]]}
    return _layer("Encode", name, nodes, **own)


def _layer(kind: str, name: str, nodes: Sequence[Members], **own: Any) -> Members:
    """Return the members of one of Dubito's layers."""
    members = _keras_layer(kind, name, nodes, **own)
    return {**members, "module": "dubito.layers", "registered_name": f"dubito>{kind}"}


def _keras_layer(kind: str, name: str, nodes: Sequence[Members], **own: Any) -> Members:
    """Return the members of one of Keras' layers."""
    policy = {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "float32"},
        "registered_name": None,
    }
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": {"name": name, "trainable": True, "dtype": policy, **own},
        "registered_name": None,
        "name": name,
        "inbound_nodes": list(nodes),
    }


def _input_layer(name: str, width: int) -> Members:
    members = _keras_layer("InputLayer", name, [])
    settings = {"batch_shape": [None, width], "dtype": "float32", "sparse": False, "ragged": False}
    return {**members, "config": {**settings, "name": name}}


def _node(source: str, call: int = 0) -> Members:
    """Return a call on another layer's output."""
    tensor = {"shape": [None, 1], "dtype": "float32", "keras_history": [source, call, 0]}
    return {"args": [{"class_name": "__keras_tensor__", "config": tensor}], "kwargs": {}}


def _free_name(wanted: str, taken: Mapping[str, Any]) -> str:
    name = wanted
    while name in taken:
        name += "_"
    return name
