"""Measures how much one model of a service suffers while another is flooded.

`make bench ONLY=neighbours`. About five minutes. Two models, each asked for many rows at random
times in an open loop, see `benchmarks.arrivals`.
"""

import asyncio
import json
import statistics
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from benchmarks.arrivals import Answer, Arrivals
from benchmarks.load import load
from benchmarks.report import Bar, Report, publish, spread
from benchmarks.services import MODELS, Running, serving_models
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example

FLOODED, OTHER = "loan-grade", "loan-application"
COMPUTING = 0.025
"""Least seconds of a request, of which at least 20 ms are computing."""
ROWS, STEP = 8, 100
"""Rows of a request, and passes by which it grows until it takes so long."""
TIMES = 10
EAGER = 16
"""Connections to each model that ask as soon as they are answered."""
LOAD = 0.8
"""Part of its share that a model uses that is not flooded: all of it would be an endless queue."""
ROUNDS, SECONDS = 7, 15
SETTLED = 2.0
"""Length in seconds of the beginning of a load, which is not counted."""
ASKED = 2.0
Case = tuple[list[Answer], list[Answer]]
"""Answers of the flooded model, and of the other."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a model, and how long it takes alone."""

    path: str
    body: str
    passes: int
    seconds: float


def main() -> None:
    """Measure both at their share, and the other beside the flood, in turn."""
    rounds: list[tuple[Case, Case]] = []
    with serving_models(f"{FLOODED},{OTHER}", records="durable") as service:
        flooded, other = _request(service, FLOODED), _request(service, OTHER)
        shares = _shares(service, flooded, other)
        for at in range(ROUNDS):
            usual = LOAD * shares[1]
            calm = asyncio.run(_offer(service, flooded, other, (LOAD * shares[0], usual), at))
            flood = asyncio.run(_offer(service, flooded, other, (TIMES * shares[0], usual), at))
            rounds.append((calm, flood))
            print(f"round {at + 1}: {_p99(calm[1]) * 1e3:.0f} ms, {_p99(flood[1]) * 1e3:.0f} ms")
    publish(_report(flooded, other, shares, rounds))


def _request(service: Running, name: str) -> Request:
    """Return a request that takes long enough."""
    row = example(inspect(find_version(MODELS, name)).manifest.signature)
    body = json.dumps({"instances": [row] * ROWS})
    passes, seconds = 0, 0.0
    while seconds < COMPUTING:
        passes += STEP
        path = f"/models/{name}/predict/mc?passes={passes}"
        seconds = load(service.url + path, body, 1, 1).p50
    return Request(path, body, passes, seconds)


def _shares(service: Running, flooded: Request, other: Request) -> tuple[float, float]:
    """Return what each answers a second while both have more to do than they can."""
    with ThreadPoolExecutor(2) as threads:
        first, second = (
            threads.submit(load, service.url + one.path, one.body, EAGER, SECONDS)
            for one in (flooded, other)
        )
        return first.result().rate, second.result().rate


async def _offer(
    service: Running, flooded: Request, other: Request, rates: tuple[float, float], seed: int
) -> Case:
    """Send requests to both models, at rates a second."""
    port = int(service.url.rpartition(":")[2])
    first = Arrivals(port, flooded.path, flooded.body)
    second = Arrivals(port, other.path, other.body)
    return await asyncio.gather(
        first.send(rates[0], SECONDS, 2 * seed),
        second.send(rates[1], SECONDS, 2 * seed + 1),
    )


def _p99(answers: list[Answer]) -> float:
    good = [one.seconds for one in answers if one.status == 200 and one.due >= SETTLED]
    return float(np.quantile(good, 0.99))


def _answered(answers: list[Answer]) -> float:
    return sum(one.status == 200 for one in answers) / len(answers)


def _report(
    flooded: Request,
    other: Request,
    shares: tuple[float, float],
    rounds: list[tuple[Case, Case]],
) -> Report:
    ratios = [_p99(flood[1]) / _p99(calm[1]) for calm, flood in rounds]
    late = [
        statistics.median(_p99(case[1]) for case in cases) for cases in zip(*rounds, strict=True)
    ]
    answered = [min(_answered(case[1]) for case in cases) for cases in zip(*rounds, strict=True)]
    accepted = statistics.median(_answered(flood[0]) for _, flood in rounds)
    rows = (
        ("both at their share", f"{late[0] * 1e3:.0f} ms", f"{answered[0]:.1%}", "", ""),
        (
            f"{FLOODED} at {TIMES} × its share",
            f"{late[1] * 1e3:.0f} ms",
            f"{answered[1]:.1%}",
            spread(ratios),
            f"≤ {ASKED:g}",
        ),
    )
    return Report(
        name="neighbours",
        title="Two models, one of them flooded",
        how=f"One service of `{FLOODED}` and `{OTHER}`, durable records. A request has "
        f"{ROWS} rows with {flooded.passes:,} and {other.passes:,} passes, which takes "
        f"{flooded.seconds * 1e3:.0f} and {other.seconds * 1e3:.0f} ms alone. A model's share is "
        f"what it answers while both are asked for more than they can, {shares[0]:.1f} and "
        f"{shares[1]:.1f} a second; {LOAD:.0%} of it is asked of each, and then of `{FLOODED}` "
        f"{TIMES} times the share, of which it answers {accepted:.0%}. Requests "
        "come at random times in an open loop, and a latency counts from when its request was due. "
        f"{ROUNDS} rounds of {SECONDS} s.",
        head=("offered", f"p99 of {OTHER}", "answered", "ratio of p99", "asked"),
        rows=rows,
        figures={
            "p99": [{"calm": _p99(calm[1]), "flood": _p99(flood[1])} for calm, flood in rounds],
            "share": shares,
        },
        axis=f"p99 of {OTHER} beside the flood, of that without",
        bars=(Bar(f"{FLOODED} at {TIMES} × its share", statistics.median(ratios), ASKED),),
    )


if __name__ == "__main__":
    main()
