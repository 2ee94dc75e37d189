"""The recorder's process: it writes as one's own thread would, and its end is noticed."""

import asyncio
import logging
import os
import select
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvloop

from app.errors import RecordingFailed, RecordsError, StartError
from app.model_source import model_sources
from app.processes.channel import receive, send
from app.processes.recorder_client import RecorderClient, open_recorder
from app.processes.recorder_messages import RecordsOpened, ServiceCodec
from app.processes.subprocesses import ChildProcesses, early_recorder, start_children
from app.record_events import Draft, Entry, PlainPart, now
from app.records.cause import NotWritten
from app.records.group_message import Kept, Kind, encode_group
from app.records.writer import RecordsWriter
from app.settings import Settings
from app.watched_bundle import WatchedBundle
from dubito.answer import Answer, PlainAnswer, PlainResult
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.app.records.clients import Clients, recorded
from tests.app.records.conftest import entries, event
from tests.service import ROOT, child, is_alive, serving, until

SETTINGS = Settings(models=ROOT / "models", version=1)
SECONDS = 60
NO_TIME = 1 << 63
"""More than a database's whole numbers go to."""

Use = Callable[[RecorderClient], Coroutine[Any, Any, Any]]


@contextmanager
def started(**changed: Any) -> Iterator[ChildProcesses]:
    """The processes of a service whose settings have other values."""
    settings = SETTINGS.model_copy(update=changed)
    sources = model_sources(settings)
    with (
        early_recorder(settings) as recorder,
        start_children(settings, sources, recorder) as children,
    ):
        yield children


def using(use: Use, state: Path, lost: Callable[[], None] = lambda: None) -> Any:
    """What comes of using a recorder's process."""

    async def run() -> Any:
        assert children.recorder is not None
        async with open_recorder(children.recorder, lost) as client:
            return await asyncio.wait_for(use(client), SECONDS)

    with started(state=state) as children:
        return asyncio.run(run())


def test_what_is_handed_over_is_written(tmp_path: Path) -> None:
    """Several groups at once, in their order; a claim that is taken is said so; all are there."""
    said = (replace(event(at), prediction="one", ordinal=0) for at in (90, 91))
    claims = [Entry((one,)) for one in said]

    async def use(client: RecorderClient) -> Any:
        groups = [entries(3), claims[:1], entries(40, 3), claims[1:]]
        return await asyncio.gather(*map(client.submit, groups))

    assert [[True] * 3, [True], [True] * 40, [False]] == using(use, tmp_path)
    found = recorded(tmp_path)
    assert () == found.faults
    assert {f"prediction-{at}" for at in range(43)} | {"one"} == found.predictions.keys()


def test_entries_of_drafts_are_made_there(tmp_path: Path) -> None:
    """Of the bundle that was introduced, for each row of a request."""
    manifest = inspect(find_version(SETTINGS.models, SETTINGS.model, 1)).manifest
    watched = WatchedBundle(manifest.identity, manifest.signature, None, "sha256:0")
    rows = np.array([[*example(manifest.signature).values()]] * 3, dtype=np.float64)
    answers: list[PlainAnswer] = [
        Answer(f"row-{at}", PlainResult("A", {"A": 1.0}), (), manifest.identity) for at in range(3)
    ]
    part = PlainPart(now(), rows.tobytes(), answers)

    async def use(client: RecorderClient) -> Any:
        client.introduce([watched])
        return await client.submit([Draft((part,), "case 7", None), *entries(1)])

    assert [True] * 2 == using(use, tmp_path)
    found = recorded(tmp_path)
    assert {"row-0", "row-1", "row-2", "prediction-0"} == found.predictions.keys()
    assert (3, 3) == found.counted


