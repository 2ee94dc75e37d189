"""The tables take what the journal holds: once each, in its order, and nothing is lost."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, select

from app.errors import RecordsError
from app.monitoring.event_builder import EventBuilder
from app.record_events import Draft, Entry, Erasure, PlainPart, Tally
from app.record_ports import Trouble
from app.records import applier as module
from app.records.applier import Applier
from app.records.cause import NotWritten
from app.records.database import open_database
from app.records.group_message import (
    Condition,
    Failed,
    GroupOutcome,
    Kind,
    Settled,
    Written,
    encode_group,
    encode_introduction,
    frame_content,
)
from app.records.journal import Journal
from app.records.ledger import Ledger
from app.records.rollups import read_rollups
from app.records.table_batch import applied_by, recover
from app.records.tables import events
from app.watched_bundle import WatchedBundle
from dubito.answer import Answer, PlainResult
from tests.app.monitoring.toy import WATCHED
from tests.app.records.conftest import CHAIN, KEY, ROWS, entries, event
from tests.service import until

NO_TIME = 1 << 63
"""More than a database's whole numbers go to."""
Item = Entry | Draft


class Shut(Exception):
    """The tables take nothing."""


@dataclass
class Gate:
    """A ledger that can be shut."""

    ledger: Ledger
    is_shut: bool = False

    def write(self, group: Sequence[Entry], at: int) -> list[bool]:
        if self.is_shut:
            raise Shut
        return self.ledger.write(group, at)

    def look(self) -> Trouble | None:
        return None


class Scene:
    """A journal and the tables behind it."""

    def __init__(self, engine: Engine, file: Path) -> None:
        self.engine = engine
        self.file = file
        self.stack = ExitStack()
        self.gate = Gate(self.stack.enter_context(closing(Ledger(engine, KEY, CHAIN))))
        self.journal = Journal(file, KEY, 0)
        self.told: list[GroupOutcome] = []
        self.applier = Applier(self.gate, self.journal, EventBuilder, self.told.extend)
        self.introduce(WATCHED)
        self.number = 0

    def introduce(self, watched: WatchedBundle) -> None:
        message = encode_introduction([watched])
        self.journal.introduce(message)
        self.applier.introduce(message)

    def put(self, kind: Kind, *groups: Sequence[Item]) -> int:
        """Journal groups as one frame; returns the number of the last."""
        messages = []
        for group in groups:
            self.number += 1
            messages.append(encode_group(kind, self.number, group))
        frame = self.journal.append(frame_content(messages))
        self.applier.take(frame, is_urgent=kind == Kind.AWAITED)
        return self.number

    def settle(self) -> GroupOutcome:
        self.number += 1
        number = self.number
        self.applier.settle(number)
        until(lambda: any(getattr(one, "number", 0) == number for one in self.told))
        return next(one for one in self.told if getattr(one, "number", 0) == number)

    def said(self) -> list[GroupOutcome]:
        """What callers were told, but for the conditions."""
        return [one for one in self.told if not isinstance(one, Condition)]

    def recorded(self) -> list[str]:
        with self.engine.connect() as connection:
            asked = select(events.c.prediction).order_by(events.c.sequence)
            return list(connection.scalars(asked))

    def close(self) -> None:
        self.applier.close()
        self.journal.close()
        self.stack.close()


@pytest.fixture
def scene(tmp_path: Path, file: str) -> Iterator[Scene]:
    with open_database(file) as engine, closing(Scene(engine, tmp_path / "journal")) as scene:
        yield scene


def names(*numbers: int) -> list[str]:
    return [f"prediction-{number}" for number in numbers]


def drafted() -> Draft:
    """What the introduced bundle answered to one row."""
    answer = Answer("drafted", PlainResult("small", {"small": 1.0}), (), WATCHED.identity)
    row = np.ones(WATCHED.signature.width).tobytes()
    return Draft((PlainPart(1, row, [answer]),), None, None)


