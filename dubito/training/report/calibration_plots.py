"""Plots of calibration: reliability diagrams, and coverage and size of prediction sets."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from dubito.training.evaluation.reliability import Reliability
from dubito.training.evaluation.sets import Sets
from dubito.training.report.plot import ACCENT, COLOURS, QUIET, Picture, picture

KINDS = {"equal_width": "bins of equal width", "equal_mass": "bins of equal mass"}


def reliability_picture(found: Sequence[Reliability]) -> Picture:
    """Plot accuracy against confidence, with the range of a calibrated model."""

    def draw(panels: list[Axes]) -> None:
        for axes, bins in zip(panels, found, strict=True):
            _reliability(axes, bins)
            axes.set_title(
                f"{KINDS[bins.kind]}: error {bins.ece:.4f}, by chance {bins.expected:.4f}"
            )

    words = "Reliability diagram: observed accuracy against stated confidence"
    return picture(words, (9, 4), len(found), draw)


def _reliability(axes: Axes, bins: Reliability) -> None:
    confidence, accuracy = np.array(bins.confidence), np.array(bins.accuracy)
    middle = (np.array(bins.low) + np.array(bins.high)) / 2
    half = (np.array(bins.high) - np.array(bins.low)) / 2
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--")
    axes.errorbar(
        confidence,
        middle,
        half,
        fmt="none",
        ecolor=QUIET,
        elinewidth=6,
        alpha=0.5,
        label="90% of calibrated models",
    )
    axes.scatter(
        confidence,
        accuracy,
        10 + 6 * np.log1p(bins.rows),
        color=ACCENT,
        zorder=3,
        label="these rows; larger: more rows",
    )
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.03), ylim=(0, 1.05))
    axes.legend(loc="upper left")


def sets_picture(found: Sequence[Sets], classes: Sequence[str]) -> Picture:
    """Plot coverage and size of the sets for each class, by method, at one requested coverage."""
    asked = found[0].asked

    def draw(panels: list[Axes]) -> None:
        coverage, size = panels
        for at, sets in enumerate(found):
            places = np.arange(len(classes)) + (at - (len(found) - 1) / 2) * 0.2
            values = [[np.nan if one is None else one for one in row] for row in _rows(sets)]
            coverage.plot(places, values[0], "o", color=COLOURS[at % 4], label=sets.method)
            size.bar(places, values[1], 0.18, color=COLOURS[at % 4], label=sets.method)
        coverage.axhline(asked, color=QUIET, linestyle="--", linewidth=1)
        for axes in panels:
            axes.set_xticks(range(len(classes)), classes)
        coverage.set(ylabel="share of rows whose set holds the right class")
        size.set(ylabel="mean number of classes in a set")
        coverage.set_title(f"coverage (asked: {asked:g} over all rows)")
        size.set_title("size")
        size.figure.legend(*size.get_legend_handles_labels(), loc="outside lower center", ncols=4)

    words = f"Coverage and size of prediction sets per class, asked to cover {asked:g}"
    return picture(words, (9, 3.6), 2, draw)


def _rows(sets: Sets) -> tuple[Sequence[float | None], Sequence[float | None]]:
    return sets.class_coverage, sets.class_size
