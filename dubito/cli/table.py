"""Formats a prediction as a small table for a terminal."""

from collections.abc import Iterator

from msgspec import UNSET

from dubito.answer import (
    AnswerWarning,
    DecisionAnswer,
    Degraded,
    FewPasses,
    InMargin,
    Missing,
    MonteCarloAnswer,
    SetAnswer,
    UnknownCategory,
)

BAR = 32
"""Number of characters of a bar for a probability of 1."""


def lines(answer: MonteCarloAnswer) -> Iterator[str]:
    """Yield the table's lines: a bar and ± for each class, uncertainty, set, decision, warnings."""
    model, result = answer.model, answer.result
    yield (
        f"grade {result.predicted}   {model.name}/{model.version}, {result.passes} "
        f"passes, seed {result.seed}"
    )
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
    for warning in answer.warnings:
        yield f"warning: {_warning(warning)}"


def _judgement(found: SetAnswer | None, decision: DecisionAnswer | None) -> Iterator[str]:
    """Yield the lines of the set and the decision; none for an uncalibrated bundle."""
    if found is None or decision is None:
        return
    unsure = "" if found.guaranteed else " (no promise: too few passes)"
    yield (
        f"prediction set (coverage {found.coverage:.12g} over many rows): "
        f"{', '.join(found.classes)}{unsure}"
    )
    for note in found.notes:
        yield f"note: {note}"
    reasons = ", ".join(decision.reasons)
    yield f"decision: {decision.action}{': ' if reasons else ''}{reasons}"
    if decision.action == "automate" and decision.case_limit is not UNSET:
        yield (
            f"promise over many rows: of automated grades at most {decision.target:.12g} are "
            f"wrong, of the least sure of them at most {decision.case_limit:.12g}"
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
