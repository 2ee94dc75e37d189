"""Planning: flattens a Keras model to an ordered list of steps, and marks the random ones.

Steps read and write numbered slots. Nested models are flattened. Steps that do not depend on a
Monte-Carlo call are equal in every pass and are computed once a row.
"""

from collections.abc import Iterator
from typing import Any

import keras

from dubito.engine.plan import Plan, PlanStep
from dubito.engine.program import SOURCE
from dubito.errors import NetworkError
from dubito.layers.monte_carlo import MONTE_CARLO_LAYERS
from dubito.numerics.noise import Call


def flatten(model: keras.Model) -> Plan:
    """Flatten a Functional or Sequential classifier.

    Raises:
        NetworkError: the model is not a graph of layers with one input `(None, F)` and one
            output `(None, C)`, or has no Monte-Carlo layer before its output.
    """
    graph = _graph_of(model)
    if graph is None or len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise NetworkError("the network is not a Functional or Sequential model with one input")
    shapes = (graph.inputs[0].shape, graph.outputs[0].shape)
    if any(len(shape) != 2 or shape[1] is None for shape in shapes):
        raise NetworkError("the network does not map rows of features to rows of classes")
    planner = _Planner()
    result = planner.add(graph, (SOURCE,))
    if result not in planner.random:
        raise NetworkError("no Monte-Carlo layer has any effect on the network's output")
    dtype = str(graph.inputs[0].dtype)
    return Plan(
        tuple(planner.steps), result, shapes[0][1], shapes[1][1], dtype, tuple(planner.calls)
    )


class _Planner:
    """Collects steps; nested models call `add` again with the slots they are called on."""

    def __init__(self) -> None:
        self.steps: list[PlanStep] = []
        self.calls: list[Call] = []
        self.random: set[int] = set()
        self.slots = 1

    def add(self, graph: Any, sources: tuple[int, ...]) -> int:
        slots = {id(tensor): slot for tensor, slot in zip(graph.inputs, sources, strict=True)}
        for node in _ordered_nodes(graph):
            inputs = tuple(slots[id(tensor)] for tensor in _tensors(node))
            inner = _graph_of(node.operation)
            slot = self.step(node, inputs) if inner is None else self.add(inner, inputs)
            slots[id(node.outputs[0])] = slot
        return slots[id(graph.outputs[0])]

    def step(self, node: Any, inputs: tuple[int, ...]) -> int:
        layer, output = node.operation, self.slots
        call = self.call(node) if type(layer) in MONTE_CARLO_LAYERS else None
        random = call is not None or not self.random.isdisjoint(inputs)
        spec, given = node.outputs[0], node.arguments.args
        listed = bool(given) and isinstance(given[0], list | tuple)
        shape, dtype = tuple(spec.shape[1:]), str(spec.dtype)
        shapes = tuple(tuple(tensor.shape[1:]) for tensor in _tensors(node))
        self.steps.append(
            PlanStep(layer, inputs, output, call, random, shape, dtype, listed, shapes)
        )
        self.random |= {output} if random else set()
        self.slots += 1
        return output

    def call(self, node: Any) -> Call:
        layer = node.operation
        shape = layer.unit_shape(_tensors(node)[0].shape)
        self.calls.append(Call(len(self.calls), layer.noise, shape))
        return self.calls[-1]


def _graph_of(model: Any) -> Any:
    """Return the Functional graph of a model; None for a layer."""
    if type(model) is keras.Sequential:
        return model._functional  # noqa: SLF001 - Keras has no public way to a Sequential's graph
    own = isinstance(model, keras.Model) and type(model).__module__.startswith("keras.")
    return model if own and hasattr(model, "operations") else None


def _ordered_nodes(graph: Any) -> Iterator[Any]:
    """Yield calls in topological order, ties in the order of the layers, which files preserve."""
    place = {id(operation): position for position, operation in enumerate(graph.operations)}
    depths = graph._nodes_by_depth  # noqa: SLF001 - Keras has no public way to its nodes
    for depth in sorted(depths, reverse=True):
        nodes = [node for node in depths[depth] if not node.is_input]
        yield from sorted(nodes, key=lambda node: (place[id(node.operation)], _call(node)))


def _call(node: Any) -> int:
    """Return the index of a node among the calls of its layer."""
    return int(node.operation._inbound_nodes.index(node))  # noqa: SLF001 - see above


def _tensors(node: Any) -> list[Any]:
    """Return the tensors that a call reads, in order.

    Raises:
        NetworkError: the call has arguments that are not tensors, or several outputs.
    """
    tensors = list(node.input_tensors)
    args, kwargs = node.arguments.args, node.arguments.kwargs
    given = keras.tree.flatten([args, {**kwargs, "training": None}])
    others = [value for value in given if value is not None]
    named = any(isinstance(value, dict) for value in args) or any(
        value is not None for name, value in kwargs.items() if name != "training"
    )
    if named or len(others) != len(tensors) or len(node.outputs) != 1:
        raise NetworkError(f"layer {node.operation.name} is called in an unsupported way")
    return tensors
