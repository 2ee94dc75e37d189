"""Formats a prediction as a small table for a terminal."""

from collections.abc import Iterator

from msgspec import UNSET

from dubito.answer import (
    AnswerWarning,
    AnyMonteCarloAnswer,
    DecisionAnswer,
    Degraded,
    FewPasses,
    InMargin,
    Missing,
    MonteCarloNumber,
    MonteCarloResult,
    SetAnswer,
    UnknownCategory,
)
from dubito.types import Identity

BAR = 32
"""Number of characters of a bar for a probability of 1."""
UNSURE = " (no promise: too few passes)"


def lines(answer: AnyMonteCarloAnswer, title: str, unit: str) -> Iterator[str]:
    """Yield the table's lines: what is predicted, its uncertainty, the decision, and warnings.

    Args:
        answer: the answer about one row.
        title: title of the number that is predicted; empty for classes.
        unit: unit of that number.
    """
    result = answer.result
    if isinstance(result, MonteCarloNumber):
        yield from _number_lines(result, answer.model, title, unit)
    else:
        yield from _class_lines(result, answer.model)
    for warning in answer.warnings:
        yield f"warning: {_warning(warning)}"


def _class_lines(result: MonteCarloResult, model: Identity) -> Iterator[str]:
    """Yield a bar and ± for each class, uncertainty, set and decision."""
    yield f"grade {result.predicted}   {_source(result, model)}"
    width = max(map(len, result.mean))
    for label, mean in result.mean.items():
        std = result.std[label]
        yield f"  {label:<{width}}  {mean:6.1%} ± {std:5.1%}  {_bar(mean, std)}"
    doubt = result.uncertainty
    yield (
        f"predictive entropy {doubt.predictive_entropy:.3f} nats, of which epistemic "
        f"{doubt.mutual_information:.3f}; variation ratio {doubt.variation_ratio:.2f}"
    )
    yield from _judgement(result.prediction_set, result.decision)


def _number_lines(
    result: MonteCarloNumber, model: Identity, title: str, unit: str
) -> Iterator[str]:
    """Yield the mean and its deviations, the interval and the decision."""
    of = f" {unit}" if unit else ""
    yield f"{title} {result.mean:,.6g}{of}   {_source(result, model)}"
    noise = (
        ""
        if result.aleatoric_std is UNSET
        else f", of the noise {result.aleatoric_std:,.4g}, of both {result.total_std:,.4g}"
    )
    yield f"std of the passes {result.std:,.4g}{noise}"
    interval, decision = result.interval, result.decision
    if interval is None or decision is None:
        return
    lower, upper = (
        "no bound" if bound is None else f"{bound:,.6g}"
        for bound in (interval.lower, interval.upper)
    )
    yield (
        f"interval (coverage {interval.coverage:.12g} over many rows): {lower} to {upper}"
        f"{'' if interval.guaranteed else UNSURE}"
    )
    yield from _decision(decision, "automated intervals", "miss", "widest")


def _source(result: MonteCarloResult | MonteCarloNumber, model: Identity) -> str:
    return f"{model.name}/{model.version}, {result.passes} passes, seed {result.seed}"


def _judgement(found: SetAnswer | None, decision: DecisionAnswer | None) -> Iterator[str]:
    """Yield the lines of the set and the decision; none for an uncalibrated bundle."""
    if found is None or decision is None:
        return
    yield (
        f"prediction set (coverage {found.coverage:.12g} over many rows): "
        f"{', '.join(found.classes)}{'' if found.guaranteed else UNSURE}"
    )
    for note in found.notes:
        yield f"note: {note}"
    yield from _decision(decision, "automated grades", "are wrong", "least sure")


def _decision(decision: DecisionAnswer, things: str, wrong: str, doubtful: str) -> Iterator[str]:
    reasons = ", ".join(decision.reasons)
    yield f"decision: {decision.action}{': ' if reasons else ''}{reasons}"
    if decision.action == "automate" and decision.case_limit is not UNSET:
        yield (
            f"promise over many rows: of {things} at most {decision.target:.12g} {wrong}, "
            f"of the {doubtful} of them at most {decision.case_limit:.12g}"
        )


def _bar(mean: float, std: float) -> str:
    """Draw the mean as full blocks, and one standard deviation above it as light blocks."""
    full = round(mean * BAR)
    return "█" * full + "░" * (round(min(mean + std, 1.0) * BAR) - full)


def _warning(warning: AnswerWarning) -> str:
    if isinstance(warning, Missing):
        return f"{warning.feature} is missing"
    if isinstance(warning, UnknownCategory):
        return f"{warning.feature} is a category that training did not see"
    if isinstance(warning, FewPasses):
        return f"{warning.calibrated_passes} passes are needed for what sets and decisions promise"
    if isinstance(warning, Degraded):
        return f"{warning.passes} passes were made, not {warning.asked_passes}"
    seen = f"{warning.seen_minimum:,.12g} to {warning.seen_maximum:,.12g}"
    if isinstance(warning, InMargin):
        return f"{warning.feature} is a little outside what training saw, {seen}"
    return f"{warning.feature} is outside what training saw, {seen}"
