"""Records that the version before has written, and what the version under test tells of them.

`tests/fixtures/written` has them, by either kind of database, with what that version told.
Everything here goes through commands and HTTP alone, whatever the modules behind them are called.
"""

import csv
import hashlib
import json
import lzma
import math
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from pyarrow import parquet

from tests import postgres
from tests.programs import false_clock, postgres_folder
from tests.service import ROOT, Service, command, until

HOME = ROOT / "tests" / "fixtures" / "written"
KINDS = ("sqlite", "postgresql")
KEY, CHECKPOINT, EXPECTED = "records.key", "checkpoint.json", "expected.json.xz"
DATABASE, DUMP = "records.db", "records.sql"
LATER = datetime.fromisoformat("2026-10-07T18:00:00+00:00")
"""A time at which counts by the minute and replies to keys are still there."""
DAYS = "since=2026-10-05T00:00:00Z&until=2026-10-09T00:00:00Z&step=1d"
HOURS = "since=2026-10-07T08:00:00Z&until=2026-10-07T18:00:00Z&step=1h"
MINUTES = "since=2026-10-07T09:00:00Z&until=2026-10-07T09:10:00Z&step=1m"
QUEUES = (
    "state=waiting&order=oldest",
    "state=waiting&order=doubtful&reason=ambiguous",
    "state=waiting&order=reference&reference=case",
    "state=waiting&assignee=Kim",
    "state=decided&order=newest",
)
SEARCHES = (
    "action=refer&version=4",
    "grade=C&action=automate",
    "reason=missing",
    "reference=case%207",
    "reference=%EB%8C%80%EC%B6%9C%2012",
    "since=2026-10-06T09:00:00Z&until=2026-10-07T08:30:00Z",
)
CASE = (
    "id",
    "time",
    "endpoint",
    "model",
    "environment",
    "asked",
    "features",
    "reference",
    "answer",
    "warnings",
    "outcome",
    "review",
    "assignee",
    "history",
)
"""What was told of a prediction then; more may be told now."""
MANY = 8
TOLERANCE = 1e-9
"""Of figures, which other processors round otherwise."""

Variables = Mapping[str, str]


def expected(kind: str) -> dict[str, Any]:
    """What the version before has told of its records."""
    found: dict[str, Any] = json.loads(lzma.decompress((HOME / kind / EXPECTED).read_bytes()))
    return found


@contextmanager
def unpacked(kind: str, folder: Path, server: postgres.Server | None) -> Iterator[Variables]:
    """A copy of the records in an empty folder: the variables by which a service has them."""
    shutil.copy(HOME / kind / KEY, folder)
    (folder / KEY).chmod(0o600)
    if server is None:
        packed = (HOME / kind / f"{DATABASE}.xz").read_bytes()
        (folder / DATABASE).write_bytes(lzma.decompress(packed))
        (folder / DATABASE).chmod(0o600)
        yield {"DUBITO_STATE": str(folder)}
        return
    with server.database() as address:
        url = address.replace("+psycopg", "")
        _restore(lzma.decompress((HOME / kind / f"{DUMP}.xz").read_bytes()), url)
        yield {"DUBITO_STATE": str(folder), "DUBITO_RECORDS_URL": url}


def _restore(dump: bytes, url: str) -> None:
    words = [str(postgres_folder() / "psql"), "-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", url]
    subprocess.run(words, input=dump, capture_output=True, check=True)


def clock_at(moment: datetime, folder: Path) -> Variables:
    """Variables that give a process another clock, which goes on from a moment."""
    file = folder / f"clock-{moment:%d-%H-%M}"
    file.write_text(f"{moment.timestamp() - time.time():+.0f}\n", encoding="ascii")
    return {"LD_PRELOAD": str(false_clock()), "FAKETIME_TIMESTAMP_FILE": str(file)}


def client_of(service: Service) -> httpx.Client:
    """Who asks a service."""
    return httpx.Client(base_url=service.url, timeout=60, trust_env=False)


def asked(client: httpx.Client, address: str) -> Any:
    """What an address answers."""
    return client.get(address).raise_for_status().json()


def digest(value: Any) -> str:
    """Of something of JSON, to the last bit of every number."""
    content = json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
    return hashlib.sha256(content).hexdigest()[:24]


