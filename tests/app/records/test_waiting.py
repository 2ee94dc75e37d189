"""What waits in the journal of a killed service is read by all commands, and added by the next."""

import csv
import json
import os
import shutil
import signal
from pathlib import Path

import httpx
import pytest

from tests.app.records.clients import Clients, recorded
from tests.service import child, command, is_alive, serving, until


def run(state: Path, *words: str) -> tuple[int, str, str]:
    """Run a command on the records of a state."""
    done = command(*words, "--state", str(state))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The state of a service that was killed with all its processes, and what it had answered."""
    state, answered = tmp_path_factory.mktemp("state"), list[str]()
    for _ in range(5):
        with (
            serving("loan-grade/1", changes={"DUBITO_STATE": str(state)}) as service,
            Clients(service.port) as clients,
        ):
            recorder = child(service.process.pid, "recorder")
            until(lambda clients=clients: clients.statuses[200] > 100)  # type: ignore[misc]
            for pid in (recorder, service.process.pid):
                os.kill(pid, signal.SIGKILL)
            service.process.wait()
            until(lambda recorder=recorder: not is_alive(recorder))  # type: ignore[misc]
        answered += clients.answered
        if recorded(state).waiting:
            return state, answered
    pytest.fail("five services were killed, and none left anything in its journal")


def test_commands_read_it_and_change_nothing(
    killed: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """`verify` counts it, `export` and `replay` have it; files are as they were."""
    state, answered = killed
    before = {file.name: file.read_bytes() for file in state.iterdir()}
    waiting = recorded(state).waiting
    code, told, _ = run(state, "records", "verify")
    assert (0, f"{waiting:,} more wait in the journal, as they were written") == (
        code,
        told.splitlines()[-1],
    )
    table = tmp_path / "all.csv"
    assert 0 == run(state, "records", "export", "--out", str(table))[0]
    with table.open(encoding="utf-8-sig") as opened:
        exported = {row["id"] for row in csv.DictReader(opened)}
    assert set(answered) <= exported
    newest = sorted(recorded(state).predictions)[-3:]
    code, told, error = run(state, "replay", *newest)
    assert (0, "3 of 3 identical") == (code, error.splitlines()[-1])
    assert newest == [json.loads(line)["id"] for line in told.splitlines()]
    after = {file.name: file.read_bytes() for file in state.iterdir()}
    kept = ("records.db", "records.db.journal", "records.key")
    assert [before[name] for name in kept] == [after[name] for name in kept]


def test_a_backup_has_it(killed: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Both files together; what exists is not overwritten."""
    state, answered = killed
    copy = tmp_path / "records.db"
    code, told, _ = run(state, "records", "backup", "--out", str(copy))
    assert 0 == code
    assert f"{recorded(state).waiting:,} events wait in the journal beside it" in told
    shutil.copy(state / "records.key", tmp_path)
    found = recorded(tmp_path)
    assert () == found.faults
    assert found.predictions == recorded(state).predictions
    assert set(answered) <= found.predictions.keys()
    code, _, error = run(state, "records", "backup", "--out", str(copy))
    assert (1, True) == (code, "cannot be written" in error)


def test_a_changed_journal_is_a_fault_and_stops_the_start(
    killed: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """If a later frame is whole; moved away, it is given up."""
    state = tmp_path / "state"
    shutil.copytree(killed[0], state)
    journal = state / "records.db.journal"
    content = bytearray(journal.read_bytes())
    # The introduction: every frame after it needs it.
    content[200] ^= 1
    journal.write_bytes(content)
    code, _, error = run(state, "records", "verify")
    assert (1, True) == (code, "the journal of the records is damaged" in error)
    code, _, error = run(state, "serve", "loan-grade/1", "--port", "0")
    assert (1, 1) == (code, error.count("the journal of the records is damaged"))
    assert "Traceback" not in error
    journal.rename(tmp_path / "away")
    with serving("loan-grade/1", changes={"DUBITO_STATE": str(state)}) as service:
        assert 200 == httpx.get(f"{service.url}/health/ready").status_code


def test_an_erasure_adds_it_first(killed: tuple[Path, list[str]], tmp_path: Path) -> None:
    """And it is erased with the rest: no file has a figure of it."""
    state = tmp_path / "state"
    shutil.copytree(killed[0], state)
    predictions = recorded(state).predictions
    code, told, _ = run(state, "records", "erase", "--before", "2100-01-01")
    assert (0, f"erased what is personal of {len(predictions):,} predictions\n") == (code, told)
    found = recorded(state)
    assert (0, predictions) == (found.waiting, found.predictions)
    assert () == found.faults
    assert not (state / "records.db.journal").exists()


def test_the_next_service_adds_it_before_it_serves(
    killed: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """Its log says how much; an orderly end leaves no journal."""
    state = tmp_path / "state"
    shutil.copytree(killed[0], state)
    before = recorded(state)
    with serving("loan-grade/1", changes={"DUBITO_STATE": str(state)}) as service:
        assert 200 == httpx.get(f"{service.url}/health/ready").status_code
        found = recorded(state)
        assert (0, before.predictions) == (found.waiting, found.predictions)
        assert f"{before.waiting:,} events of a service that was ended" in service.written()
        assert 0 == service.stop()
    assert not (state / "records.db.journal").exists()
