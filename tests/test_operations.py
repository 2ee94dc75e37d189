"""How-to pages of operators: their commands do what they say, with records that a service made."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests import postgres
from tests.pages import blocks
from tests.programs import postgres_folder, program
from tests.raised import raise_drift
from tests.service import (
    DUBITO,
    ROOT,
    STOP_SECONDS,
    Service,
    address,
    begin,
    ended,
    environment,
    until,
)

BACK_UP = "docs/how-to/back-up.md"
UPGRADE = "docs/how-to/upgrade.md"
ALARMS = "docs/how-to/alarms.md"
PROXY = "docs/how-to/proxy.md"
PAGES = (BACK_UP, UPGRADE, ALARMS, PROXY)
NAME = "grades.example"
ROW = example(inspect(ROOT / "models" / "loan-grade" / "1").manifest.signature)
ROWS = 3
SINCE_0002 = ("claims", "referrals", "rollups", "marks")
"""Tables that the schema 0001 does not have; the others are as they were."""


COMMANDS = {block.headings: block for page in PAGES for block in blocks(page)}
"""The blocks of commands, each by the headings above it, which are of one page."""


def run(folder: Path, *headings: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the commands below some headings."""
    return tried(folder, COMMANDS[headings].text, **variables)


def tried(folder: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run commands as an operator would, whose first wrong exit code ends them."""
    path = os.pathsep.join([str(DUBITO.parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment({"PATH": path, "DUBITO_MODELS": str(ROOT / "models"), **variables}),
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass(frozen=True, slots=True)
class Desk:
    """A service, and the folder in which somebody looks after it."""

    service: Service
    folder: Path

    def grade(self, seed: int) -> str:
        answer = httpx.post(f"{self.service.url}/predict/mc?seed={seed}", json=ROW)
        identifier: str = answer.raise_for_status().json()["id"]
        return identifier


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Desk]:
    """A service whose state is `var` in a folder."""
    log = folder / "log"
    process = begin(log, "loan-grade/1", *arguments)
    try:
        yield Desk(Service(process, address(process, log), log), folder)
    finally:
        ended(process)


def refused(folder: Path) -> str:
    """Why a service does not start."""
    log = folder / "log"
    process = begin(log, "loan-grade/1")
    try:
        assert 1 == process.wait(STOP_SECONDS)
    finally:
        ended(process)
    return log.read_text()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with serving(tmp_path_factory.mktemp("desk"), "--allowed-hosts", f"127.0.0.1,{NAME}") as desk:
        yield desk


@pytest.fixture(scope="module")
def backup(desk: Desk) -> list[str]:
    """A backup of some answers, made and checked while the service goes on; their identifiers."""
    identifiers = [desk.grade(seed) for seed in range(ROWS)]
    for headings in (("Back up",), ("Back up", "SQLite"), ("Back up", "Check a backup")):
        done = run(desk.folder, *headings)
        assert 0 == done.returncode, done.stderr
    return identifiers


@pytest.fixture
def restored(desk: Desk, backup: list[str], tmp_path: Path) -> Path:
    """A folder whose `var` is what was restored from the backup."""
    for name in ("backup", "safe"):
        shutil.copytree(desk.folder / name, tmp_path / name)
    done = run(tmp_path, "Restore", "SQLite")
    assert 0 == done.returncode, done.stderr
    (tmp_path / "var").symlink_to("restored")
    return tmp_path


def age(database: Path) -> None:
    """Take what an older Dubito did not have from a database."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for table in SINCE_0002:
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DROP INDEX events_of_disagreements")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")


def schema(database: Path) -> Any:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def test_a_backup_is_restored(backup: list[str], restored: Path) -> None:
    """What was backed up while the service went on verifies, and is replayed to the last bit."""
    done = run(restored, "Restore", "Replay")
    lines = [json.loads(line) for line in done.stdout.splitlines()]

    assert 0 == done.returncode, done.stderr
    assert {(identifier, True) for identifier in backup} == {
        (line["id"], line["identical"]) for line in lines
    }


def test_a_newer_checkpoint_names_what_a_backup_lacks(desk: Desk, restored: Path) -> None:
    """Checkpoints that are kept elsewhere: one that goes on, and one that finds what is cut off."""
    desk.grade(7)
    elsewhere = restored / "elsewhere"
    shutil.copytree(desk.folder / "safe", elsewhere / "safe")
    (elsewhere / "var").symlink_to(desk.folder / "var")
    renewed = run(elsewhere, "Checkpoints kept elsewhere")
    shutil.copy(elsewhere / "safe" / "checkpoint.json", restored / "safe")
    lacking = run(restored, "Checkpoints kept elsewhere")

    assert 0 == renewed.returncode, renewed.stderr
    assert 1 == lacking.returncode
    assert "fault" in lacking.stderr


