"""Messages between a service and its recorder process, see `app.records.group_message`."""

from msgspec import Struct, msgpack

from app.records.group_message import GroupOutcome


class RecordsOpened(Struct, frozen=True, tag="opened"):
    """First message of a recorder that has opened the records."""

    notes: tuple[str, ...] = ()
    """Warnings for an operator, one sentence each."""


class CannotOpen(Struct, frozen=True, tag="cannot_open"):
    """First message of a recorder that cannot open the records."""

    sentence: str


FromRecorder = RecordsOpened | CannotOpen | GroupOutcome


class ServiceCodec:
    """Codec of the service's side: its messages are encoded already."""

    decode = msgpack.Decoder(FromRecorder).decode

    @staticmethod
    def encode(message: bytes) -> bytes:
        """Return the message."""
        return message


class RecorderCodec:
    """Codec of the recorder's side, which keeps the service's messages as they are."""

    encode = msgpack.Encoder().encode

    @staticmethod
    def decode(content: bytes) -> bytes:
        """Return the message."""
        return content
