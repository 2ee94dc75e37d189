"""The state of a service: where it cannot be used, or goes away, the service says so."""

import shutil
import signal
from pathlib import Path

import httpx
import pytest

from app.errors import RecordsError
from app.monitoring.event_builder import EventBuilder
from app.records.address import url_of
from app.records.opening import writing
from tests.app.records.clients import Clients
from tests.app.records.conftest import CHAIN, entries
from tests.app.records.users import NOBODY, being, reachable
from tests.service import child, serving, until


@pytest.mark.parametrize("records", ["durable", "relaxed"])
def test_a_state_that_is_deleted_ends_all_answers(tmp_path: Path, records: str) -> None:
    """At once, under load; the log says so once, and where to copy what was recorded from."""
    state = tmp_path / "state"
    changes = {"DUBITO_STATE": str(state), "DUBITO_RECORDS": records}
    with serving("loan-grade/1", changes=changes) as service:
        with Clients(service.port) as clients:
            until(lambda: clients.statuses[200] > 50)
            shutil.rmtree(state)
            until(lambda: clients.statuses[503] > 50)
            answered = clients.statuses[200]
            until(lambda: clients.statuses[503] > 200)
            assert answered == clients.statuses[200]
        ready = httpx.get(f"{service.url}/health/ready")
        assert 503 == ready.status_code
        assert "files were deleted, moved or replaced" in ready.json()["detail"]
        assert not state.exists()
        written = service.written()
        begun = "ERROR dubito.records", "files were deleted, moved or replaced"
        (line,) = (line for line in written.splitlines() if all(part in line for part in begun))
        assert f"copy /proc/{child(service.process.pid, 'recorder')}/fd/" in line
        assert 0 == service.stop(signal.SIGINT)
        assert "Traceback" not in service.written()
    assert not state.exists()


def begin(state: Path) -> None:
    with writing(url_of(None, state), state / "records.key", CHAIN, EventBuilder) as records:
        records.book.write(entries(1))


@pytest.mark.parametrize("is_new", [True, False])
def test_a_start_in_a_folder_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, is_new: bool
) -> None:
    """It names what cannot be written."""
    if not is_new:
        begin(tmp_path)
    reachable(tmp_path)
    with (
        being(NOBODY),
        pytest.raises(RecordsError, match=r"records\.(lock|db)") as refused,
    ):
        begin(tmp_path)
    assert "Permission denied" in str(refused.value)


@pytest.mark.parametrize("name", ["records.db", "records.key", "records.lock"])
def test_a_folder_in_place_of_a_file_is_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(RecordsError, match=name.replace(".", r"\.")):
        begin(tmp_path)
