"""Whatever is changed by who knows the code but not the key is found."""

import random
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.engine import make_url

from app.record_events import Entry, Erasure, Event, now
from app.records.chain import ChainHead, sealed
from app.records.database import open_database
from app.records.ledger import Ledger
from app.records.tables import chains, events
from app.records.verification import Verdict, verify
from tests.app.records.conftest import CHAIN, KEY, entries, event

Record = Callable[[str, object], None]
Tamper = Callable[[Connection, random.Random], None]
LATER = "01a20b81-4528-7cce-8a01-000000000002"
COUNT = 40


def verdict(engine: Engine, key: bytes = KEY, checkpoint: Sequence[ChainHead] = ()) -> Verdict:
    with engine.connect() as connection:
        return verify(connection, key, {head.chain: head for head in checkpoint})


def written(engine: Engine) -> tuple[ChainHead, ...]:
    """Two chains, in groups of several sizes, with every kind of event; returns where they end."""
    for chain, first in ((CHAIN, 0), (LATER, COUNT)):
        with closing(Ledger(engine, KEY, chain)) as ledger:
            remaining = entries(COUNT, first)
            while remaining:
                ledger.write(remaining[:7])
                remaining = remaining[7:]
            outcome = Event("outcome", f"prediction-{first}", 5_000, b'{"grade": "B"}')
            review = Event("review", f"prediction-{first}", 6_000, b"{}", b'{"who": "Kim"}')
            ledger.write([Entry((outcome, review))])
    return verdict(engine).heads


def place(random: random.Random) -> Any:
    """Some event of the two chains, as a condition."""
    chain, sequence = random.choice([CHAIN, LATER]), random.randint(1, COUNT + 2)
    return (events.c.chain == chain) & (events.c.sequence == sequence)


def edit(connection: Connection, random: random.Random) -> None:
    """Another value in some column of some event."""
    where = place(random)
    row = connection.execute(select(events).where(where)).one()
    name = random.choice(["kind", "prediction", "time", "body", "personal", "reference", "salt"])
    value = row._mapping[name]  # noqa: SLF001 - its public name
    if isinstance(value, bytes):
        at = random.randrange(len(value))
        value = value[:at] + bytes([value[at] ^ (1 << random.randrange(8))]) + value[at + 1 :]
    else:
        value = value + 1 if isinstance(value, int) else f"{value}x"
    if name in ("personal", "salt") and row.digest is None:
        value = b"{}"
    connection.execute(update(events).where(where).values({name: value}))


def drop(connection: Connection, random: random.Random) -> None:
    """Some event gone, and the others moved up so that no number is missing."""
    chain, at = random.choice([CHAIN, LATER]), random.randint(1, COUNT + 2)
    connection.execute(delete(events).where(events.c.chain == chain, events.c.sequence == at))
    if random.random() < 0.5:
        _move_up(connection, chain, at)


def _move_up(connection: Connection, chain: str, at: int) -> None:
    for sequence in range(at + 1, COUNT + 3):
        connection.execute(
            update(events)
            .where(events.c.chain == chain, events.c.sequence == sequence)
            .values(sequence=sequence - 1)
        )


def reorder(connection: Connection, random: random.Random) -> None:
    """Two events in each other's place."""
    chain = random.choice([CHAIN, LATER])
    first, second = random.sample(range(1, COUNT + 3), 2)
    for before, after in ((first, -1), (second, first), (-1, second)):
        connection.execute(
            update(events)
            .where(events.c.chain == chain, events.c.sequence == before)
            .values(sequence=after)
        )


def erase(connection: Connection, random: random.Random) -> None:
    """A personal part gone without a word."""
    sequence = random.randint(1, COUNT)
    where = (events.c.chain == CHAIN) & (events.c.sequence == sequence)
    connection.execute(update(events).where(where).values(personal=None, salt=None, reference=None))


def forge(connection: Connection, random: random.Random) -> None:
    """One event more at the end of a chain, made with another key."""
    row = connection.execute(select(chains).where(chains.c.chain == LATER)).one()
    made = event(random.randint(100, 200))
    seal = sealed(bytes(32), ChainHead(LATER, row.sequence, row.link), made, bytes(16))
    connection.execute(
        insert(events).values(
            chain=LATER,
            sequence=seal.sequence,
            kind=made.kind,
            prediction=made.prediction,
            time=made.time,
            body=made.body,
            personal=made.personal,
            salt=seal.salt,
            digest=seal.digest,
            link=seal.link,
        )
    )
    moved = {"sequence": seal.sequence, "link": seal.link}
    connection.execute(update(chains).where(chains.c.chain == LATER).values(moved))