def unlike(then: Any, now: Any, at: str = "") -> Iterator[str]:
    """Where something of JSON is not as it was, number by number; members may have come."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name, value in then.items():
            yield from unlike(value, now.get(name, "nothing"), f"{at}.{name}")
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for place, (before, after) in enumerate(zip(then, now, strict=True)):
            yield from unlike(before, after, f"{at}[{place}]")
    elif not _is_like(then, now):
        yield f"{at}: {then} then, {now} now"


def _is_like(then: Any, now: Any) -> bool:
    if isinstance(then, float) and isinstance(now, float):
        return math.isclose(then, now, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return type(then) is type(now) and bool(then == now)


def verified(variables: Variables, folder: Path, checkpoint: Path) -> dict[str, Any]:
    """What verification says, beside a checkpoint, and the checkpoint that it writes."""
    newer = folder / "newer.json"
    words = ("--checkpoint", str(checkpoint), "--write-checkpoint", str(newer))
    done = command("records", "verify", *words, changes=variables)
    assert done.returncode == 0, done.stderr.decode()
    return {"said": done.stdout.decode(), "checkpoint": json.loads(newer.read_text())}


def exported(variables: Variables, folder: Path) -> dict[str, dict[str, str]]:
    """Digests of every column of an export, by either form."""
    told = {}
    for form in ("csv", "parquet"):
        file = folder / f"all.{form}"
        done = command("records", "export", "--out", str(file), changes=variables)
        assert done.returncode == 0, done.stderr.decode()
        columns = _columns_of_csv(file) if form == "csv" else parquet.read_table(file).to_pydict()
        told[form] = {name: digest(cells) for name, cells in columns.items()}
    return told


def _columns_of_csv(file: Path) -> dict[str, list[str]]:
    with file.open(newline="", encoding="utf-8-sig") as opened:
        names, *lines = csv.reader(opened)
    return dict(zip(names, map(list, zip(*lines, strict=True)), strict=True))


def listed(client: httpx.Client, address: str, member: str) -> list[Any]:
    """All of a list, part by part."""
    found, after = [], ""
    while True:
        part = asked(client, f"{address}&limit=100{after}")
        found += part[member]
        if part["next"] is None:
            return found
        after = f"&after={part['next']}"


def queues(client: httpx.Client) -> dict[str, list[Any]]:
    """What waits for a person and what was decided, in several orders."""
    return {query: listed(client, f"/reviews?{query}", "reviews") for query in QUEUES}


def searches(client: httpx.Client) -> dict[str, list[str]]:
    """The predictions that several searches find."""
    return {
        query: [one["id"] for one in listed(client, f"/predictions?{query}", "predictions")]
        for query in SEARCHES
    }


def cases(client: httpx.Client, identifiers: Iterable[str]) -> dict[str, str]:
    """Digests of predictions with all that was said of them."""

    def told(identifier: str) -> tuple[str, str]:
        case = asked(client, f"/predictions/{identifier}")
        return identifier, digest({name: case[name] for name in CASE})

    with ThreadPoolExecutor(MANY) as pool:
        return dict(pool.map(told, identifiers))


def replays(client: httpx.Client, identifiers: Iterable[str]) -> list[Any]:
    """What comes of predictions that are computed again, several at once."""
    addresses = (f"/predictions/{identifier}/replay" for identifier in identifiers)
    with ThreadPoolExecutor(MANY) as pool:
        return [answer.raise_for_status().json() for answer in pool.map(client.post, addresses)]


def figures(client: httpx.Client, query: str, rows: list[int] | None = None) -> Any:
    """Figures and alarms of a range, once the alarms have looked at so many rows.

    What of them is of the present is left out.
    """
    address = f"/uncertainty?{query}"
    if rows is not None:
        until(lambda: rows == [alarm["rows"] for alarm in asked(client, address)["alarms"]])
    found = asked(client, address)
    for name in ("queue", "trouble"):
        del found["service"][name]
    return found


def replies(client: httpx.Client, requests: Iterable[Any]) -> list[str]:
    """Digests of what requests with a key are answered again."""
    found = []
    for address, body, headers in requests:
        answer = client.post(address, content=body.encode(), headers=headers).raise_for_status()
        found.append(digest(answer.json()))
    return found
