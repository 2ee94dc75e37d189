"""What a check is, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass

from dubito.conformance.finding import Basis, CheckOutcome
from dubito.conformance.target import TargetServer


@dataclass(frozen=True, slots=True)
class ConformanceCheck:
    """One check."""

    name: str
    """Words of its function, joined by hyphens."""
    basis: Basis
    expectation: str
    """Sentence that says what a server does."""
    run: Callable[[TargetServer], None]


@dataclass(frozen=True, slots=True)
class ConformanceFinding:
    """What a check found."""

    check: ConformanceCheck
    outcome: CheckOutcome
    detail: str
    """The difference, or the reason why it was not checked; empty if the server meets it."""


def expects(
    basis: Basis,
) -> Callable[[Callable[[TargetServer], None]], ConformanceCheck]:
    """Make a check of a function, whose docstring's first line is what the server does."""

    def make(function: Callable[[TargetServer], None]) -> ConformanceCheck:
        sentence = (function.__doc__ or "").partition("\n")[0]
        return ConformanceCheck(function.__name__.replace("_", "-"), basis, sentence, function)

    return make
