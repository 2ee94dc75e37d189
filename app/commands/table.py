"""An answer as a small table, for a person at a terminal."""

from collections.abc import Iterator
from typing import Any

BAR = 32
"""Letters of a bar for a probability of 1."""


def lines(answer: dict[str, Any]) -> Iterator[str]:
    """A small table with a bar and ± for each class."""
    model, doubt = answer["model"], answer["uncertainty"]
    yield (
        f"grade {answer['grade']}   {model['name']}/{model['version']}, {answer['passes']} "
        f"passes, seed {answer['seed']}"
    )
    width = max(map(len, answer["mean"]))
    for label, mean in answer["mean"].items():
        std = answer["std"][label]
        yield f"  {label:<{width}}  {mean:6.1%} ± {std:5.1%}  {_bar(mean, std)}"
    yield (
        f"predictive entropy {doubt['predictive_entropy']:.3f} nats, of which epistemic "
        f"{doubt['mutual_information']:.3f}; variation ratio {doubt['variation_ratio']:.2f}"
    )
    yield from _judgement(answer["prediction_set"], answer["decision"])
    for warning in answer["warnings"]:
        yield f"warning: {_warning(warning)}"


def _judgement(found: dict[str, Any] | None, decision: dict[str, Any] | None) -> Iterator[str]:
    """The set and the decision, of a calibrated bundle."""
    if found is None or decision is None:
        return
    unsure = "" if found["guaranteed"] else " (no promise: too few passes)"
    yield f"with {found['coverage']:.12g} coverage one of {', '.join(found['grades'])}{unsure}"
    for note in found["notes"]:
        yield f"note: {note}"
    reasons = ", ".join(decision["reasons"])
    yield f"decision: {decision['action']}{': ' if reasons else ''}{reasons}"
    if decision["action"] == "automate" and decision.get("case_limit") is not None:
        yield (
            f"promise: of automated grades at most {decision['target']:.12g} are wrong, of the "
            f"least sure of them at most {decision['case_limit']:.12g}"
        )


def _bar(mean: float, std: float) -> str:
    """The mean as full blocks, one standard deviation above it as light ones."""
    full = round(mean * BAR)
    return "█" * full + "░" * (round(min(mean + std, 1.0) * BAR) - full)


def _warning(warning: dict[str, Any]) -> str:
    if warning["kind"] == "missing":
        return f"{warning['feature']} is missing"
    if warning["kind"] == "few_passes":
        return (
            f"{warning['calibrated_passes']} passes are needed for what sets and decisions promise"
        )
    seen = f"{warning['seen_minimum']:,.12g} to {warning['seen_maximum']:,.12g}"
    if warning["kind"] == "in_margin":
        return f"{warning['feature']} is a little outside what training saw, {seen}"
    return f"{warning['feature']} is outside what training saw, {seen}"