def test_all_is_in_the_tables_once_they_are_settled(scene: Scene) -> None:
    """In the order of the journal, drafts as entries; nobody is told of groups that are quiet."""
    for at in range(0, 60, 3):
        scene.put(Kind.QUIET, entries(2, at), entries(1, at + 2))
    scene.put(Kind.QUIET, [drafted()])
    assert isinstance(scene.settle(), Settled)
    assert [*names(*range(60)), "drafted"] == scene.recorded()
    assert 1 == len(scene.said())
    with scene.engine.connect() as connection:
        assert 21 == applied_by(connection)


def test_it_waits_a_little_unless_somebody_waits(scene: Scene, monkeypatch: Any) -> None:
    """Then it writes at once, and says whether it was added."""
    monkeypatch.setattr(module, "PAUSE", 60)
    scene.put(Kind.QUIET, entries(1))
    time.sleep(0.1)
    assert [] == scene.recorded()
    claims = [Entry((replace(event(at), prediction="one", ordinal=0),)) for at in (8, 9)]
    scene.put(Kind.AWAITED, claims[:1])
    last = scene.put(Kind.AWAITED, claims[1:])
    until(lambda: len(scene.said()) == 2)
    assert [Written(last - 1, [True]), Written(last, [False])] == scene.said()
    assert [*names(0), "one"] == scene.recorded()


def test_only_those_who_wait_are_refused(scene: Scene) -> None:
    """What was answered is tried until the tables take it."""
    scene.gate.is_shut = True
    scene.put(Kind.QUIET, entries(2))
    number = scene.put(Kind.AWAITED, entries(1, 5))
    until(lambda: bool(scene.said()))
    (failed,) = scene.said()
    assert isinstance(failed, Failed)
    assert (number, "Shut") == (failed.number, failed.cause.name)
    assert isinstance(scene.settle(), Failed)
    until(lambda: any(isinstance(one, Condition) and one.trouble for one in scene.told))
    scene.gate.is_shut = False
    until(lambda: names(0, 1) == scene.recorded())
    assert isinstance(scene.settle(), Settled)
    until(lambda: scene.told[-1] == Condition(None))
    assert names(0, 1) == scene.recorded()


def test_what_no_table_takes_harms_nobody_else(scene: Scene) -> None:
    """Its caller is told; what was written beside it is written."""
    wrong = Entry((replace(event(1), time=NO_TIME),))
    scene.put(Kind.QUIET, entries(1))
    number = scene.put(Kind.AWAITED, [wrong])
    scene.put(Kind.QUIET, entries(1, 2))
    assert isinstance(scene.settle(), Settled)
    assert [number] == [one.number for one in scene.said() if isinstance(one, Failed)]
    assert names(0, 2) == scene.recorded()


def test_counts_are_dated_when_they_were_journaled(scene: Scene, monkeypatch: Any) -> None:
    """However late the tables take them, and minutes are not joined."""
    minutes = [60_000_000 * at for at in (100, 100, 103, 104)]
    for at in minutes:
        monkeypatch.setattr("app.records.journal.now", lambda at=at: at)
        scene.put(Kind.QUIET, [Entry((), tally=Tally("sha256:0", {ROWS: 1}))])
    scene.settle()
    with scene.engine.connect() as connection:
        found = read_rollups(connection, "sha256:0", 60, 0)
    assert {6_000: 2, 6_180: 1, 6_240: 1} == {one.start: one.counts[ROWS] for one in found}


def test_what_is_erased_is_gone_from_the_journal(scene: Scene) -> None:
    """Before anybody is told that it is erased."""
    scene.put(Kind.QUIET, [Entry((event(4, "case 7"),))])
    number = scene.put(Kind.AWAITED, [Entry((), erasure=Erasure(reference="case 7"))])
    until(lambda: Written(number, [True]) in scene.told)
    assert b"4711.5" not in scene.file.read_bytes()
    assert b"case 7" not in scene.file.read_bytes()


def test_an_idle_journal_is_overwritten(scene: Scene) -> None:
    """Retention would else leave figures in it for as long as nobody asks."""
    scene.put(Kind.QUIET, entries(1))
    scene.settle()
    until(lambda: b"4711.5" not in scene.file.read_bytes())


def test_its_end_writes_what_is_left(scene: Scene, monkeypatch: Any) -> None:
    """And the journal is deleted."""
    monkeypatch.setattr(module, "PAUSE", 60)
    scene.put(Kind.QUIET, entries(3))
    scene.applier.close()
    scene.journal.close()
    assert names(0, 1, 2) == scene.recorded()
    assert not scene.file.exists()
    scene.applier, scene.journal = closed(), closed()