def rewrite(connection: Connection, random: random.Random) -> None:
    """The beginning of the later chain, which covers where the first one had come to."""
    heads = [("heads", told) for told in ("[]", "[[1]]", "x")]
    name, value = random.choice([("started", 7), ("genesis", b"x"), *heads])
    connection.execute(update(chains).where(chains.c.chain == LATER).values({name: value}))


def cut(connection: Connection, random: random.Random) -> None:
    """The end of a chain, its place in the table of chains moved back too."""
    chain, last = random.choice([CHAIN, LATER]), random.randint(0, COUNT + 1)
    link = connection.scalar(
        select(events.c.link).where(events.c.chain == chain, events.c.sequence == last)
    )
    link = link or connection.scalar(select(chains.c.genesis).where(chains.c.chain == chain))
    connection.execute(delete(events).where(events.c.chain == chain, events.c.sequence > last))
    moved = {"sequence": last, "link": link}
    connection.execute(update(chains).where(chains.c.chain == chain).values(moved))


def lose(connection: Connection, random: random.Random) -> None:
    """A chain altogether."""
    chain = random.choice([CHAIN, LATER])
    for table in (events, chains):
        connection.execute(delete(table).where(table.c.chain == chain))


TAMPERS: dict[str, Tamper] = {
    made.__name__: made for made in (edit, drop, reorder, erase, forge, rewrite, cut, lose)
}
NEED_A_CHECKPOINT = ("cut", "lose")
"""Of the last chain; those before it are covered by the one that follows."""


def test_what_was_written_verifies(engine: Engine) -> None:
    """Two chains of all kinds of events, also with a checkpoint of before, and of now."""
    heads = written(engine)
    assert (2 * (COUNT + 2), ()) == (verdict(engine).events, verdict(engine).faults)
    with closing(Ledger(engine, KEY, "01a20b81-4528-7cce-8a01-000000000003")) as ledger:
        ledger.write(entries(3, 300))
    assert () == verdict(engine, checkpoint=heads).faults


@pytest.mark.claim("tampering", test=12, proof=100)
@pytest.mark.parametrize("name", list(TAMPERS))
def test_every_change_is_found(
    engine: Engine, name: str, count: int, record_property: Record
) -> None:
    """An edit, a deletion, a swap, a forged or lost event, a cut or lost chain: each is told."""
    heads = written(engine)
    checkpoint = heads if name in NEED_A_CHECKPOINT else ()
    found = 0
    for seed in range(count):
        with engine.connect() as connection:
            TAMPERS[name](connection, random.Random(seed))
            told = verify(connection, KEY, {head.chain: head for head in checkpoint}).faults
            found += bool(told)
            connection.rollback()
    record_property("figure", f"{found} of {count} found")
    assert found == count
    assert () == verdict(engine, checkpoint=checkpoint).faults


def test_an_older_chain_needs_no_checkpoint(engine: Engine) -> None:
    """The chain after it says where it had come to."""
    written(engine)
    with engine.begin() as connection:
        connection.execute(delete(events).where(events.c.chain == CHAIN, events.c.sequence > COUNT))
        link = select(events.c.link).where(events.c.chain == CHAIN, events.c.sequence == COUNT)
        moved = {"sequence": COUNT, "link": connection.scalar(link)}
        connection.execute(update(chains).where(chains.c.chain == CHAIN).values(moved))
    assert any("was cut" in fault for fault in verdict(engine).faults)


def test_another_key_verifies_nothing(engine: Engine) -> None:
    """Both chains are told, and none of their events counts as verified."""
    written(engine)
    found = verdict(engine, key=bytes(32))
    assert 0 == found.events
    assert ["cannot be verified" in fault for fault in found.faults] == [True, True]


