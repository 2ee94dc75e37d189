"""Sections of a report's page, and those that reports on classes and on numbers share."""

from collections.abc import Sequence
from dataclasses import dataclass

from dubito.training.evaluation.metrics import PolicyMetrics
from dubito.training.evaluation.predictions import MeanError
from dubito.training.evaluation.uncertainty_metrics import ShiftFigures
from dubito.training.report.plot import Picture
from dubito.training.report.uncertainty_plots import precision_picture, shift_picture


@dataclass(frozen=True, slots=True)
class Section:
    """Content under one heading of the page."""

    title: str
    text: str
    picture: Picture | None = None
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    """Rows of the table, as cells; the first cell names the row."""


def shifts_section(shifts: Sequence[ShiftFigures], more: str) -> Section:
    """Describe how well shifts are detected; `more` is what a row made wrong should have."""
    return Section(
        title="Is strange input noticed?",
        text="The rows again, each made wrong in one way. AUROC is the chance that a row made "
        f"wrong has {more} than one of the rows before, where values outside what training saw "
        "rank above all; 0.5 is blind. Rows that a shift leaves as they were, and those the "
        "service would refuse, are left out and counted.",
        picture=shift_picture(shifts),
        head=("shift", "rows", "unchanged", "refused", "AUROC", "passes alone", "referred"),
        rows=[
            (
                shift.name,
                f"{shift.rows:,}",
                f"{shift.unchanged:,}",
                f"{shift.refused:,}",
                shown(shift.auroc),
                shown(shift.auroc_passes),
                "–" if shift.referred is None else f"{shift.referred:.1%}",
            )
            for shift in shifts
        ],
    )


def precision_section(found: MeanError, mean: str) -> Section:
    """Describe how the error of a mean falls with the number of passes."""
    table = zip(found.passes, found.median, found.upper, found.observed, strict=True)
    return Section(
        title="What are more passes worth?",
        text=f"The standard error of {mean} over {found.rows:,} "
        "rows: it falls with the root of the number of passes.",
        picture=precision_picture(found),
        head=("passes", "median row", "95% of rows below", "observed, median row"),
        rows=[(f"{passes:,}", *(_error(value) for value in values)) for passes, *values in table],
    )


def promise_rows(promises: Sequence[PolicyMetrics]) -> list[tuple[str, ...]]:
    """Format the measured promises of a policy, a row each."""
    return [
        (
            f"{kept.target:.1%}",
            f"{kept.automated:.1%}",
            f"{kept.wrong:.2%}",
            f"{kept.errors:,}",
            "–" if kept.band is None else f"{kept.band[1]:,} of {kept.band[0]:,}",
        )
        for kept in promises
    ]


def shown(value: float | None) -> str:
    """Format a metric; a dash if there is none."""
    return "–" if value is None else f"{value:.4f}"


def _error(value: float) -> str:
    return f"{value:.2g}" if value == value else "–"
