"""Outputs of a bundle as tensors: which there are, and their elements from typed answers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from msgspec import Struct, json, structs

from app.inference.datatypes import BOOL, BYTES_TYPE, FP64, INT64, Datatype
from dubito.answer import (
    AnyAnswer,
    AnyMonteCarloAnswer,
    AnyPlainAnswer,
    PlainNumber,
    PlainResult,
    Uncertainty,
)
from dubito.targets import ClassTarget, NumberTarget, Target
from dubito.types import AnyCalibration

DETERMINISTIC, VALUE, DRAWS = "deterministic", "value", "draws"
"""Outputs that are only computed where a request names them."""
INTERVAL = "interval"
"""Output whose elements are a lower and an upper bound of each row."""
RECORD, WARNINGS = "record", "warnings"
"""Outputs that deterministic answers have too."""

Extract = Callable[[Any], Any]
"""Function from an answer to its element, or to a list of its elements."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output: its name, datatype, and how an answer's part of it is taken."""

    name: str
    datatype: Datatype
    taken: Extract
    dims: tuple[int, ...] = ()
    """Lengths of the axes of a row's part; −1 for the passes."""
    is_asked: bool = False
    """Whether it is only given where a request names it."""
    of_plain: bool = False
    """Whether it is taken from the deterministic answer."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, −1 for those that depend on the request."""
        return -1, *self.dims


class OutputTensor(Struct, frozen=True):
    """An output of a response, with the members that its JSON has."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Sequence[Any]
    """Elements, row-major: numbers, truths or texts; None for an infinite bound."""


def outputs_of(target: Target, calibration: AnyCalibration | None, members: int) -> list[Output]:
    """List the outputs of a bundle, in the order of its metadata; of what it promises alone."""
    if isinstance(target, NumberTarget):
        own = [*_of_number(target, members), *(_interval() if calibration else ())]
    else:
        own = [*_of_classes(target, members), *(_set(target) if calibration else ())]
    judged = _judged() if calibration else ()
    return [*own, *judged, *_of_any(), *_asked(target)]


def tensor_of(output: Output, answers: Sequence[AnyAnswer]) -> OutputTensor:
    """Take an output from the answers to the rows of a request."""
    datatype, dims = output.datatype.name, output.dims
    if len(answers) == 1 and -1 not in dims:
        # Most requests are of one row, and have a dozen outputs.
        part = output.taken(answers[0])
        return OutputTensor(output.name, datatype, (1, *dims), [*part] if dims else [part])
    parts = [output.taken(answer) for answer in answers]
    if output.name == DRAWS:
        return _draws(output, parts)
    if dims:
        parts = list(chain.from_iterable(parts))
    return OutputTensor(output.name, datatype, (len(answers), *dims), parts)


def _draws(output: Output, parts: Sequence[Sequence[Sequence[float]]]) -> OutputTensor:
    """Join every pass of every row; a row of fewer passes than others is filled with None."""
    most, outputs = max(map(len, parts)), output.dims[-1]
    elements: list[float | None] = []
    for passes in parts:
        elements += chain.from_iterable(passes)
        elements += [None] * (outputs * (most - len(passes)))
    shape = (len(parts), most, outputs)
    return OutputTensor(output.name, output.datatype.name, shape, elements)


def _of_classes(target: ClassTarget, members: int) -> Iterator[Output]:
    classes = len(target.classes)
    yield Output("grade", BYTES_TYPE, lambda answer: answer.result.predicted)
    yield Output("mean", FP64, lambda answer: answer.result.mean.values(), (classes,))
    yield Output("std", FP64, lambda answer: answer.result.std.values(), (classes,))
    yield _precision()
    for name in structs.fields(Uncertainty):
        if name.name != "between_members" or members > 1:
            yield Output(name.name, FP64, _measure(name.name))


def _measure(name: str) -> Extract:
    return lambda answer: getattr(answer.result.uncertainty, name)


def _set(target: ClassTarget) -> Iterator[Output]:
    classes = target.classes

    def taken(answer: AnyMonteCarloAnswer) -> list[bool]:
        inside = set(answer.result.prediction_set.classes)  # type: ignore[union-attr]
        return [name in inside for name in classes]

    yield Output("prediction_set", BOOL, taken, (len(classes),))


def _of_number(target: NumberTarget, members: int) -> Iterator[Output]:
    yield Output("mean", FP64, lambda answer: answer.result.mean)
    yield Output("std", FP64, lambda answer: answer.result.std)
    if target.head == "normal":
        yield Output("aleatoric_std", FP64, lambda answer: answer.result.aleatoric_std)
        yield Output("total_std", FP64, lambda answer: answer.result.total_std)
    if target.head == "quantiles":
        yield Output("quantiles", FP64, lambda answer: answer.result.quantiles.values(), (3,))
    if members > 1:
        yield Output("between_members_std", FP64, lambda answer: answer.result.between_members_std)
    yield _precision()


def _precision() -> Output:
    return Output("precision", FP64, lambda answer: answer.result.precision.half_width)


def _interval() -> Iterator[Output]:
    def taken(answer: AnyMonteCarloAnswer) -> list[float | None]:
        found = answer.result.interval  # type: ignore[union-attr]
        return [found.lower, found.upper]  # type: ignore[union-attr]

    yield Output(INTERVAL, FP64, taken, (2,))


def _judged() -> Iterator[Output]:
    """Yield the outputs that only a calibrated bundle has."""
    yield Output("decision", BYTES_TYPE, lambda answer: answer.result.decision.action)
    yield Output("reasons", BYTES_TYPE, lambda answer: _json(answer.result.decision.reasons))
    yield Output("guaranteed", BOOL, lambda answer: answer.result.decision.guaranteed)


def _of_any() -> Iterator[Output]:
    yield Output(WARNINGS, BYTES_TYPE, lambda answer: _json(answer.warnings))
    yield Output("passes", INT64, lambda answer: answer.result.passes)
    yield Output("seed", INT64, lambda answer: answer.result.seed)
    yield Output(RECORD, BYTES_TYPE, lambda answer: answer.id)


def _asked(target: Target) -> Iterator[Output]:
    """Yield the outputs that a request must name."""
    width = len(target.outputs)
    if isinstance(target, NumberTarget):
        yield Output(VALUE, FP64, _value, is_asked=True, of_plain=True)
    else:
        yield Output(DETERMINISTIC, FP64, _probabilities, (width,), is_asked=True, of_plain=True)
    yield Output(DRAWS, FP64, _passes, (-1, width), is_asked=True)


def _value(answer: AnyPlainAnswer) -> float:
    assert isinstance(answer.result, PlainNumber)  # noqa: S101 - of a bundle of a number
    return answer.result.value


def _probabilities(answer: AnyPlainAnswer) -> Sequence[float]:
    assert isinstance(answer.result, PlainResult)  # noqa: S101 - of a bundle of classes
    return list(answer.result.probabilities.values())


def _passes(answer: AnyMonteCarloAnswer) -> list[tuple[float, ...]]:
    """Return the outputs of every pass of a row."""
    return list(zip(*answer.draws.values(), strict=True))  # type: ignore[union-attr]


def _json(items: Sequence[object]) -> str:
    return json.encode(items).decode() if items else "[]"