@pytest.mark.parametrize("is_written", [False, True])
def test_a_read_waits_for_what_the_tables_lack(*, is_written: bool) -> None:
    """And for nothing where a database without a journal has all that was kept."""

    async def use() -> bool:
        client = RecorderClient()
        client.first.set_result(None)
        kept = client.submit(entries(1), is_awaited=False)
        client.hear(Kept(1, is_written))
        assert [True] == await kept
        settled = asyncio.create_task(client.settle())
        await asyncio.sleep(0.01)
        is_settled = settled.done()
        settled.cancel()
        return is_settled

    assert is_written == asyncio.run(use())


def test_what_fails_there_is_raised_here_and_the_next_group_is_written(tmp_path: Path) -> None:
    """Without a word of what was in it; what was sent with it fails as well or is written."""

    async def use(client: RecorderClient) -> Any:
        wrong = Entry((replace(event(1), time=NO_TIME),))
        with pytest.raises(NotWritten) as failed:
            await client.submit([wrong])
        assert str(NO_TIME) not in str(failed.value)
        return await client.submit(entries(1))

    assert [True] == using(use, tmp_path)
    assert {"prediction-0": 1} == recorded(tmp_path).predictions


def test_its_end_fails_what_is_under_way_and_what_follows(tmp_path: Path) -> None:
    """Killed: nobody is told that something was written, and whoever asked to be told is."""
    told: list[bool] = []

    async def use(client: RecorderClient) -> None:
        pid = child(os.getpid(), "recorder")
        os.kill(pid, signal.SIGSTOP)
        under_way = client.submit(entries(1))
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(NotWritten, match="RecorderLost"):
            await under_way
        assert client.is_over
        with pytest.raises(NotWritten, match="RecorderLost"):
            await client.submit(entries(1, 1))

    using(use, tmp_path, lost=lambda: told.append(True))
    assert [True] == told


def test_one_that_stands_still_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After a stated number of looks without a word; once it goes on, so does all else."""
    monkeypatch.setattr("app.records.writer.LOOK_SECONDS", 0.1)

    async def use(client: RecorderClient) -> None:
        writer, pid = RecordsWriter(client), child(os.getpid(), "recorder")
        writer.watch()
        assert await writer.put(entries(1)[0])
        os.kill(pid, signal.SIGSTOP)
        under_way = writer.put(entries(1, 1)[0])
        await asyncio.to_thread(until, lambda: writer.trouble is not None)
        assert "the recorder has not answered for more than 5 s" == writer.trouble
        with pytest.raises(RecordingFailed):
            writer.put(entries(1, 2)[0])
        assert not under_way.done()
        os.kill(pid, signal.SIGCONT)
        assert await under_way
        await asyncio.to_thread(until, lambda: writer.trouble is None)
        await asyncio.to_thread(until, lambda: len(caplog.records) == 2)
        await writer.close()

    with caplog.at_level(logging.WARNING):
        using(use, tmp_path)
    assert {"prediction-0": 1, "prediction-1": 1} == recorded(tmp_path).predictions


def test_others_who_may_read_are_told_of_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By the service, as the recorder has no log."""
    using(lambda _: asyncio.sleep(0), tmp_path)
    (tmp_path / "records.db").chmod(0o644)
    using(lambda _: asyncio.sleep(0), tmp_path)
    (line,) = caplog.messages
    assert "records.db is open to more users" in line


