"""Compares the serving speed of this work tree with that of another commit.

Called by `benchmarks.serving` and `benchmarks.records` with `--against COMMIT`. About ten minutes.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import Load, load
from benchmarks.report import Bar, Report, publish, spread
from benchmarks.services import NETWORKS, load_until_warm, ours, row

ROOT = Path(__file__).parent.parent
BUILD = "from setuptools import setup; setup()"
"""Program that builds what `pyproject.toml` describes."""
ROUTE = "/predict/mc?passes=100"
MANY, ONE = 32, 1
"""Numbers of connections at which the rate and the median latency are measured."""
PAIRS = 9
SECONDS = 4
LEAST_RATE = 0.97
"""Least median ratio, ours / theirs, of requests a second."""
MOST_P50 = 1.03
"""Largest median ratio, ours / theirs, of the median latency."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is measured of both trees."""

    bench: str
    """Name of the benchmark that it belongs to."""
    report: str
    """Name of the report's files."""
    title: str
    network: str
    modes: tuple[str, ...]
    """Values of `--records`."""


# With the fastest network, everything else has its largest share of a request.
SERVING = Comparison("serving", "against", "Beside an earlier commit", "study", ("durable", "off"))
RECORDS = Comparison(
    "records",
    "records-against",
    "Records beside an earlier commit",
    "shipped",
    ("durable", "relaxed"),
)


@dataclass(frozen=True, slots=True)
class Round:
    """Load results of one freshly started tree."""

    many: Load
    one: Load


Pairs = list[tuple[Round, Round]]
"""Rounds of this work tree and of the other commit, measured one directly after the other."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ask for another commit beside this tree."""
    parser.add_argument("--against", metavar="COMMIT", help="measure beside this commit instead")
    parser.add_argument("--pairs", type=positive, default=PAIRS, help="rounds of both trees")
    parser.add_argument("--seconds", type=positive, default=SECONDS, help="of each load")


def positive(text: str) -> int:
    """Parse a positive whole number of the command line.

    Raises:
        ValueError: it is none.
    """
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def run(parser: argparse.ArgumentParser, arguments: argparse.Namespace, asked: Comparison) -> int:
    """Measure and publish a comparison; return the exit code, 1 if this tree is too slow."""
    try:
        found, is_fast = compare(arguments.against, arguments.pairs, arguments.seconds, asked)
    except ValueError as error:
        parser.error(str(error))
    publish(found)
    return 0 if is_fast else 1


def compare(commit: str, pairs: int, seconds: int, asked: Comparison) -> tuple[Report, bool]:
    """Measure both trees in turn; returns the report, and whether this one is fast enough.

    Raises:
        ValueError: the commit does not exist.
    """
    name = describe(commit)
    with checked_out(commit) as theirs:
        build_kernels(theirs)
        version = NETWORKS[asked.network]
        found = {mode: _pairs(theirs, version, mode, pairs, seconds) for mode in asked.modes}
    how = f"wrk, {pairs} rounds of {seconds} s, each tree started anew in each"
    return report(found, name, how, asked), is_fast_enough(found)


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Check out a commit to a temporary work tree for the duration of a block."""
    with TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def build_kernels(tree: Path) -> None:
    """Build the kernels of a tree in place, as its installation would; older ones have none."""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD, "--quiet", "build_ext", "--inplace"],
        cwd=tree,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def describe(commit: str) -> str:
    """Return the short name of a commit.

    Raises:
        ValueError: the commit does not exist.
    """
    try:
        return _git("rev-parse", "--short", "--verify", "--end-of-options", f"{commit}^{{commit}}")
    except subprocess.CalledProcessError as error:
        raise ValueError(f"{commit} is no commit of this repository") from error


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words],  # noqa: S607 - whichever git the developer uses
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _pairs(theirs: Path, version: int, records: str, pairs: int, seconds: int) -> Pairs:
    found = []
    for _ in range(pairs):
        own, other = (_measure(tree, version, records, seconds) for tree in (ROOT, theirs))
        print(f"records {records}: {_seen(own)} beside {_seen(other)}", flush=True)
        found.append((own, other))
    return found


def _measure(tree: Path, version: int, records: str, seconds: int) -> Round:
    """Serve a tree with its own state folder, and load it."""
    body = row(version)
    with TemporaryDirectory(dir=Path.cwd()) as state:
        flags = ("--records", records, "--state", state)
        with ours(version, *flags, tree=tree) as service:
            load_until_warm(service.url, body)
            load(service.url + ROUTE, body, MANY, seconds)
            many, one = (
                load(service.url + ROUTE, body, connections, seconds) for connections in (MANY, ONE)
            )
    return Round(many, one)


def rate_ratios(pairs: Pairs) -> list[float]:
    """Return ratios of requests per second at many connections, ours / theirs."""
    return [own.many.rate / other.many.rate for own, other in pairs]


def p50_ratios(pairs: Pairs) -> list[float]:
    """Return ratios of median latencies at one connection, ours / theirs."""
    return [own.one.p50 / other.one.p50 for own, other in pairs]


def is_fast_enough(found: dict[str, Pairs]) -> bool:
    """Whether the median ratios are within the limits, with records and without."""
    return all(
        statistics.median(rate_ratios(pairs)) >= LEAST_RATE
        and statistics.median(p50_ratios(pairs)) <= MOST_P50
        for pairs in found.values()
    )


def report(found: dict[str, Pairs], commit: str, how: str, asked: Comparison) -> Report:
    """Build the report: table, measurements and plot."""
    rows, bars = [], []
    for records, pairs in found.items():
        for name, ratios, limit, sign in (
            (f"requests a second, {MANY} connections", rate_ratios(pairs), LEAST_RATE, "≥"),
            (f"p50, {ONE} connection", p50_ratios(pairs), MOST_P50, "≤"),
        ):
            rows.append((records, name, spread(ratios, 3), f"{sign} {limit}"))
            bars.append(Bar(f"records {records}: {name}", statistics.median(ratios), limit))
        own, other = sorted(pairs, key=lambda pair: pair[0].many.rate)[len(pairs) // 2]
        rows.append((records, "ours and theirs, a round", f"{_seen(own)}; {_seen(other)}", ""))
    return Report(
        name=asked.report,
        title=asked.title,
        how=f"`POST /predict/mc` with 100 passes for one row in each request, the {asked.network} "
        f"network, one worker; this tree beside commit {commit}, {how}.",
        head=("records", "figure", "ours / theirs, median (least to most)", "asked"),
        rows=tuple(rows),
        figures={
            records: [{"ours": asdict(own), "theirs": asdict(other)} for own, other in pairs]
            for records, pairs in found.items()
        },
        axis="ours / theirs",
        bars=tuple(bars),
        command=f"make bench ONLY={asked.bench} ARGS='--against {commit}'",
    )


def _seen(figures: Round) -> str:
    return f"{figures.many.rate:,.0f} / s, p50 {figures.one.p50 * 1e3:.2f} ms"
