"""Admission: records are gone on with by their own key, or under another one on purpose."""

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, insert, select, update

from app.errors import RecordsError
from app.record_events import Entry, Event
from app.records import key_check as module
from app.records.database import open_database
from app.records.key import read_all, read_key
from app.records.key_check import renewed, start_chain
from app.records.tables import chains, events
from app.records.verification import Verdict, verify
from tests.app.records.conftest import CHAIN, entries
from tests.postgres import MODEL, Server

CHAINS = tuple(CHAIN[:-1] + str(number) for number in range(1, 9))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "records.key"


@pytest.fixture
def written(engine: Engine, key: Path) -> Engine:
    """Records of two chains."""
    for chain, first in zip(CHAINS[:2], (0, 5), strict=True):
        write(engine, key, chain, first)
    return engine


def write(engine: Engine, key: Path, chain: str, first: int) -> None:
    ledger, _ = start_chain(engine, key, chain)
    with closing(ledger):
        ledger.write(entries(5, first))


def verdict(engine: Engine, key: Path) -> Verdict:
    secret, *earlier = read_all(key)
    with engine.connect() as connection:
        return verify(connection, secret, {}, earlier)


def test_a_lost_key_is_not_made_anew(written: Engine, key: Path) -> None:
    """The sentence names the file and the command; nothing is written."""
    key.unlink()
    with pytest.raises(RecordsError) as refused:
        start_chain(written, key, CHAINS[2])
    assert str(key) in str(refused.value)
    assert "`dubito records new-key`" in str(refused.value)
    assert not key.exists()


def test_another_key_is_refused(written: Engine, key: Path) -> None:
    """It would chain what nobody could verify with the rest."""
    key.write_text("0" * 64)
    with pytest.raises(RecordsError, match="does not hold the key that chains these records"):
        start_chain(written, key, CHAINS[2])
    with written.connect() as connection:
        assert 2 == len(connection.execute(select(chains)).all())


def test_an_older_key_is_refused(written: Engine, key: Path) -> None:
    """Whoever puts back the key of before the last change is told, whatever the clock says."""
    shutil.copy(key, key.with_name("before"))
    assert 0 == renewed(written, key, CHAINS[2])
    with written.begin() as connection:
        connection.execute(update(chains).where(chains.c.chain == CHAINS[0]).values(started=2**60))
    shutil.copy(key.with_name("before"), key)
    with pytest.raises(RecordsError, match="does not hold the key"):
        start_chain(written, key, CHAINS[3])


def test_after_a_change_of_keys_all_is_verified(written: Engine, key: Path) -> None:
    """Each chain by its own key."""
    assert 0 == renewed(written, key, CHAINS[2])
    write(written, key, CHAINS[3], 10)
    found = verdict(written, key)
    assert (16, (), ()) == (found.events, found.faults, found.given_up)


def test_after_a_loss_the_rest_is_verified(written: Engine, key: Path) -> None:
    """What is of the lost key is told chain by chain; a key that is found again verifies it."""
    shutil.copy(key, key.with_name("found"))
    key.unlink()
    assert 2 == renewed(written, key, CHAINS[2])
    write(written, key, CHAINS[3], 10)
    found = verdict(written, key)
    assert (6, ()) == (found.events, found.faults)
    assert [f"5 events of chain {chain} cannot be verified" for chain in CHAINS[:2]] == [
        sentence.partition(":")[0] for sentence in found.given_up
    ]
    with key.open("a") as file:
        file.write(key.with_name("found").read_text())
    again = verdict(written, key)
    assert (16, (), ()) == (again.events, again.faults, again.given_up)


@pytest.mark.parametrize("harm", ["added", "cut", "edited"])
def test_a_chain_that_was_given_up_cannot_be_changed_at_its_end(
    written: Engine, key: Path, harm: str
) -> None:
    """The chain that gave it up says where it had come to."""
    key.unlink()
    renewed(written, key, CHAINS[2])
    mine = select(events).where(events.c.chain == CHAINS[1], events.c.sequence > 3)
    moved = update(chains).where(chains.c.chain == CHAINS[1])
    with written.begin() as connection:
        fourth, fifth = connection.execute(mine.order_by(events.c.sequence)).mappings()
        fifth_one = (events.c.chain == CHAINS[1]) & (events.c.sequence == 5)
        if harm == "added":
            connection.execute(insert(events), {**fifth, "sequence": 6, "link": b"x"})
            connection.execute(moved.values(sequence=6, link=b"x"))
        elif harm == "cut":
            connection.execute(delete(events).where(fifth_one))
            connection.execute(moved.values(sequence=4, link=fourth["link"]))
        else:
            connection.execute(update(events).where(fifth_one).values(link=b"x"))
            connection.execute(moved.values(link=b"x"))
    assert any(CHAINS[1] in fault for fault in verdict(written, key).faults)


def test_who_cannot_seal_gives_nothing_up(written: Engine, key: Path) -> None:
    """An event that says so must verify itself."""
    forged = Event("key", "", 1, b'{"lost":[["%s",5,"00"]]}' % CHAINS[0].encode())
    ledger, _ = start_chain(written, key, CHAINS[2])
    with closing(ledger):
        ledger.write([Entry((forged,))])
    key.write_text("0" * 64)
    assert 3 == len(verdict(written, key).faults)
    assert () == verdict(written, key).given_up


def test_a_key_that_was_put_in_its_file_is_gone_on_with(
    written: Engine, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the process died before its chain began: the file has the older key as well."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "Ledger", die)
        with pytest.raises(KeyboardInterrupt):
            renewed(written, key, CHAINS[2])
    write(written, key, CHAINS[3], 10)
    found = verdict(written, key)
    assert (15, ()) == (found.events, found.faults)


@pytest.fixture
def shared(server: Server) -> Iterator[str]:
    with server.database(MODEL) as url:
        yield url


def test_workers_that_start_at_once_have_one_key(
    shared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one makes it, in its own time; the others find it, and no chain is without it."""
    real = module.admitted

    def slow(*given: object) -> bytes:
        found = real(*given)  # type: ignore[arg-type]
        time.sleep(0.05)
        return found

    monkeypatch.setattr(module, "admitted", slow)
    file = tmp_path / "key"

    def start(chain: str) -> bytes:
        with open_database(shared) as engine:
            ledger, secret = start_chain(engine, file, chain)
            ledger.close()
            return secret

    with ThreadPoolExecutor(6) as threads:
        found = set(threads.map(start, CHAINS[:6]))
    assert {read_key(file)} == found


def test_hosts_that_start_at_once_need_one_key(shared: str, tmp_path: Path) -> None:
    """Each with a folder of its own: one begins, the others are told that they lack its key."""

    def start(chain: str) -> bool:
        with open_database(shared) as engine:
            try:
                start_chain(engine, tmp_path / chain / "key", chain)[0].close()
            except RecordsError:
                return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert 1 == sum(threads.map(start, CHAINS[:4]))
    assert 1 == len(list(tmp_path.iterdir()))
