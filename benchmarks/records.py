"""Measures the cost of records: throughput with durable, relaxed or no records, and while polled.

`make bench ONLY=records`. About six minutes, and 3 GB below `build`. With ARGS='--against COMMIT'
it compares this work tree with another commit instead, see `benchmarks.against`.
"""

import argparse
import json
import random
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

from sqlalchemy import Connection, insert

from app.count_keys import Family, key
from app.record_events import Entry, Event, Tally, now
from app.records.address import url_of
from app.records.database import open_database
from app.records.key import FILE, read_or_make
from app.records.ledger import Ledger
from app.records.tables import rollups
from benchmarks import against
from benchmarks.load import Load, load
from benchmarks.report import Bar, Report, publish, spread
from benchmarks.services import MODELS, NAME, NETWORKS, ours, post, row
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.identifier import new_id
from dubito.uncertainty.bins import bins_of

ROUTE = "/predict/mc?passes=100"
KINDS = ("off", "durable", "relaxed")
ASKED = {"durable": 0.75, "relaxed": 0.9}
POLLED = {"an hour by minutes": "window=1h&step=1m", "a day by ten minutes": "window=1d&step=10m"}
MOST_SECONDS, LEAST_SHARE = 0.05, 0.95
"""Largest p95 of a poll in seconds, and least share of the throughput while polled."""
CONNECTIONS, ROUNDS, SECONDS = 32, 5, 3
RECORDS, AT_ONCE = 1_000_000, 4_096
A_SECOND = 10
"""Number of polls per second."""
FOLDER = Path("build/records")
MINUTE, HOUR, DAYS = 60, 3_600, 30

Rounds = list[dict[str, Load]]


@dataclass
class Polls:
    """Durations of a dashboard's polls of the statistics."""

    seconds: list[float] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """95% quantile of the durations in seconds."""
        return statistics.quantiles(self.seconds, n=20)[-1]


def main(words: Sequence[str]) -> int:
    """Run the benchmark that the arguments choose; return the exit code."""
    parser = argparse.ArgumentParser(prog="make bench ONLY=records")
    against.add_arguments(parser)
    arguments = parser.parse_args(words)
    if arguments.against is not None:
        return against.run(parser, arguments, against.RECORDS)
    _measure()
    return 0


def _measure() -> None:
    """Measure throughput with records, and while statistics are polled."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    try:
        prices = {name: _price(version) for name, version in NETWORKS.items()}
        polled = _polling(NETWORKS["shipped"])
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    publish(_report(prices, polled))


def _price(version: int) -> Rounds:
    """Measure throughput without records, and with both kinds of them, in turn."""
    body = row(version)
    with ExitStack() as services:
        urls = {
            kind: services.enter_context(
                ours(version, "--records", kind, "--state", str(FOLDER / f"{version}-{kind}"))
            ).url
            + ROUTE
            for kind in KINDS
        }
        for url in urls.values():
            load(url, body, CONNECTIONS, SECONDS)
        return [
            {kind: load(url, body, CONNECTIONS, SECONDS) for kind, url in urls.items()}
            for _ in range(ROUNDS)
        ]


def _polling(version: int) -> dict[str, tuple[Polls, list[tuple[Load, Load]]]]:
    """Measure throughput on many records with and without polls, and the polls' durations."""
    state, body = FOLDER / "many", row(version)
    found = {}
    with ours(version, "--records", "off") as service:
        answer = json.loads(post(f"{service.url}{ROUTE}", body))
    _prepare(state, answer, json.loads(body))
    with ours(version, "--records", "durable", "--state", str(state)) as service:
        load(service.url + ROUTE, body, CONNECTIONS, SECONDS)
        for name, query in POLLED.items():
            polls, pairs = Polls(), []
            for _ in range(ROUNDS):
                with _polled(service.url, query, polls):
                    beside = load(service.url + ROUTE, body, CONNECTIONS, SECONDS)
                alone = load(service.url + ROUTE, body, CONNECTIONS, SECONDS)
                pairs.append((beside, alone))
            found[name] = polls, pairs
    return found


