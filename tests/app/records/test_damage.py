"""Damage: whatever becomes of a database, each command ends with a sentence or a verdict."""

import json
import random
import shutil
import sqlite3
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.errors import RecordsError
from app.monitoring.event_builder import EventBuilder
from app.record_events import Entry, Event, Note, Reply, Tally
from app.records import checkpoint
from app.records.address import url_of
from app.records.chain import ChainHead
from app.records.database import legible, open_database, reading, snapshot
from app.records.export import write_export
from app.records.key import read_key
from app.records.key_check import renewed
from app.records.opening import writing
from app.records.verification import verify
from tests.app.records.conftest import CHAIN, ROWS, entries, event, referral

Record = Callable[[str, object], None]
LATER = CHAIN[:-1] + "2"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of records of every kind."""
    state = tmp_path_factory.mktemp("good")
    whole = Entry(
        (
            event(90, "case 7"),
            Event("outcome", "prediction-90", 5_000, b'{"grade": "B"}', ordinal=0),
        ),
        Reply("key", b"asked", "prediction-90", 5_000, b"{}"),
        Tally("sha256:0", {ROWS: 1}),
        (referral("prediction-90", 5_000),),
        Note("note", 1, b"{}"),
    )
    with writing(url_of(None, state), state / "records.key", CHAIN, EventBuilder) as records:
        for first in range(0, 60, 6):
            records.book.write(entries(6, first))
        records.book.write([whole])
    return state


def serve(state: Path) -> None:
    with writing(url_of(None, state), state / "records.key", LATER, EventBuilder):
        pass


def verified(state: Path) -> None:
    with (
        reading(f"sqlite:///{state}/records.db") as engine,
        legible("the records cannot be read"),
        snapshot(engine) as connection,
    ):
        verify(connection, read_key(state / "records.key"), {})


def exported(state: Path) -> None:
    with (
        reading(f"sqlite:///{state}/records.db") as engine,
        legible("the records cannot be read"),
        snapshot(engine) as connection,
    ):
        write_export(connection, state / "all.csv")


def renew(state: Path) -> None:
    with (
        open_database(f"sqlite:///{state}/records.db", fresh=False) as engine,
        legible("a new chain cannot be begun"),
    ):
        renewed(engine, state / "records.key", LATER)


COMMANDS = (verified, exported, serve, renew)


def damage(content: bytearray, chosen: random.Random) -> None:
    """Change some bytes, zero some, or cut the end off."""
    kind, size = chosen.randrange(4), len(content)
    if kind == 0:
        del content[chosen.randrange(size) :]
    elif kind == 1:
        start = chosen.randrange(size)
        stop = min(size, start + chosen.choice([64, 4_096, 16_384]))
        content[start:stop] = bytes(stop - start)
    else:
        for _ in range(chosen.choice([1, 4, 40])):
            content[chosen.randrange(size)] = chosen.randrange(256)


@pytest.mark.claim("damage", test=20, proof=500)
def test_a_damaged_database_is_a_sentence_or_a_verdict(
    good: Path, tmp_path: Path, count: int, record_property: Record
) -> None:
    """Bytes changed, zeroed or cut off: no command ends in any other way, and none says a value."""
    whole, sentences = (good / "records.db").read_bytes(), 0
    for seed in range(count):
        content = bytearray(whole)
        damage(content, random.Random(seed))
        for command in COMMANDS:
            state = tmp_path / f"{seed}-{command.__name__}"
            shutil.copytree(good, state)
            (state / "records.db").write_bytes(content)
            sentences += _sentence(command, state)
            shutil.rmtree(state)
    record_property("figure", f"{sentences} sentences, {count * len(COMMANDS) - sentences} went on")
    assert sentences


def _sentence(command: Callable[[Path], None], state: Path) -> int:
    """1 where a command ended with a sentence, 0 where it went on; it fails any other way."""
    try:
        with warnings.catch_warnings():
            # Of a connection that a damaged database does not let go of.
            warnings.simplefilter("ignore", ResourceWarning)
            command(state)
    except RecordsError as error:
        told = str(error)
        assert told.isprintable()
        assert "4711" not in told
        return 1
    return 0


def test_a_database_that_somebody_holds_is_a_sentence(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever begins waits for a while."""
    monkeypatch.setattr("app.records.databases.sqlite_file.BUSY_SECONDS", 0.1)
    state = shutil.copytree(good, tmp_path / "state")
    with closing(sqlite3.connect(state / "records.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for command in (serve, renew):
            with pytest.raises(RecordsError, match="another process holds the database"):
                command(state)


NO_CHECKPOINTS = {
    "deep": "[" * 100_000,
    "infinite": '{"a": {"sequence": Infinity, "link": ""}}',
    "not a number": '{"a": {"sequence": NaN, "link": ""}}',
    "huge": '{"a": {"sequence": 1e999, "link": ""}}',
    "many digits": '{"a": {"sequence": %s, "link": ""}}' % ("9" * 10_000),
    "text": '{"a": {"sequence": "1", "link": ""}}',
    "bool": '{"a": {"sequence": true, "link": ""}}',
    "negative": '{"a": {"sequence": -1, "link": ""}}',
    "no hex": '{"a": {"sequence": 1, "link": "x"}}',
    "number for a link": '{"a": {"sequence": 1, "link": 2}}',
    "too little": '{"a": {"sequence": 1}}',
    "too much": '{"a": {"sequence": 1, "link": "", "more": 1}}',
    "list": "[]",
    "null": '{"a": null}',
    "nothing": "",
    "binary": "\udcff\udcfe",
}


@pytest.mark.parametrize("kind", NO_CHECKPOINTS)
def test_what_is_no_checkpoint_is_a_sentence(tmp_path: Path, kind: str) -> None:
    """It names the file."""
    file = tmp_path / "checkpoint"
    file.write_text(NO_CHECKPOINTS[kind], errors="surrogateescape")
    with pytest.raises(RecordsError, match="checkpoint is not a checkpoint"):
        checkpoint.read_heads(file)


@pytest.mark.parametrize("name", ["missing/checkpoint", ".", "x" * 300])
def test_a_checkpoint_that_cannot_be_written_is_a_sentence(tmp_path: Path, name: str) -> None:
    """Or read."""
    for way in (lambda file: checkpoint.write_checkpoint(file, []), checkpoint.read_heads):
        with pytest.raises(RecordsError):
            way(tmp_path / name)


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    heads = [ChainHead(CHAIN, 3, b"link"), ChainHead(LATER, 0, b"")]
    checkpoint.write_checkpoint(tmp_path / "checkpoint", heads)
    assert heads == list(checkpoint.read_heads(tmp_path / "checkpoint").values())
    assert json.loads((tmp_path / "checkpoint").read_text())
