"""Measures the goodput under up to ten times the load that can be served.

`make bench ONLY=overload`. About three minutes. Requests are heavy, so that the network and not the
connection is the limit, and arrive in an open loop, see `benchmarks.arrivals`.
"""

import asyncio
import json
import statistics

import numpy as np

from benchmarks.arrivals import Answer, Arrivals
from benchmarks.load import load
from benchmarks.report import Bar, Report, publish, spread
from benchmarks.services import NETWORKS, OPENER, Running, ours, row

ROWS, PASSES = 20, 10_000
DEADLINE = 1.0
"""Deadline of a request in seconds."""
TIMES = (1, 2, 5, 10)
ROUNDS = 5
SECONDS = 8
SETTLED = 1.0
"""Length in seconds of the beginning of a load, which is not counted."""
ASKED = 0.9
ROUTE = f"/predict/mc?passes={PASSES}&deadline_ms={int(DEADLINE * 1e3)}"


def main() -> None:
    """Measure the best unloaded rate and then each overload, in turn, round by round."""
    version = NETWORKS["shipped"]
    body = json.dumps({"instances": [json.loads(row(version))] * ROWS})
    rounds: list[tuple[float, dict[int, list[Answer]], list[float]]] = []
    with ours(version) as service:
        load(service.url + ROUTE, body, 2, SECONDS)
        for at in range(ROUNDS):
            best = load(service.url + ROUTE, body, 4, SECONDS).rate
            offered, health = {}, []
            for times in TIMES:
                answers, waited = asyncio.run(_offer(service, body, best * times, at))
                offered[times] = answers
                health += waited if times == TIMES[-1] else []
            rounds.append((best, offered, health))
            print(f"round {at + 1}: {best:.1f} a second", flush=True)
    publish(_report(rounds))


async def _offer(
    service: Running, body: str, rate: float, seed: int
) -> tuple[list[Answer], list[float]]:
    """Send a load; returns its outcomes, and the seconds of each health check meanwhile."""
    port = int(service.url.rpartition(":")[2])
    sending = asyncio.create_task(Arrivals(port, ROUTE, body).send(rate, SECONDS, seed))
    loop, waited = asyncio.get_running_loop(), []
    while not sending.done():
        start = loop.time()
        await asyncio.to_thread(_health, service.url)
        waited.append(loop.time() - start)
        await asyncio.sleep(0.1)
    return await sending, waited


def _health(url: str) -> None:
    with OPENER.open(f"{url}/health/live", timeout=30) as answer:
        answer.read()


def _in_time(answers: list[Answer]) -> float:
    """Compute the number of responses in time per second."""
    good = [a for a in answers if a.status == 200 and a.seconds <= DEADLINE and a.due >= SETTLED]
    return len(good) / (max(a.due for a in answers) - SETTLED)


def _p99(answers: list[Answer]) -> float:
    return float(np.quantile([a.seconds for a in answers if a.status == 200], 0.99))


def _report(rounds: list[tuple[float, dict[int, list[Answer]], list[float]]]) -> Report:
    rows, bars = [], []
    for times in TIMES:
        shares = [_in_time(offered[times]) / best for best, offered, _ in rounds]
        p99 = [_p99(offered[times]) / DEADLINE for _, offered, _ in rounds]
        whole = [answer for _, offered, _ in rounds for answer in offered[times]]
        told = ", ".join(
            f"{status or 'broken'}: {sum(answer.status == status for answer in whole):,}"
            for status in sorted({answer.status for answer in whole})
        )
        asked = times == TIMES[-1]
        name = f"{times} ×"
        wanted = f"≥ {ASKED}" if asked else ""
        rows.append((name, "answers in time, of the best rate", spread(shares), wanted))
        rows.append((name, "p99 of the accepted, of the deadline", spread(p99), "≤ 1"))
        rows.append((name, "statuses", told, ""))
        value = statistics.median(shares)
        bars.append(Bar(f"{name} the load that can be served", value, ASKED if asked else None))
    slow = float(np.quantile([seconds for *_, health in rounds for seconds in health], 0.99))
    best = statistics.median(best for best, *_ in rounds)
    return Report(
        name="overload",
        title="Overload",
        how=f"Requests of {ROWS} rows × {PASSES:,} passes with a deadline of {DEADLINE:g} s, of "
        f"the shipped network; {best:.0f} a second is the best rate of 4 connections, without a "
        "queue. "
        "They come at random times in an open loop, and a latency counts from when its request was "
        f"due. {ROUNDS} rounds of {SECONDS} s. Health under 10 × answers within "
        f"{slow * 1e3:.0f} ms (p99).",
        head=("offered", "figure", "median (least to most)", "asked"),
        rows=tuple(rows),
        figures={
            "best": [best for best, *_ in rounds],
            "in time": {
                str(times): [_in_time(offered[times]) for _, offered, _ in rounds]
                for times in TIMES
            },
        },
        axis="answers in time, of the best unloaded rate",
        bars=tuple(bars),
    )


if __name__ == "__main__":
    main()