@contextmanager
def _polled(url: str, query: str, polls: Polls) -> Iterator[None]:
    """Poll statistics for the duration of a block."""
    ended = threading.Event()

    def poll() -> None:
        host = url.removeprefix("http://")
        connection = HTTPConnection(host, timeout=30)
        tag, due = "", time.perf_counter()
        while not ended.wait(max(0.0, due - time.perf_counter())):
            due += 1 / A_SECOND
            start = time.perf_counter()
            connection.request("GET", f"/uncertainty?{query}", headers={"If-None-Match": tag})
            answer = connection.getresponse()
            answer.read()
            if answer.status not in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
                raise RuntimeError(f"{query} was answered with {answer.status}")
            polls.seconds.append(time.perf_counter() - start)
            tag = answer.headers.get("ETag", tag)
        connection.close()

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _prepare(state: Path, answer: dict[str, object], features: dict[str, object]) -> None:
    """Write a month of records: `RECORDS` predictions, and the counts of its minutes and hours."""
    secret = read_or_make(state / FILE)
    whole = {"environment": "sha256:" + "0" * 64, "endpoint": "/predict/mc", "answer": answer}
    asked = {"asked": {"passes": answer["passes"]}, "model": answer["model"], "warnings": []}
    body = json.dumps(whole | asked).encode()
    personal = json.dumps({"features": features, "reference": None}).encode()
    manifest = inspect(find_version(MODELS, NAME, NETWORKS["shipped"])).manifest
    digest = manifest.identity.digest
    streams = bins_of(manifest.signature, manifest.calibration).values()
    with (
        open_database(url_of(None, state)) as engine,
        closing(Ledger(engine, secret, new_id())) as ledger,
    ):
        for _ in range(0, RECORDS, AT_ONCE):
            time_, tally = now(), Tally(digest, {key(Family.ROWS): AT_ONCE})
            events = (Event("prediction", new_id(), time_, body, personal) for _ in range(AT_ONCE))
            ledger.write([Entry(tuple(events), tally=tally)])
        with engine.begin() as connection:
            _count(connection, digest, [bins.size for bins in streams])


def _count(connection: Connection, digest: str, sizes: Sequence[int]) -> None:
    """Insert the counts of a month."""
    chance, end = random.Random(0), int(time.time())  # noqa: S311 - no secret
    for span, length in ((MINUTE, 8 * 24 * HOUR), (HOUR, DAYS * 24 * HOUR)):
        starts = range((end - length) // span * span, end // span * span, span)
        rows = [
            {
                "digest": digest,
                "span": span,
                "start": start,
                "chain": "of before",
                "counts": json.dumps(_counts(chance, span, sizes)).encode(),
            }
            for start in starts
        ]
        connection.execute(insert(rollups), rows)


def _counts(chance: random.Random, span: int, sizes: Sequence[int]) -> dict[str, int]:
    """Draw counts like those of many rows: most bins of all streams are filled."""
    many = span * 20 // MINUTE
    names = [
        *("rows", "passes", "action.automate", "action.refer", "reason.ambiguous", "set.1"),
        *(f"grade.{grade}" for grade in "ABCDEFG"),
        *(f"entropy.{at}" for at in range(20, 97, 2)),
        *(f"information.{at}" for at in range(10, 80, 2)),
        *(f"stream.{stream}.{at}" for stream, size in enumerate(sizes) for at in range(size)),
    ]
    return {name: chance.randint(1, many) for name in names}


def _report(
    prices: dict[str, Rounds], polled: dict[str, tuple[Polls, list[tuple[Load, Load]]]]
) -> Report:
    rows, bars = [], []
    for network, rounds in prices.items():
        for kind, asked in ASKED.items():
            ratios = [one[kind].rate / one["off"].rate for one in rounds]
            rows.append((network, f"{kind}, of the rate without", spread(ratios), f"≥ {asked}"))
            bars.append(Bar(f"{network}, {kind}", statistics.median(ratios), asked))
    for name, (polls, pairs) in polled.items():
        ratios = [beside.rate / alone.rate for beside, alone in pairs]
        least, most = f"≥ {LEAST_SHARE}", f"≤ {MOST_SECONDS * 1e3:.0f}"
        rows.append((name, "rate beside polls, of that without", spread(ratios), least))
        rows.append((name, "p95 of a poll, ms", f"{polls.p95 * 1e3:.1f}", most))
        bars.append(Bar(f"polled: {name}", statistics.median(ratios), LEAST_SHARE))
    return Report(
        name="records",
        title="What remembering costs",
        how=f"`POST /predict/mc` with 100 passes for one row in each request, {CONNECTIONS} "
        "connections, one worker, records in SQLite: durable (an answer leaves after its commit), "
        f"relaxed and off in turn, {ROUNDS} rounds of {SECONDS} s. Then the shipped network with "
        f"durable records of which there are {RECORDS:,} already, with `/uncertainty` polled "
        f"{A_SECOND} times a second and without.",
        head=("what", "figure", "median (least to most)", "asked"),
        rows=tuple(rows),
        figures={
            "prices": {
                network: [{kind: one.rate for kind, one in found.items()} for found in rounds]
                for network, rounds in prices.items()
            },
            "polled": {
                name: {
                    "seconds": polls.seconds,
                    "rates": [(beside.rate, alone.rate) for beside, alone in pairs],
                }
                for name, (polls, pairs) in polled.items()
            },
        },
        axis="rate, of the rate without",
        bars=tuple(bars),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