def closed() -> Any:
    """Something that can be closed again."""
    return type("Closed", (), {"close": lambda _: None})()


def killed(file: str, tmp_path: Path, put: Callable[[Scene], None]) -> Path:
    """The journal of a service that was killed while its tables took nothing."""
    with open_database(file) as engine, closing(Scene(engine, tmp_path / "journal")) as scene:
        scene.put(Kind.QUIET, entries(1, 100))
        scene.settle()
        scene.gate.is_shut = True
        put(scene)
        left = tmp_path / "left"
        left.write_bytes(scene.file.read_bytes())
        # Its end cannot write it, and leaves it where it is.
    assert (tmp_path / "journal").exists()
    return left


def five(scene: Scene) -> None:
    """Five answers that the tables lack."""
    scene.put(Kind.QUIET, entries(5))


def recovered(file: str, left: Path, service: int = 2) -> tuple[int, list[str]]:
    """The number of events that the next service has added, and all that are there then."""
    with (
        open_database(file) as engine,
        closing(Ledger(engine, KEY, f"{CHAIN[:-1]}{service}")) as ledger,
        engine.connect() as connection,
    ):
        with connection.begin():
            applied = applied_by(connection)
        count = recover(ledger, left, applied, [KEY], EventBuilder)
        asked = select(events.c.prediction).order_by(events.c.chain, events.c.sequence)
        return count, list(connection.scalars(asked))


def test_a_start_adds_what_the_tables_lack(file: str, tmp_path: Path) -> None:
    """Once, however often it is started; the journal is gone."""
    left = killed(file, tmp_path, five)
    again = tmp_path / "again"
    again.write_bytes(left.read_bytes())
    assert (5, names(100, *range(5))) == recovered(file, left)
    assert not left.exists()
    with open_database(file) as engine, engine.connect() as connection:
        assert 2 == applied_by(connection)
    assert (0, names(100, *range(5))) == recovered(file, again, 3)


def test_a_start_refuses_what_nobody_was_answered(file: str, tmp_path: Path) -> None:
    """If no table takes it; else the service would never start again."""

    def put(scene: Scene) -> None:
        wrong = Entry((replace(event(1), time=NO_TIME),))
        scene.put(Kind.QUIET, entries(1))
        scene.put(Kind.AWAITED, [wrong])
        scene.put(Kind.QUIET, entries(1, 2))

    left = killed(file, tmp_path, put)
    assert names(100, 0, 2) == recovered(file, left)[1]


def test_a_start_fails_if_the_tables_take_nothing(file: str, tmp_path: Path) -> None:
    """The journal stays."""
    left = killed(file, tmp_path, five)
    gate: Any = type("Shut", (), {"write": lambda *_: (_ for _ in ()).throw(Shut)})()
    with pytest.raises(NotWritten, match="Shut"):
        recover(gate, left, 1, [KEY], EventBuilder)
    assert left.exists()


def test_a_journal_of_another_version_is_a_sentence(tmp_path: Path) -> None:
    """Its frames are whole, and cannot be read."""
    left = tmp_path / "left"
    journal = Journal(left, KEY, 0)
    journal.introduce(encode_introduction([WATCHED]))
    journal.append(frame_content([encode_group(Kind.QUIET, 1, ["strange"])]))  # type: ignore[list-item]
    journal.close()
    with pytest.raises(RecordsError, match="another version of Dubito"):
        recover(Gate(None), left, 0, [KEY], EventBuilder)  # type: ignore[arg-type]


def test_a_thread_that_ended_takes_nothing(scene: Scene) -> None:
    """Its process notices and ends, and with it the service; nothing gathers for ever."""
    assert not scene.applier.is_over
    hook, threading.excepthook = threading.excepthook, lambda _: None
    try:
        frame = scene.journal.append(b"no group")
        scene.applier.take(frame, is_urgent=True)
        until(lambda: not any(one.name == "dubito-tables" for one in threading.enumerate()))
    finally:
        threading.excepthook = hook
    assert scene.applier.is_over
