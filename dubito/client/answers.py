"""Reads answers of a service as the types that the library has for them, and as data frames."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, convert

from dubito.answer import (
    Answer,
    AnswerWarning,
    AnyAnswer,
    MonteCarloNumber,
    MonteCarloResult,
    PlainNumber,
    PlainResult,
    to_builtins,
)
from dubito.types import Identity

if TYPE_CHECKING:
    from pandas import DataFrame, Index


def answer_of(content: Mapping[str, Any]) -> AnyAnswer:
    """Read an answer about one row, deterministic or Monte-Carlo, of classes or of a number.

    Raises:
        msgspec.ValidationError: it is none.
    """
    found: Any = Answer(
        content["id"],
        convert(content, _result_type(content)),
        tuple(convert(content["warnings"], list[AnswerWarning])),
        convert(content["model"], Identity),
        content.get("draws", UNSET),
    )
    answer: AnyAnswer = found
    return answer


def _result_type(content: Mapping[str, Any]) -> Any:
    if "passes" not in content:
        return PlainResult if "grade" in content else PlainNumber
    return MonteCarloResult if "grade" in content else MonteCarloNumber


def frame_of(answers: Sequence[AnyAnswer], index: "Index | None" = None) -> "DataFrame":
    """Build a data frame of answers; `mean.A` is the mean of class A, as `dubito score` has it."""
    # Imported here: who asks for no data frame needs no pandas.
    from pandas import DataFrame

    return DataFrame([dict(_flat(to_builtins(answer), "")) for answer in answers], index=index)


def _flat(content: Mapping[str, Any], before: str) -> "list[tuple[str, Any]]":
    found: list[tuple[str, Any]] = []
    for name, value in content.items():
        if isinstance(value, dict):
            found += _flat(value, f"{before}{name}.")
        else:
            found.append((f"{before}{name}", value))
    return found
