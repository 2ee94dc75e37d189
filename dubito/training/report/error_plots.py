"""Plots of errors: risk-coverage curves and confusion matrices."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from dubito.training.evaluation.risk import Risk
from dubito.training.report.plot import ACCENT, COLOURS, QUIET, Picture, picture, plain_tens

LEAST = 1e-4
"""Lower end of the logarithmic scale of risks, at which a risk of 0 is drawn."""


def risk_picture(risks: Sequence[Risk]) -> Picture:
    """Plot risk against coverage for the base line and each uncertainty measure."""

    def draw(panels: list[Axes]) -> None:
        (axes,) = panels
        base, *others = risks
        axes.plot(base.coverage, _shown(base), color=QUIET, linewidth=3, label=_told(base))
        for colour, risk in zip(COLOURS, others, strict=False):
            axes.plot(risk.coverage, _shown(risk), color=colour, linewidth=1.2, label=_told(risk))
        axes.set(xlabel="coverage: share of rows answered, surest first", ylabel="share wrong")
        axes.set(xlim=(0, 1))
        plain_tens(axes, "y")
        axes.legend(loc="upper left")

    return picture("Risk-coverage curves", (9, 4.2), 1, draw)


def _shown(risk: Risk) -> np.ndarray:
    return np.maximum(risk.risk, LEAST)


def _told(risk: Risk) -> str:
    return f"{risk.score} (AURC {risk.aurc:.5f})"


def confusion_picture(
    confusion: Sequence[Sequence[int]],
    automated: Sequence[Sequence[int]] | None,
    classes: Sequence[str],
) -> Picture:
    """Plot confusion matrices of all rows and of the automated rows."""
    tables = [("all rows", confusion)]
    if automated is not None:
        tables.append(("automated rows", automated))

    def draw(panels: list[Axes]) -> None:
        for axes, (title, table) in zip(panels, tables, strict=True):
            counts = np.array(table)
            _confusion(axes, counts, classes)
            wrong = counts.sum() - np.trace(counts)
            axes.set_title(f"{title}: {counts.sum():,}, of which {wrong:,} wrong")

    words = "Confusion matrices, of all rows and of the automated ones"
    return picture(words, (4.6 * len(tables), 4.2), len(tables), draw)


def _confusion(axes: Axes, counts: np.ndarray, classes: Sequence[str]) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), number in np.ndenumerate(counts):
        if number:
            colour = "white" if shares[row, column] > 0.5 else ACCENT
            axes.text(column, row, f"{number:,}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="grade that is answered", ylabel="right grade")
    axes.spines[:].set_visible(False)
