"""The README's picture: what the shipped model answers for three real loans.

`make bench ONLY=picture` draws `docs/answer.png`: a bar per grade, its spread over passes, and
every pass as a dot.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.network.bundle import Bundle, load
from app.network.catalog import find
from app.training.data import Table, read_table, select
from app.training.layout import LOANS
from app.training.split import split_rows
from app.uncertainty.decomposition import summarise
from app.values import Floats, Indices, Query

PASSES, SEED = 100, 42
PICTURE = Path("docs/answer.png")
INK, BAR, DOT = "#1f2933", "#9fb8d3", "#27496d"


def main() -> None:
    """Draw held-out loans of middling, of high and of the greatest doubt."""
    mpl.rcParams.update({"font.size": 10, "text.color": INK})
    bundle = load(find(Path("models"), "loan-grade"))
    table = read_table(None, LOANS)
    held_out = select(table, split_rows(table.labels, 0).test)
    figure = Figure(figsize=(10, 3), layout="constrained")
    rows = _chosen(bundle, held_out)
    axes = figure.subplots(1, len(rows), sharey=True)
    for place, row in zip(axes, rows, strict=True):
        _draw(place, bundle, held_out.features[row : row + 1])
    axes[0].set_ylabel("probability")
    figure.savefig(PICTURE, dpi=150)


def _chosen(bundle: Bundle, held_out: Table) -> Indices:
    (summary,) = bundle.engine.summarise([Query(held_out.features, PASSES, SEED)])
    order = np.argsort(summary.predictive_entropy)
    chosen: Indices = order[[len(order) // 2, int(0.97 * len(order)), -1]]
    return chosen


def _draw(axes: Axes, bundle: Bundle, rows: Floats) -> None:
    draws = bundle.engine.draws(Query(rows, PASSES, SEED))
    summary, classes = summarise(draws), bundle.manifest.classes
    places = np.arange(len(classes))
    axes.bar(places, summary.mean[0], yerr=summary.std[0], color=BAR, capsize=3, ecolor=INK)
    spread = np.random.default_rng(0).uniform(-0.28, 0.28, (PASSES, 1))
    axes.scatter(places + spread, draws[:, 0], s=2, color=DOT, alpha=0.5, linewidths=0)
    axes.set_xticks(places, classes)
    axes.set_ylim(0, 1.02)
    axes.spines[["top", "right"]].set_visible(False)
    grade = classes[summary.grades[0]]
    axes.set_title(
        f"grade {grade}   {summary.predictive_entropy[0]:.2f} nats, "
        f"{summary.mutual_information[0]:.2f} epistemic",
        loc="left",
        fontsize=10,
    )


if __name__ == "__main__":
    main()
