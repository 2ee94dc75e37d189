"""Plots of predicted numbers: values, deviations and errors, and intervals."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from dubito.training.evaluation.number_evaluation import NumberRisk, SpreadBin
from dubito.training.evaluation.number_metrics import IntervalMetrics
from dubito.training.report.plot import ACCENT, COLOURS, QUIET, SECOND, Picture, picture
from dubito.types import Floats


def values_picture(values: Floats, means: Floats, told: str) -> Picture:
    """Plot predictions against true values; `told` names the number and its unit."""

    def draw(panels: list[Axes]) -> None:
        (axes,) = panels
        least, most = float(min(values.min(), means.min())), float(max(values.max(), means.max()))
        axes.plot([least, most], [least, most], color=QUIET, linewidth=1, linestyle="--")
        axes.scatter(values, means, 6, color=ACCENT, alpha=0.4, linewidths=0)
        axes.set(xlabel=f"true {told}", ylabel="mean over the passes")

    return picture("Predicted against true values", (5.5, 4.2), 1, draw)


def spread_picture(spread: Sequence[SpreadBin], risk: NumberRisk) -> Picture:
    """Plot errors against predicted deviations, and errors of the surest rows."""

    def draw(panels: list[Axes]) -> None:
        bins, curve = panels
        stds, errors = [one.std for one in spread], [one.rmse for one in spread]
        most = max(*stds, *errors)
        bins.plot([0, most], [0, most], color=QUIET, linewidth=1, linestyle="--")
        bins.plot(stds, errors, "o", color=ACCENT)
        bins.set(xlabel="predicted deviation (root mean variance)", ylabel="error (RMSE)")
        bins.set_title("tenths of the rows, by predicted deviation")
        curve.plot(risk.coverages, risk.rmse, color=ACCENT, label="by predicted deviation")
        curve.plot(risk.coverages, risk.ideal, color=QUIET, label="by the error itself")
        curve.axhline(float(risk.rmse[-1]), color=SECOND, linestyle="--", linewidth=1)
        curve.set(xlabel="share of rows answered, surest first", ylabel="RMSE of those")
        curve.set(xlim=(0, 1))
        curve.legend(loc="upper left")

    return picture("Errors by predicted deviation", (9, 4), 2, draw)


def intervals_picture(found: Sequence[IntervalMetrics], unit: str) -> Picture:
    """Plot the measured coverage of intervals against the requested one, and their mean width."""

    def draw(panels: list[Axes]) -> None:
        coverage, width = panels
        for colour, method in zip(
            COLOURS, dict.fromkeys(one.method for one in found), strict=False
        ):
            own = [one for one in found if one.method == method]
            asked = [one.asked for one in own]
            widths = [np.nan if one.width is None else one.width for one in own]
            coverage.plot(asked, [one.coverage for one in own], "o-", color=colour, label=method)
            width.plot(asked, widths, "o-", color=colour, label=method)
        coverage.plot([0.75, 1], [0.75, 1], color=QUIET, linewidth=1, linestyle="--")
        coverage.set(xlabel="coverage asked", ylabel="share of rows whose interval holds the value")
        width.set(xlabel="coverage asked", ylabel=f"mean width{f', {unit}' if unit else ''}")
        width.legend(loc="upper left")

    return picture("Coverage and width of intervals", (9, 4), 2, draw)