def test_an_erased_reference_verifies(engine: Engine, ledger: Ledger) -> None:
    """Features, salt and reference are gone; the chain holds, and says so."""
    ledger.write([Entry((event(at, "case 7" if at % 2 else None),)) for at in range(10)])
    ledger.write([Entry((Event("review", "prediction-3", 2_000, b"{}", b'{"note": "told"}'),))])
    assert 5 == ledger.erase(Erasure(reference="case 7"))
    assert 0 == ledger.erase(Erasure(reference="case 7"))
    with engine.connect() as connection:
        rows = connection.execute(select(events).order_by(events.c.sequence)).all()
    gone = [row.personal is None and row.salt is None and row.reference is None for row in rows]
    assert [at % 2 == 1 for at in range(10)] + [True, True] == gone
    assert () == verdict(engine).faults


def test_what_is_erased_is_in_no_file(file: str) -> None:
    """SQLite overwrites what it lets go of."""
    with open_database(file) as engine, closing(Ledger(engine, KEY, CHAIN)) as ledger:
        ledger.write([Entry((event(at, "case 7"),)) for at in range(10)])
        assert 10 == ledger.erase(Erasure(reference="case 7"))
    content = b"".join(
        one.read_bytes() for one in Path(make_url(file).database or "").parent.iterdir()
    )
    assert b"prediction-7" in content
    assert b"case 7" not in content
    assert b"4711" not in content


def test_retention_verifies(engine: Engine, ledger: Ledger) -> None:
    """What is personal of events before a time is gone, of others not; the chain holds."""
    ledger.write(entries(10))
    ledger.erase(Erasure(before=1_004))
    with engine.connect() as connection:
        personal = connection.scalars(select(events.c.personal).order_by(events.c.sequence)).all()
    assert [True] * 4 + [False] * 6 + [True] == [one is None for one in personal]
    assert () == verdict(engine).faults


@pytest.mark.parametrize("erasure", [Erasure(before=now() + 10**12), Erasure(reference="case 7")])
def test_an_erasure_excuses_only_what_it_took(
    engine: Engine, ledger: Ledger, erasure: Erasure
) -> None:
    """Not what another process commits after it, though its time or its prediction be the same."""
    ledger.write([Entry((event(1, "case 7"),))])
    assert 1 == ledger.erase(erasure)
    late = Event("review", "prediction-1", 1_001, b"{}", b'{"note":"told","reviewer":"Kim"}')
    ledger.write([Entry((late,)), Entry((replace(event(2, "case 7"), time=1_001),))])
    with engine.connect() as connection:
        kept = connection.scalars(select(events.c.salt).order_by(events.c.sequence)).all()
    assert [True, True, False, False] == [salt is None for salt in kept]
    assert () == verdict(engine).faults
    with engine.begin() as connection:
        connection.execute(update(events).values(personal=None, salt=None, reference=None))
    assert [3, 4] == [
        int(re.findall(r"event (\d+) .* no erasure says so", fault)[0])
        for fault in verdict(engine).faults
    ]


def test_where_nothing_is_erased_nothing_is_said(engine: Engine, ledger: Ledger) -> None:
    """An erasure of no event leaves none."""
    ledger.write(entries(3))
    assert 0 == ledger.erase(Erasure(reference="case 8")) == ledger.erase(Erasure(before=5))
    assert 3 == verdict(engine).events


@pytest.mark.parametrize("said", [b'{"before":1002}', b'{"predictions":["prediction-1"]}'])
def test_erasures_of_an_older_dubito_verify(engine: Engine, ledger: Ledger, said: bytes) -> None:
    """They name predictions, or the time before which all was erased."""
    ledger.write(entries(3))
    ledger.write([Entry((Event("erasure", "", 2_000, said),))])
    erase_by_hand = update(events).values(personal=None, salt=None)
    with engine.begin() as connection:
        connection.execute(erase_by_hand.where(events.c.prediction == "prediction-1"))
    assert () == verdict(engine).faults
    with engine.begin() as connection:
        connection.execute(erase_by_hand)
    assert "event 3 of" in verdict(engine).faults[-1]


BROKEN = (b"{", b"[]", b'{"before":"x"}', b'{"predictions":3}', b'{"events":{"x":3}}')


@pytest.mark.parametrize("body", BROKEN)
def test_an_erasure_that_was_tampered_with_is_told(
    engine: Engine, ledger: Ledger, body: bytes
) -> None:
    """Whatever was made of it, it is a fault and no crash."""
    ledger.write(entries(1))
    ledger.erase(Erasure(before=10**6))
    with engine.begin() as connection:
        connection.execute(update(events).where(events.c.kind == "erasure").values(body=body))
    assert any("is not as it was written" in fault for fault in verdict(engine).faults)
