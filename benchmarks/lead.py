"""What leads the page of measurements: one picture and one table, made of the other reports."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

PLAIN = "an empty FastAPI route"
OURS = {
    "study, off": "Dubito, not recorded",
    "study, durable": "Dubito, recorded durably",
}
"""Bars of the report `serving`, and what they are called."""
AXIS = f"requests a second at 32 connections, times those of {PLAIN}"


class Line(NamedTuple):
    """A line of the table: bars of one report in a sentence's words."""

    question: str
    report: str
    answer: str
    """Answer with a place for the value of each bar."""
    bars: tuple[str, ...] = ()
    """Labels of the bars; the least and the greatest of all if there are none."""


LINES = (
    Line(
        f"An answer with error bars (100 passes of the study's network), beside {PLAIN}",
        "serving",
        "{:.2f} times its requests a second recorded durably, {:.2f} times unrecorded",
        ("study, durable", "study, off"),
    ),
    Line(
        "The same of the shipped network",
        "serving",
        "{:.2f} and {:.2f}",
        ("shipped, durable", "shipped, off"),
    ),
    Line(
        "One row of 100 passes in process, beside one compiled `tf.function`",
        "engine",
        "{:.0f} times as fast",
        ("study, 1 rows, tf.function",),
    ),
    Line(
        "Small requests while a large one is computed: their p99, times that alone",
        "beside",
        "{:.1f} to {:.1f}",
    ),
    Line(
        "Seconds until it is ready, and memory, relative to importing TensorFlow and FastAPI",
        "startup",
        "{:.2f} and {:.2f} with the shipped network, {:.2f} and {:.2f} with the study's",
        tuple(
            f"{network}: {figure}"
            for network in ("shipped", "study")
            for figure in ("ready after the start", "resident memory")
        ),
    ),
)


def table(reports: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield questions and answers, without those whose report was never measured."""
    for line in LINES:
        values = bars_of(reports, line.report)
        if values and all(bar in values for bar in line.bars):
            every = sorted(values.values())
            told = [values[bar] for bar in line.bars] or [every[0], every[-1]]
            yield line.question, line.answer.format(*told)
    own = bars_of(reports, "serving").get("study, durable")
    if own is not None and (peers := beside_plain(reports)):
        best = max(peers, key=lambda name: peers[name])
        question = f"The best other serving system with the same network, beside {PLAIN}"
        yield (
            question,
            f"{peers[best]:.2f} ({best}); Dubito, durable, has {own / peers[best]:.1f} times that",
        )


def picture(reports: Mapping[str, Any]) -> dict[str, float]:
    """Return the bars of the picture, by their names: the empty route, ours, and the peers."""
    values = bars_of(reports, "serving")
    ours = {name: values[bar] for bar, name in OURS.items() if bar in values}
    return {PLAIN: 1.0, **ours, **beside_plain(reports)}


def beside_plain(reports: Mapping[str, Any]) -> dict[str, float]:
    """Return each peer's rate, times the empty route's: by ours without records, beside both."""
    ours = bars_of(reports, "serving").get("study, off")
    if ours is None:
        return {}
    ratios = bars_of(reports, "peers")
    ending = ", off"
    return {
        name.removesuffix(ending): ours / ratio
        for name, ratio in ratios.items()
        if name.endswith(ending)
    }


def bars_of(reports: Mapping[str, Any], name: str) -> dict[str, float]:
    """Return the values of a report's bars, by their labels."""
    return {bar["label"]: bar["value"] for bar in reports.get(name, {}).get("bars", ())}
