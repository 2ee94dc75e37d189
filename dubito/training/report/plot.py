"""A picture: drawn by Matplotlib, kept as text that a page can hold."""

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
    # The browser draws the letters: classes may be named in any script.
    "svg.fonttype": "none",
    # Identifiers inside the picture are drawn by chance unless they are salted.
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
    # A dollar in a name is a dollar.
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What is seen, in words too, for who cannot see it."""

    words: str
    svg: str

    @property
    def base64(self) -> str:
        """The drawing, as an address that holds its own bytes has it."""
        return b64encode(self.svg.encode()).decode("ascii")


def plain_tens(axes: Axes, *names: Literal["x", "y"]) -> None:
    """Logarithmic axes, whose tens are written as plain numbers."""
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
        words: what is seen.
        size: width and height, inches.
        panels: how many.
        draw: fills the panels.
    """
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # Of the font that measures a text, not of the browser's that draws it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(1, panels, squeeze=False)
        draw(list(axes[0]))
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return Picture(words, file.getvalue())
