"""Messages between a service and its recorder's process: structures alone, as MessagePack."""

from msgspec import Struct, msgpack

from app.record_events import Draft, Entry
from app.record_ports import Trouble
from app.records.failures import Cause
from app.watched_bundle import WatchedBundle


class Introduction(Struct, frozen=True, tag="introduction"):
    """The bundle whose drafts follow."""

    watched: WatchedBundle


class Group(Struct, frozen=True, tag="group"):
    """What is to be written together: all of it, or nothing."""

    items: list[Entry | Draft]


class Opened(Struct, frozen=True, tag="opened"):
    """What a recorder says once the records are open."""

    notes: tuple[str, ...] = ()
    """What an operator should know of them, a sentence each."""


class CannotOpen(Struct, frozen=True, tag="cannot_open"):
    """What a recorder says that cannot begin."""

    sentence: str


class Condition(Struct, frozen=True, tag="condition"):
    """What a recorder says now and then: whether it can write."""

    trouble: Trouble | None


class Written(Struct, frozen=True, tag="written"):
    """What became of a group."""

    added: list[bool]
    """For each item whether it was added."""


class Failed(Struct, frozen=True, tag="failed"):
    """What became of a group that the database did not take."""

    cause: Cause


ToRecorder = Introduction | Group
FromRecorder = Opened | CannotOpen | Condition | Written | Failed


class ServiceCodec:
    """The codec of the service's side."""

    encode = msgpack.Encoder().encode
    decode = msgpack.Decoder(FromRecorder).decode


class RecorderCodec:
    """The codec of the recorder's side."""

    encode = msgpack.Encoder().encode
    decode = msgpack.Decoder(ToRecorder).decode
