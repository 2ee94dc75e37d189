"""Messages between a service and its recorder process: msgspec structures, as MessagePack."""

from msgspec import Struct, msgpack

from app.record_events import Draft, Entry
from app.record_ports import Trouble
from app.records.cause import Cause
from app.watched_bundle import WatchedBundle


class Introduction(Struct, frozen=True, tag="introduction"):
    """The bundle whose drafts follow."""

    watched: WatchedBundle


class WriteGroup(Struct, frozen=True, tag="group"):
    """Entries and drafts to write in one transaction: all of them or none."""

    items: list[Entry | Draft]


class RecordsOpened(Struct, frozen=True, tag="opened"):
    """First message of a recorder that has opened the records."""

    notes: tuple[str, ...] = ()
    """Warnings for an operator, one sentence each."""


class CannotOpen(Struct, frozen=True, tag="cannot_open"):
    """First message of a recorder that cannot open the records."""

    sentence: str


class Condition(Struct, frozen=True, tag="condition"):
    """Periodic message of a recorder: the reason why it cannot write, or None if it can."""

    trouble: Trouble | None


class Written(Struct, frozen=True, tag="written"):
    """Result of a group that was written."""

    added: list[bool]
    """Whether each item was added."""


class Failed(Struct, frozen=True, tag="failed"):
    """Result of a group that the database did not accept."""

    cause: Cause


ToRecorder = Introduction | WriteGroup
FromRecorder = RecordsOpened | CannotOpen | Condition | Written | Failed


class ServiceCodec:
    """Codec of the service's side."""

    encode = msgpack.Encoder().encode
    decode = msgpack.Decoder(FromRecorder).decode


class RecorderCodec:
    """Codec of the recorder's side."""

    encode = msgpack.Encoder().encode
    decode = msgpack.Decoder(ToRecorder).decode
