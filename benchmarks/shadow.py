"""Measures what a shadow costs those who are answered.

`make bench ONLY=shadow`. About four minutes.
"""

import json
import statistics
import time
from dataclasses import dataclass
from urllib.request import urlopen

from benchmarks.load import load
from benchmarks.report import Bar, Report, publish, spread
from benchmarks.services import NAME, NETWORKS, Running, load_until_warm, ours, row

SHADOWS = {"shipped": 4, "study": 2}
"""Version that is the shadow of a network."""
CONNECTIONS = 32
ROUNDS, SECONDS = 7, 8
ASKED = 0.8
DRAINED = 2.0
"""Seconds after a load within which what still waits is compared."""


@dataclass(frozen=True, slots=True)
class Round:
    """Requests a second without a shadow and with one, and the part of the rows compared."""

    alone: float
    shadowed: float
    compared: float


def main() -> None:
    """Measure each network without and with a shadow, in turn."""
    publish(_report({network: _measured(network) for network in SHADOWS}))


def _measured(network: str) -> list[Round]:
    version = NETWORKS[network]
    shadow = f"{NAME}/{SHADOWS[network]}"
    rounds = []
    for _ in range(ROUNDS):
        with ours(version, records="durable") as service:
            alone = _rate(service, version)
        with ours(version, "--shadow", shadow, records="durable") as service:
            before = _compared(service)
            shadowed = _rate(service, version)
            time.sleep(DRAINED)
            compared = _compared(service)
        rows, skipped = (after - first for after, first in zip(compared, before, strict=True))
        rounds.append(Round(alone, shadowed, rows / max(1, rows + skipped)))
        print(f"{network}: {rounds[-1]}", flush=True)
    return rounds


def _rate(service: Running, version: int) -> float:
    body = row(version)
    load_until_warm(service.url, body)
    return load(f"{service.url}/predict/mc", body, CONNECTIONS, SECONDS).rate


def _compared(service: Running) -> tuple[int, int]:
    """Return the rows that were compared so far, and those that were not."""
    with urlopen(f"{service.url}/shadow", timeout=30) as answer:  # noqa: S310 - ours
        told = json.load(answer)
    return told["rows"], told["skipped"]


def _report(measured: dict[str, list[Round]]) -> Report:
    ratios = {
        network: [one.shadowed / one.alone for one in rounds]
        for network, rounds in measured.items()
    }
    rows = tuple(
        (
            network,
            f"{statistics.median(one.alone for one in rounds):,.0f}",
            f"{statistics.median(one.shadowed for one in rounds):,.0f}",
            spread(ratios[network]),
            f"{statistics.median(one.compared for one in rounds):.0%}",
            f"≥ {ASKED:g}" if network == "shipped" else "told",
        )
        for network, rounds in measured.items()
    )
    return Report(
        name="shadow",
        title="A shadow",
        how=f"Durable `/predict/mc` over {CONNECTIONS} connections, without a shadow and with one "
        f"of all requests, services in turn, {ROUNDS} rounds of {SECONDS} s. Compared is the part "
        f"of the rows that was, up to {DRAINED:g} s after the load; the rest was skipped.",
        head=("network", "requests/s", "with a shadow", "ratio", "compared", "asked"),
        rows=rows,
        figures={
            network: [
                {"alone": one.alone, "shadowed": one.shadowed, "compared": one.compared}
                for one in rounds
            ]
            for network, rounds in measured.items()
        },
        axis="requests a second with a shadow, of those without",
        bars=tuple(
            Bar(network, statistics.median(found), ASKED) for network, found in ratios.items()
        ),
    )


if __name__ == "__main__":
    main()
