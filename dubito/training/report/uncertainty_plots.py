"""Plots of uncertainty: entropies, detection of shifts, and error by number of passes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from dubito.training.evaluation.predictions import MeanError
from dubito.training.evaluation.uncertainty_metrics import Doubt, ShiftFigures
from dubito.training.report.plot import ACCENT, QUIET, SECOND, THIRD, Picture, picture, plain_tens

PARTS = ("total", "aleatoric", "epistemic")
LEAST = 1e-6
"""Lower end of the logarithmic scale of entropies, in nats."""


def entropy_picture(right: Doubt | None, wrong: Doubt | None) -> Picture:
    """Plot the entropies of right and wrong rows: total, aleatoric and epistemic."""

    def draw(panels: list[Axes]) -> None:
        (axes,) = panels
        kinds = [("right", right, ACCENT), ("wrong", wrong, SECOND)]
        shown = [(told, doubt, colour) for told, doubt, colour in kinds if doubt is not None]
        for at, (told, doubt, colour) in enumerate(shown):
            boxes = [_box(levels) for levels in doubt.quantiles]
            places = np.arange(len(PARTS)) + (at - 0.5) * 0.36
            axes.bxp(
                boxes,
                positions=places.tolist(),
                widths=0.3,
                showfliers=False,
                patch_artist=True,
                boxprops={"facecolor": colour, "alpha": 0.6},
                medianprops={"color": "black"},
                manage_ticks=False,
            )
            axes.bar([0], [0], color=colour, alpha=0.6, label=f"{told}: {doubt.rows:,} rows")
        axes.set_xticks(range(len(PARTS)), PARTS)
        axes.set(ylabel="nats", ylim=(LEAST, 3))
        plain_tens(axes, "y")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.15), ncols=2)

    words = "Entropies of right and wrong rows: total, aleatoric and epistemic"
    return picture(words, (9, 3.6), 1, draw)


def _box(levels: Sequence[float]) -> dict[str, float]:
    low, first, median, third, high = (max(level, LEAST) for level in levels)
    return {"whislo": low, "q1": first, "med": median, "q3": third, "whishi": high}


def shift_picture(shifts: Sequence[ShiftFigures]) -> Picture:
    """Plot the AUROC with which shifted rows are told from the same rows before."""
    shown = [shift for shift in shifts if shift.auroc is not None][::-1]

    def draw(panels: list[Axes]) -> None:
        (axes,) = panels
        places = np.arange(len(shown))
        alone = [shift.auroc_passes or 0.0 for shift in shown]
        both = [shift.auroc or 0.0 for shift in shown]
        axes.barh(places + 0.2, both, 0.38, color=ACCENT, label="with the guard")
        axes.barh(places - 0.2, alone, 0.38, color=QUIET, label="the passes alone")
        axes.set_yticks(places, [shift.name for shift in shown])
        axes.set(xlabel="AUROC", xlim=(0, 1))
        axes.axvline(0.5, color=QUIET, linestyle="--", linewidth=1)
        for place, shift in enumerate(shown):
            if shift.referred is not None:
                axes.text(1.01, place, f"{shift.referred:.1%} referred", va="center")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.18), ncols=2)

    words = "How well shifted inputs are told from usual ones"
    return picture(words, (9, 1.4 + 0.42 * len(shown)), 1, draw)


def precision_picture(found: MeanError) -> Picture:
    """Plot the standard error of the mean against the number of passes."""

    def draw(panels: list[Axes]) -> None:
        (axes,) = panels
        axes.plot(found.passes, found.upper, "o-", color=SECOND, label="stated, 95% of rows below")
        axes.plot(found.passes, found.median, "o-", color=ACCENT, label="stated, median row")
        seen = np.isfinite(found.observed)
        axes.plot(
            found.passes[seen],
            found.observed[seen],
            "x",
            color=THIRD,
            label="observed between batches of passes, median row",
        )
        guide = found.upper[0] * np.sqrt(found.passes[0] / found.passes)
        axes.plot(found.passes, guide, color=QUIET, linestyle="--", label="1/√T")
        axes.set(xlabel="passes T", ylabel="standard error")
        plain_tens(axes, "x", "y")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.25), ncols=2)

    words = "Standard error of the mean against the number of passes"
    return picture(words, (9, 3.8), 1, draw)
