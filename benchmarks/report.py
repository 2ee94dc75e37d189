"""Writes a benchmark's report: a table, its measurements as JSON and a plot, on one page for all.

Every benchmark writes `docs/performance/<name>.json` and `.png`; the page `docs/performance.md` is
rebuilt from all existing reports.
"""

import json
import platform
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks import lead

PAGE = Path("docs/performance.md")
FOLDER = Path("docs/performance")
ORDER = (
    "serving",
    "against",
    "fronts",
    "peers",
    "inference",
    "engine",
    "rate",
    "libraries",
    "overload",
    "beside",
    "neighbours",
    "swaps",
    "shadow",
    "score",
    "soak",
    "records",
    "records-against",
    "startup",
)
HEAD = """# Performance

Ours and theirs in turn, in one run on one machine of two cores, with nothing else running; a ratio
is the median of the ratios of neighbouring rounds, and in brackets stand the least and the most of
them. `make bench ONLY=…` repeats a section. *Asked* is what the project asks of itself. A section
that names no processor was measured before sections did, and may be of another machine or an
earlier state of the code; `docs/performance/*.json` in the history say when.
"""
INK, BAR, MARK = "#1f2933", "#9fb8d3", "#c0392b"


@dataclass(frozen=True, slots=True)
class Bar:
    """Bar of the plot."""

    label: str
    value: float
    asked: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Results of one benchmark."""

    name: str
    title: str
    how: str
    """Method of measurement, as a sentence."""
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: dict[str, Any]
    """All single measurements, as JSON values."""
    axis: str
    """Label of the bars' axis."""
    bars: tuple[Bar, ...]
    command: str = ""
    """Command that repeats the benchmark; `make bench ONLY=<name>` if empty."""


def publish(report: Report) -> None:
    """Write a report's files, rebuild the page, and print the table."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    content = asdict(report) | {"machine": machine()}
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (FOLDER / f"{report.name}.json").write_text(text, encoding="utf-8")
    _draw(report.name, report.axis, report.bars)
    rebuild()
    print("\n".join(_table(report.head, report.rows)))


def machine() -> str:
    """Name the processor, and the widest vectors that it has of those the kernel uses."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    told = dict(line.split("\t: ", 1) for line in lines if "\t: " in line)
    flags = next((text.split() for name, text in told.items() if name.strip() == "flags"), [])
    widest = next((name for name in ("avx512f", "avx2") if name in flags), "no AVX2")
    model = next((text for name, text in told.items() if name.strip() == "model name"), "")
    return f"{model or platform.machine()}, {widest.removesuffix('f').upper()}"


def rebuild() -> None:
    """Write the page anew from all reports: what leads it, then a section for each."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")]
    found.sort(key=lambda one: ORDER.index(one["name"]))
    reports = {one["name"]: one for one in found}
    bars = [Bar(name, value) for name, value in lead.picture(reports).items()]
    _draw("lead", lead.AXIS, bars)
    top = "\n".join(_table(("", "seen"), list(lead.table(reports))))
    picture = f"![{lead.AXIS}](performance/lead.png)\n"
    sections = [HEAD, f"{top}\n", picture, *map(_section, found)]
    PAGE.write_text("\n".join(sections), encoding="utf-8")


def spread(ratios: Sequence[float], digits: int = 2) -> str:
    """Format the median of ratios, with the least and the greatest."""
    median, least, most = statistics.median(ratios), min(ratios), max(ratios)
    return f"{median:,.{digits}f} ({least:,.{digits}f} to {most:,.{digits}f})"


def _section(report: dict[str, Any]) -> str:
    name = report["name"]
    command = report.get("command") or f"make bench ONLY={name}"
    on = f" On {report['machine']}." if "machine" in report else ""
    table = "\n".join(_table(report["head"], report["rows"]))
    return (
        f"## {report['title']}\n\n{report['how']}{on} `{command}`, "
        f"[all figures](performance/{name}.json).\n\n{table}\n\n"
        f"![{report['axis']}](performance/{name}.png)\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _draw(name: str, axis: str, bars: Sequence[Bar]) -> None:
    mpl.rcParams.update({"font.size": 9, "text.color": INK})
    bars = bars[::-1]
    figure = Figure(figsize=(8, 0.8 + 0.32 * len(bars)), layout="constrained")
    axes = figure.subplots()
    values = [bar.value for bar in bars]
    axes.barh(range(len(bars)), values, color=BAR, height=0.65)
    for at, bar in enumerate(bars):
        axes.text(bar.value, at, f" {bar.value:,.3g}", va="center", color=INK)
        if bar.asked is not None:
            axes.plot([bar.asked] * 2, [at - 0.4, at + 0.4], color=MARK, linewidth=2)
    if max(values) > 50 * min(values):
        axes.set_xscale("log")
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
    is_asked = any(bar.asked is not None for bar in bars)
    axes.set_xlabel(f"{axis}; red: asked" if is_asked else axis)
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(FOLDER / f"{name}.png", dpi=120)