def test_records_that_cannot_be_opened_are_a_sentence(tmp_path: Path) -> None:
    """The recorder's own sentence is raised here."""
    (tmp_path / "records.key").write_text("no key")
    with pytest.raises(RecordsError, match="does not hold 64 hexadecimal digits"):
        using(lambda _: asyncio.sleep(0), tmp_path)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_recorder_may_be_faster_than_its_service(
    tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """What it said before anybody listened is heard, in whatever loop."""
    with (
        started(state=tmp_path) as children,
        asyncio.Runner(loop_factory=loop) as runner,
    ):
        recorder = children.recorder
        assert recorder is not None
        until(lambda: bool(select.select([recorder.line], [], [], 0)[0]))

        async def use() -> list[bool]:
            async with open_recorder(recorder, lambda: None) as client:
                return await client.submit(entries(1))

        assert [True] == runner.run(asyncio.wait_for(use(), SECONDS))


def test_a_recorder_that_ends_before_it_is_asked_is_told(tmp_path: Path) -> None:
    """Whatever killed it while the bundle was being checked."""
    settings = SETTINGS.model_copy(update={"state": tmp_path})
    with early_recorder(settings) as recorder:
        assert recorder is not None
        recorder.process.kill()
        recorder.process.wait(SECONDS)
        said = "the recorder's process was ended by SIGKILL"
        with pytest.raises(StartError, match=said), start_children(settings, (), recorder):
            pass


def test_what_was_sent_before_the_end_is_written(tmp_path: Path) -> None:
    """Whoever sent it is gone, and has read nothing of what came of it."""
    with started(state=tmp_path) as children:
        recorder = children.recorder
        assert recorder is not None
        codec = ServiceCodec()
        assert isinstance(receive(recorder.line, codec), RecordsOpened)
        send(recorder.line, encode_group(Kind.QUIET, 1, entries(5)), codec)
        until(lambda: bool(select.select([recorder.line], [], [], 0)[0]))
        recorder.process.send_signal(signal.SIGSTOP)
        for at in range(1, 20):
            send(recorder.line, encode_group(Kind.QUIET, at + 1, entries(5, 5 * at)), codec)
        recorder.line.close()
        recorder.process.send_signal(signal.SIGCONT)
        assert 0 == recorder.process.wait(SECONDS)
    found = recorded(tmp_path)
    assert () == found.faults
    assert {f"prediction-{at}": 1 for at in range(100)} == found.predictions


def test_relaxed_answers_are_recorded_by_an_orderly_end(tmp_path: Path) -> None:
    """All of them, though nobody waited for it."""
    changes = {"DUBITO_STATE": str(tmp_path), "DUBITO_RECORDS": "relaxed"}
    with serving("loan-grade/1", changes=changes) as service:
        with Clients(service.port) as clients:
            until(lambda: clients.statuses[200] > 500)
        assert 0 == service.stop()
    found = recorded(tmp_path)
    assert () == found.faults
    assert {200} == clients.statuses.keys()
    assert set(clients.answered) == found.predictions.keys()


def test_a_service_ends_without_its_recorder(tmp_path: Path) -> None:
    """Killed under load: what was answered is there, and the service ends with a sentence."""
    with serving("loan-grade/1", changes={"DUBITO_STATE": str(tmp_path)}) as service:
        with Clients(service.port) as clients:
            until(lambda: clients.statuses[200] > 100)
            os.kill(child(service.process.pid, "recorder"), signal.SIGKILL)
            assert 1 == service.process.wait(SECONDS)
        assert "the recorder process has ended" in service.written().splitlines()[-1]
        assert "Traceback" not in service.written()
    found = recorded(tmp_path)
    assert () == found.faults
    assert not set(clients.answered) - found.predictions.keys()


def test_a_recorder_does_not_outlive_its_service(tmp_path: Path) -> None:
    """The service killed: its recorder ends; a SIGTERM of its own it leaves to the service."""
    row = example(inspect(find_version(SETTINGS.models, SETTINGS.model, 1)).manifest.signature)
    with serving("loan-grade/1", changes={"DUBITO_STATE": str(tmp_path)}) as service:
        recorder = child(service.process.pid, "recorder")
        os.kill(recorder, signal.SIGTERM)
        assert 200 == httpx.post(f"{service.url}/predict", json=row).status_code
        service.process.kill()
        service.process.wait()
        until(lambda: not is_alive(recorder))


def test_without_records_there_is_no_recorder() -> None:
    """The engine is the only process beside the service."""
    with started(records="off") as children:
        assert children.recorder is None
        (engine,) = children.engines.values()
        engine.process.kill()
