"""What was appended to a journal is there, in its order, unless it is torn or was changed."""

import os
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from app.errors import RecordsError
from app.records import journal as module
from app.records.cause import NotWritten
from app.records.journal import INTRODUCTION_BYTES, Journal
from app.records.journal_frame import HEAD, MAC_BYTES, MAGIC, PAGE, read_journal
from tests.app.records.conftest import KEY

OTHER = bytes(range(1, 33))
INTRODUCTION = b"a bundle" * 1_000
SIZES = (0, 1, 100, PAGE - 100, PAGE, PAGE + 1, 5 * PAGE, 70_000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "records.db.journal"


@pytest.fixture
def journal(file: Path) -> Iterator[Journal]:
    with closing(Journal(file, KEY, 7)) as journal:
        journal.introduce(INTRODUCTION)
        yield journal


def contents(file: Path, applied: int = 7) -> list[bytes]:
    """What the frames hold that the tables lack."""
    return [frame.content for frame in read_journal(file, [OTHER, KEY]).after(applied)]


def test_what_was_appended_is_there(journal: Journal, file: Path) -> None:
    """Of any size, in its order, behind the introduction; the tables' part is left out."""
    written = [os.urandom(size) for size in SIZES]
    frames = [journal.append(one) for one in written]
    assert INTRODUCTION == read_journal(file, [KEY]).introduction
    assert written == contents(file)
    assert [*range(8, 8 + len(SIZES))] == [frame.sequence for frame in frames]
    for at, frame in enumerate(frames, 1):
        assert written[at:] == contents(file, frame.sequence)


@pytest.mark.parametrize("size", [100, 60_000, 200_000, 300_000])
def test_others_are_introduced_while_frames_are_needed(
    journal: Journal, file: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Each time by the last one; a torn one leaves the one before, and no frame is lost.

    One that has no room beside the last waits until the tables have all frames.
    """
    monkeypatch.setattr(module, "ROOM_SECONDS", 0.05)
    needed = journal.append(b"needed")
    known = INTRODUCTION
    for at in range(30):
        told = bytes([at]) * size
        try:
            journal.introduce(told)
            known = told
        except NotWritten:
            assert size == 300_000
        assert known == read_journal(file, [KEY]).introduction
        assert [b"needed"] == contents(file)
    assert (known != INTRODUCTION) or size == 300_000
    whole = file.read_bytes()
    place = whole.rindex(known[:64], 0, INTRODUCTION_BYTES)
    torn = file.with_name("torn")
    torn.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
    found = read_journal(torn, [KEY])
    assert [b"needed"] == [frame.content for frame in found.frames]
    if size < 300_000:
        assert found.introduction is not None
        assert known != found.introduction
    journal.release(needed.sequence)
    journal.introduce(b"last" * 50_000)
    assert b"last" * 50_000 == read_journal(file, [KEY]).introduction


def test_a_missing_journal_holds_nothing(file: Path) -> None:
    """Nor does one that was begun and never introduced."""
    assert [] == contents(file)
    with closing(Journal(file, KEY, 0)):
        assert [] == contents(file, 0)
        assert read_journal(file, [KEY]).introduction is None
    assert not file.exists()


def test_what_the_tables_have_is_overwritten_and_nothing_else(
    journal: Journal, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ring: for any sizes and any delay of the tables, all that they lack is there."""
    monkeypatch.setattr(module, "RING_BYTES", INTRODUCTION_BYTES + (1 << 20))
    random, left, applied = np.random.default_rng(3), list[tuple[int, bytes]](), 7
    for _ in range(2_000):
        content = random.bytes(int(random.integers(0, 30_000)))
        left.append((journal.append(content).sequence, content))
        if len(left) > random.integers(1, 30):
            released = left[: int(random.integers(1, len(left) + 1))]
            applied, left = released[-1][0], left[len(released) :]
            journal.release(applied)
        if random.random() < 0.02:
            assert [one for _, one in left] == contents(file, applied)
    assert [one for _, one in left] == contents(file, applied)
    assert file.stat().st_size <= 3 << 20
    journal.release(1 << 40)


def test_a_frame_may_be_larger_than_the_ring(
    journal: Journal, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the tables have all before it; small ones go on after it."""
    monkeypatch.setattr(module, "RING_BYTES", INTRODUCTION_BYTES + (1 << 20))
    journal.release(journal.append(b"small").sequence)
    large = os.urandom(3 << 20)
    at = journal.append(large).sequence
    assert [large] == contents(file, at - 1)
    journal.release(at)
    journal.append(b"small again")
    assert [b"small again"] == contents(file, at)
    journal.release(at + 1)


def test_a_full_ring_waits_for_the_tables(
    journal: Journal, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for ever: what finds no room is refused, and what is there stays."""
    monkeypatch.setattr(module, "RING_BYTES", INTRODUCTION_BYTES + (1 << 20))
    monkeypatch.setattr(module, "ROOM_SECONDS", 0.2)
    content = bytes(320 << 10)
    frames = [journal.append(content) for _ in range(4)]
    with pytest.raises(NotWritten, match="JournalFull"):
        journal.append(content)
    assert [content] * 4 == contents(file)
    timer = threading.Timer(0.05, lambda: journal.release(frames[2].sequence))
    timer.start()
    last = journal.append(b"there is room")
    timer.join()
    assert [content, b"there is room"] == contents(file, frames[2].sequence)
    journal.release(last.sequence)


@pytest.mark.parametrize("at", range(0, 3 * PAGE, 511))
def test_a_torn_frame_is_none(journal: Journal, file: Path, at: int) -> None:
    """The last one, of which any byte is not what was written; those before it are there."""
    journal.append(b"whole")
    start = file.read_bytes().index(b"whole") // PAGE * PAGE + PAGE
    journal.append(bytes(2 * PAGE + 2_000) + b"end")
    with file.open("r+b") as opened:
        opened.seek(start + at)
        byte = opened.read(1)
        opened.seek(start + at)
        opened.write(bytes([byte[0] ^ 1]))
    # Behind the end of the content nothing is covered, and nothing is read.
    is_covered = at < 2 * PAGE + 2_000 + 3 + 80
    assert (1 if is_covered else 2) == len(contents(file))
    journal.release(1 << 40)


@pytest.mark.parametrize("changed", [b"first", b"second"])
def test_a_changed_frame_is_noticed(journal: Journal, file: Path, changed: bytes) -> None:
    """If a later one is whole: it says which one was before it."""
    for one in (b"first", b"second", b"third"):
        journal.append(one)
    before = file.read_bytes()
    file.write_bytes(before.replace(changed, changed[::-1]))
    with pytest.raises(RecordsError, match="journal of the records is damaged: frame"):
        contents(file)
    if changed == b"first":
        assert [b"second", b"third"] == contents(file, 8)
    file.write_bytes(before.replace(INTRODUCTION[:8], b"whatever", 1))
    with pytest.raises(RecordsError, match="its beginning"):
        contents(file)


def test_a_journal_under_another_key_is_not_read(journal: Journal, file: Path) -> None:
    """It says so: the tables lack what it holds."""
    journal.append(b"one")
    with pytest.raises(RecordsError, match="under a key that is not in the key file"):
        read_journal(file, [OTHER])


def test_a_text_that_looks_like_a_frame_is_none(journal: Journal, file: Path) -> None:
    """A caller's own, at a page of a frame that is overwritten in part."""
    shift = (HEAD.size + MAC_BYTES) % len(MAGIC)
    journal.release(journal.append((MAGIC * PAGE)[shift:]).sequence)
    assert MAGIC == file.read_bytes()[INTRODUCTION_BYTES + PAGE :][: len(MAGIC)]
    journal.append(b"needed")
    assert [b"needed"] == contents(file, 8)
    journal.release(1 << 40)


def test_what_is_scrubbed_is_gone(journal: Journal, file: Path) -> None:
    """From the file; what the tables lack stays."""
    first, _ = journal.append(b"first" * 3_000), journal.append(b"second" * 3_000)
    journal.append(b"third")
    journal.release(first.sequence)
    journal.scrub()
    assert b"first" not in file.read_bytes()
    assert [b"second" * 3_000, b"third"] == contents(file, first.sequence)
    journal.release(1 << 40)
    # Something was appended since the last time that it was asked.
    assert [False, True] == [journal.is_idle() for _ in range(2)]
    journal.scrub()
    assert b"second" not in file.read_bytes()
    assert not journal.is_idle()
    journal.append(b"fourth")
    assert [b"fourth"] == contents(file, first.sequence + 2)
    journal.release(1 << 40)


def test_it_is_deleted_if_nothing_in_it_is_needed(file: Path) -> None:
    """And kept otherwise, whatever was written before."""
    for content, is_there in ((b"needed", True), (b"not needed", False)):
        with closing(Journal(file, KEY, 7)) as journal:
            journal.introduce(INTRODUCTION)
            frame = journal.append(content)
            if not is_there:
                journal.release(frame.sequence)
        assert is_there == file.exists()


def test_a_frame_that_failed_is_not_needed_later(
    journal: Journal, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be on the disk or not: nobody was told that it is."""
    journal.append(b"first")
    with monkeypatch.context() as failing:
        sync = os.fdatasync

        def fail(descriptor: int) -> None:
            sync(descriptor)
            raise OSError(5, "Input/output error")

        failing.setattr("os.fdatasync", fail)
        with suppress(OSError):
            journal.append(b"second")
    journal.append(b"third")
    assert [b"first", b"third"] == contents(file)
    journal.release(1 << 40)
