"""What goes between a service and its recorder is the same on the other side."""

from dataclasses import fields, replace

import msgspec
import pytest

from app.count_keys import CountKey
from app.processes.recorder_messages import (
    CannotOpen,
    FromRecorder,
    RecorderCodec,
    RecordsOpened,
    ServiceCodec,
)
from app.record_events import Draft, Entry, Erasure, Event, Note, QueueItem, Reply, Tally
from app.record_ports import Trouble
from app.records.cause import Cause
from app.records.group_message import (
    Condition,
    Failed,
    Group,
    Kept,
    Kind,
    Settled,
    Written,
    decode_group,
    decode_introduction,
    encode_group,
    encode_introduction,
    encode_settle,
    frame_content,
    head_of,
    messages_in,
)
from app.watched_bundle import WatchedBundle
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from tests.service import ROOT

WAITING = QueueItem(
    prediction="a",
    time=1 << 50,
    doubt=0.1 + 0.2,
    body=b'{"grade": "\xc3\xa9"}',
    grade="é",
    reasons="\nambiguous\nmissing\n",
    digest="sha256:0",
    version=3,
    reference=None,
    assignee="kim",
)
DECIDED = replace(
    WAITING, reference="case 7", decided=5, verdict="B", reviewer="kim", step="decide"
)
EVENT = Event("prediction", "a", 1 << 50, b"\x00\xff", b"{}", "case 7", ordinal=2)
WHOLE = Entry(
    events=(EVENT, Event("erasure", "", 0, b"")),
    reply=Reply("key", b"\x01", "a", 7, b"\xfe"),
    tally=Tally("sha256:0", {CountKey("rows"): 3, CountKey("automated.0.05.wrong"): 0}, at=60),
    queue=(WAITING, DECIDED),
    note=Note("watch:sha256:0", 9, b"\x80", follows=0),
    erasure=Erasure(before=1 << 50),
)
EMPTY = Entry(())


def test_entries_have_all_that_they_had() -> None:
    """Each member alone, all together, and none of them."""
    names = [name for name in Entry.__struct_fields__ if name != "events"]
    alone = [Entry((), **{name: getattr(WHOLE, name)}) for name in names]
    assert all(getattr(WHOLE, name) for name in names)
    items: list[Entry | Draft] = [EMPTY, WHOLE, *alone]
    for kind in (Kind.QUIET, Kind.AWAITED):
        assert Group(kind, 1 << 40, items) == _there(encode_group(kind, 1 << 40, items))


def test_messages_of_a_frame_come_apart_again() -> None:
    """Each with its kind and number, an empty one and one without items among them."""
    messages = [encode_group(Kind.QUIET, 1, []), encode_settle(2), b""]
    messages.append(encode_group(Kind.AWAITED, 3, [WHOLE]))
    assert messages == list(messages_in(frame_content(messages)))
    assert [] == list(messages_in(frame_content([])))
    assert (Kind.SETTLE, 2) == head_of(messages[1])


def test_an_event_has_all_that_it_had() -> None:
    """Also what no comparison looks at."""
    event = replace(EVENT, id="chain:7")
    (there,) = _there(encode_group(Kind.QUIET, 1, [Entry((event,))])).items
    assert isinstance(there, Entry)
    (found,) = there.events
    for field in fields(Event):
        assert getattr(event, field.name) == getattr(found, field.name)


def _there(message: bytes) -> Group:
    """The group that arrives on the other side."""
    return decode_group(RecorderCodec.decode(ServiceCodec.encode(message)))


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_a_bundle_that_is_introduced_is_the_same(version: int) -> None:
    """With the same streams, whether somebody had looked at them or not; no other bytes for it."""
    found = inspect(find_version(ROOT / "models", "loan-grade", version)).manifest
    watched = WatchedBundle(found.identity, found.signature, found.calibration, "sha256:1")
    before = encode_introduction([watched])
    streams = watched.streams
    assert before == encode_introduction([watched])
    (there,) = decode_introduction(RecorderCodec.decode(ServiceCodec.encode(before)))
    assert watched == there
    assert streams == there.streams
    assert list(streams) == list(there.streams)


@pytest.mark.parametrize(
    "message",
    [
        RecordsOpened(),
        RecordsOpened(("one sentence", "another")),
        CannotOpen("the key is missing"),
        Condition(None),
        Condition(Trouble("the disk is full", "it is")),
        Kept(1 << 40),
        Settled(7),
        Written(1, [True, False]),
        Written(2, []),
        Failed(3, Cause("OperationalError", None, is_lasting=False)),
        Failed(4, Cause("Displaced", "deleted", is_lasting=True, advice="copy it")),
    ],
)
def test_what_a_recorder_says_is_heard(message: FromRecorder) -> None:
    """Each kind, with the tuples that it was made of."""
    found = ServiceCodec.decode(RecorderCodec.encode(message))
    assert message == found
    assert type(message) is type(found)
    if isinstance(message, Failed) and isinstance(found, Failed):
        assert message.cause.trouble == found.cause.trouble


def test_what_is_no_message_is_refused() -> None:
    """A message of the other side, or a member of another type."""
    with pytest.raises(msgspec.ValidationError):
        ServiceCodec.decode(msgspec.msgpack.encode({"type": "group"}))
    wrong = Entry((replace(EVENT, time="no number"),))  # type: ignore[arg-type]
    with pytest.raises(msgspec.ValidationError):
        decode_group(encode_group(Kind.QUIET, 1, [wrong]))
