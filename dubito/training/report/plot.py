"""Draws plots with Matplotlib as SVG text that a page can embed."""

import io
import warnings
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

INK, QUIET, ACCENT, SECOND, THIRD, FOURTH = (
    "#1d2733",
    "#9aa5b1",
    "#1f6fb2",
    "#d1495b",
    "#2e8b57",
    "#b8860b",
)
COLOURS = (ACCENT, SECOND, THIRD, FOURTH)
STYLE: Any = {
    # Text stays text, drawn by the browser's fonts: class names may be in any script.
    "svg.fonttype": "none",
    # Without a salt, identifiers in the SVG are random and the page's bytes differ every time.
    "svg.hashsalt": "dubito",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "text.color": INK,
    # Otherwise a dollar sign in a name would start a formula.
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """SVG drawing with a text alternative for people who cannot see it."""

    words: str
    svg: str

    @property
    def base64(self) -> str:
        """The drawing in base64, for a `data:` URL."""
        return b64encode(self.svg.encode()).decode("ascii")


def plain_tens(axes: Axes, *names: Literal["x", "y"]) -> None:
    """Make axes logarithmic, with powers of ten labelled as plain numbers."""
    for name in names:
        axes.set(**{f"{name}scale": "log"})
        axis: Axis = getattr(axes, f"{name}axis")
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def picture(
    words: str, size: tuple[float, float], panels: int, draw: Callable[[list[Axes]], None]
) -> Picture:
    """Draw panels side by side.

    Args:
        words: text alternative of the drawing.
        size: width and height in inches.
        panels: number of panels.
        draw: function that draws on the panels.
    """
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # That font only measures the text; the browser's fonts draw it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(1, panels, squeeze=False)
        draw(list(axes[0]))
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return Picture(words, file.getvalue())
