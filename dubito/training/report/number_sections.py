"""Sections of the report on a bundle that predicts a number."""

from collections.abc import Iterator

from dubito.training.evaluation.number_evaluation import NumberEvaluationMetrics
from dubito.training.report.number_plots import intervals_picture, spread_picture, values_picture
from dubito.training.report.section import Section, precision_section, promise_rows, shifts_section

METRICS = {
    "rmse": "root of the mean squared error",
    "mae": "mean absolute error",
    "log_density": "mean predictive log density, nats",
}


def number_sections_of(figures: NumberEvaluationMetrics) -> Iterator[Section]:
    """Yield the sections of the page; those without metrics are left out."""
    yield _quality(figures)
    yield _spread(figures)
    yield from _guarantees(figures)
    if figures.shifts:
        yield shifts_section(figures.shifts, "a larger deviation over the passes")
    yield precision_section(figures.precision, "the mean")


def _quality(figures: NumberEvaluationMetrics) -> Section:
    told = f"{figures.title}, {figures.unit}" if figures.unit else figures.title
    plain = figures.deterministic
    return Section(
        title="How good the numbers are",
        text=f"The mean of {figures.passes:,} passes beside one pass without dropout.",
        picture=values_picture(*figures.shown, told),
        head=("", "Monte Carlo", "deterministic"),
        rows=[
            (meaning, f"{figures.mc[name]:,.6g}", f"{plain[name]:,.6g}" if name in plain else "–")
            for name, meaning in METRICS.items()
            if name in figures.mc
        ],
    )


def _spread(figures: NumberEvaluationMetrics) -> Section:
    return Section(
        title="Do doubtful numbers turn out wrong?",
        text="On the dashed line, errors are as large as predicted. Without a noise head the "
        "deviation is what the passes disagree about alone, and errors are larger. If only the "
        "surest rows are answered, errors should be smaller.",
        picture=spread_picture(figures.spread, figures.risk),
        head=("rows", "predicted deviation", "error (RMSE)"),
        rows=[(f"{one.rows:,}", f"{one.std:,.4g}", f"{one.rmse:,.4g}") for one in figures.spread],
    )


def _guarantees(figures: NumberEvaluationMetrics) -> Iterator[Section]:
    if not figures.intervals:
        yield Section(
            "Intervals and decisions",
            "None: without a calibration, or with fewer passes than it has.",
        )
        return
    yield Section(
        title="Do intervals hold the true number?",
        text="The coverage is promised on average over rows exchangeable with the calibration "
        "rows, and over the draw of those.",
        picture=intervals_picture(figures.intervals, figures.unit),
        head=("method", "asked", "coverage", "mean width"),
        rows=[
            (
                found.method,
                f"{found.asked:g}",
                f"{found.coverage:.4f}",
                "unbounded" if found.width is None else f"{found.width:,.6g}",
            )
            for found in figures.intervals
        ],
    )
    yield Section(
        title="Do automated intervals hold it?",
        text="Each line by itself: with 95% confidence over the draw of the rows it was tested on, "
        "at most the target of the automated intervals misses the true number, for rows "
        "exchangeable with those; and of the band of the widest no more than the bundle's limit.",
        head=("target", "automated", "misses among them", "misses", "misses in the band"),
        rows=promise_rows(figures.promises),
    )