def test_upgrade_and_roll_back(restored: Path) -> None:
    """An older schema is refused by name, upgraded after a copy, and the copy put back."""
    database = restored / "var" / "records.db"
    age(database)

    assert "dubito records upgrade" in refused(restored)
    assert "0001" == schema(database)
    upgraded = run(restored, "Upgrade")
    assert 0 == upgraded.returncode, upgraded.stderr
    assert "0005" == schema(database)
    assert f"{ROWS} events" in upgraded.stdout

    back = run(restored, "Roll back")
    assert 0 == back.returncode, back.stderr
    assert "0001" == schema(database)
    assert "0005" == schema(restored / "newer" / "records.db")
    assert ROWS + 1 == len((restored / "since.csv").read_text().splitlines())
    older = tried(restored, "dubito records verify")
    assert 0 == older.returncode, older.stderr


def test_a_lost_key(restored: Path) -> None:
    """Without its key a service does not start; what came before a new one is not verified."""
    (restored / "var" / "records.key").unlink()

    assert "records.key" in refused(restored)
    renewed = run(restored, "The key")
    assert 0 == renewed.returncode, renewed.stderr
    assert "cannot be verified" in renewed.stdout


def test_postgresql_is_restored(tmp_path: Path) -> None:
    """A dump that was taken while the service went on verifies, and is replayed to the last bit."""
    path = os.pathsep.join([str(DUBITO.parent), str(postgres_folder()), os.environ["PATH"]])
    with postgres.serving() as server, server.database() as url, server.database() as other:
        database, empty = (one.replace("+psycopg", "") for one in (url, other))
        variables = {"PATH": path, "DATABASE": database, "RESTORED": empty}
        with serving(tmp_path, "--records-url", database) as desk:
            identifiers = {desk.grade(seed) for seed in range(ROWS)}
            for headings in (("Back up",), ("Back up", "PostgreSQL")):
                done = run(tmp_path, *headings, **variables)
                assert 0 == done.returncode, done.stderr
            desk.grade(ROWS)
        restored = run(tmp_path, "Restore", "PostgreSQL", **variables)
        assert 0 == restored.returncode, restored.stderr
        replayed = tried(tmp_path, f"dubito replay --records-url '{empty}'", **variables)
        assert identifiers == {json.loads(line)["id"] for line in replayed.stdout.splitlines()}
        assert 0 == replayed.returncode, replayed.stderr


@pytest.fixture
def proxy(desk: Desk, tmp_path: Path) -> Iterator[Path]:
    """The socket of nginx as the page configures it."""
    (configured,) = blocks(PROXY, "nginx")
    port = desk.service.port
    listening = tmp_path / "nginx.sock"
    server = configured.text.replace("listen 80;", f"listen unix:{listening};").replace(
        "8000", str(port)
    )
    folders = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off;\n{folders}{server}}}\n"
    )
    words = [program("nginx"), "-e", "stderr", "-c", str(configuration)]
    with subprocess.Popen(words) as process:
        try:
            until(listening.exists)
            yield listening
        finally:
            ended(process)


def test_a_proxy_shows_no_records(desk: Desk, proxy: Path) -> None:
    """nginx as configured: grades for everybody, a browser too; records for none, by any name."""
    identifier = desk.grade(1)
    site = {"Host": NAME, "Origin": f"https://{NAME}"}
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(proxy))) as client:
        graded = client.post("http://x/predict/mc?seed=1", json=ROW, headers=site)
        shown = {
            (path, name): client.get(f"http://x{path}", headers={"Host": name}).status_code
            for path in (
                f"/predictions/{identifier}",
                f"//predictions/{identifier}",
                f"/%70redictions/{identifier}",
                f"/model/../predictions/{identifier}",
                "/reviews",
            )
            for name in (NAME, "localhost", "127.0.0.1", f"127.0.0.1:{desk.service.port}")
        }

    assert 200 == graded.status_code, graded.text
    assert {} == {case: status for case, status in shown.items() if status != 403}
    assert httpx.get(f"{desk.service.url}/predictions/{identifier}").is_success


def test_an_alarm_is_acknowledged_and_begun_anew(tmp_path: Path) -> None:
    """By the two commands, one after the other; the chain verifies, and both are named."""
    raise_drift(tmp_path / "var", ROOT / "models" / "loan-grade" / "1")
    with serving(tmp_path) as desk:
        command = COMMANDS["Alarms",].text.replace("http://127.0.0.1:8000", desk.service.url)
        done = tried(tmp_path, command)
        assert 0 == done.returncode, done.stderr
        acknowledged, begun = map(json.loads, done.stdout.replace("}{", "}\n{").splitlines())
        assert (True, "Kim") == (acknowledged["raised"], acknowledged["acknowledged"]["name"])
        assert (False, "Kim") == (begun["raised"], begun["past"][0]["name"])
    told = tried(tmp_path, "dubito records verify").stdout
    assert told.startswith("2 events in 2 chains"), told


def test_every_command_is_run() -> None:
    """The tests above run each block of commands that is on the pages."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert len(COMMANDS) == sum(len(blocks(page)) for page in PAGES)
    for headings in COMMANDS:
        assert ", ".join(f'"{heading}"' for heading in headings) in text, headings
