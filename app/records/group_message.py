"""Groups of entries as a channel carries them and a journal keeps them, and what becomes of them.

A message to the recorder is a byte that tells its kind, its number (8 bytes, little-endian), and
MessagePack. A process can so journal a group without decoding it.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from msgspec import Raw, Struct, msgpack

from app.record_events import Draft, Entry
from app.record_ports import Trouble
from app.records.cause import Cause
from app.watched_bundle import WatchedBundle
from dubito.features import (
    BooleanFeature,
    CategoryFeature,
    FeatureKind,
    NumberFeature,
    TensorFeature,
)
from dubito.targets import ClassTarget, NumberTarget, Target
from dubito.types import Calibration, Identity, NumberCalibration, Signature

HEAD = struct.Struct("<BQ")
LENGTH = struct.Struct("<I")
"""Length that precedes each message in a frame of a journal."""


class Kind(IntEnum):
    """Kinds of messages to the recorder."""

    INTRODUCTION = 1
    """The bundles whose drafts follow."""
    QUIET = 2
    """A group whose sender waits until it is on the disk."""
    AWAITED = 3
    """A group whose sender waits for the database, which may refuse it."""
    SETTLE = 4
    """A request to be told when the tables have all that was sent before."""


class Group(NamedTuple):
    """A group of entries and drafts: all of them are written or none."""

    kind: Kind
    number: int
    items: list[Entry | Draft]


class Kept(Struct, frozen=True, tag="kept"):
    """All quiet groups up to a number are on the disk, except those that have failed."""

    number: int
    is_written: bool = False
    """Whether the tables have them too: without a journal they do."""


class Written(Struct, frozen=True, tag="written"):
    """The database has a group."""

    number: int
    added: list[bool]
    """Whether each item was added."""


class Failed(Struct, frozen=True, tag="failed"):
    """A group was not accepted, or the tables cannot be brought up to date."""

    number: int
    cause: Cause


class Settled(Struct, frozen=True, tag="settled"):
    """The tables have all that was sent before the request with this number."""

    number: int


class Condition(Struct, frozen=True, tag="condition"):
    """Periodic message: the reason why nothing can be written, or None."""

    trouble: Trouble | None


GroupOutcome = Kept | Written | Failed | Settled | Condition


class _Signature(Struct, frozen=True):
    """A signature whose features are not decoded yet: their kinds decide how.

    Journals of version 0.4 have `classes` where later ones have `target`.
    """

    features: tuple[Raw, ...]
    classes: tuple[str, ...] = ()
    target: Raw = Raw()


class _Introduced(Struct, frozen=True):
    """A bundle, as an introduction has it; its target decides how the calibration is decoded."""

    identity: Identity
    signature: _Signature
    calibration: Raw
    environment: str


class _Outline(Struct, frozen=True):
    """The member of a target that tells a number from classes."""

    head: str | None = None


class _Kind(Struct, frozen=True):
    """The kind of a feature."""

    kind: FeatureKind


_encoded = msgpack.Encoder().encode
_items: msgpack.Decoder[list[Entry | Draft]] = msgpack.Decoder(list[Entry | Draft])
_bundles = msgpack.Decoder(_Introduced | list[_Introduced])
_kind = msgpack.Decoder(_Kind)
_number = msgpack.Decoder(NumberFeature)
_outline = msgpack.Decoder(_Outline)
_class_target = msgpack.Decoder(ClassTarget)
_number_target = msgpack.Decoder(NumberTarget)
_class_calibration: msgpack.Decoder[Calibration | None] = msgpack.Decoder(Calibration | None)
_number_calibration: msgpack.Decoder[NumberCalibration | None] = msgpack.Decoder(
    NumberCalibration | None
)
_features: Mapping[FeatureKind, msgpack.Decoder[Any]] = {
    "integer": _number,
    "float": _number,
    "boolean": msgpack.Decoder(BooleanFeature),
    "category": msgpack.Decoder(CategoryFeature),
    "tensor": msgpack.Decoder(TensorFeature),
}


def encode_group(kind: Kind, number: int, items: Sequence[Entry | Draft]) -> bytes:
    """Return the message of a group."""
    return HEAD.pack(kind, number) + _encoded(items)


def encode_introduction(served: Sequence[WatchedBundle]) -> bytes:
    """Return the message that introduces the served bundles."""
    return HEAD.pack(Kind.INTRODUCTION, 0) + _encoded(served)


def encode_settle(number: int) -> bytes:
    """Return the message that asks for the tables to be brought up to date."""
    return HEAD.pack(Kind.SETTLE, number)


def head_of(message: bytes) -> tuple[Kind, int]:
    """Return the kind and the number of a message."""
    kind, number = HEAD.unpack_from(message)
    return Kind(kind), number


def decode_group(message: bytes) -> Group:
    """Return the group of a message.

    Raises:
        msgspec.DecodeError: the message was written by another version.
    """
    return Group(*head_of(message), _items.decode(memoryview(message)[HEAD.size :]))


def decode_introduction(message: bytes) -> list[WatchedBundle]:
    """Return the bundles that a message introduces; early journals have one that is in no list.

    Raises:
        msgspec.DecodeError: the message was written by another version.
    """
    found = _bundles.decode(memoryview(message)[HEAD.size :])
    return list(map(_watched, found if isinstance(found, list) else [found]))


def _watched(found: _Introduced) -> WatchedBundle:
    features = (
        _features[_kind.decode(each).kind].decode(each) for each in found.signature.features
    )
    target = _target(found.signature)
    calibration = (
        _number_calibration.decode(found.calibration)
        if isinstance(target, NumberTarget)
        else _class_calibration.decode(found.calibration)
    )
    signature = Signature(tuple(features), target)
    return WatchedBundle(found.identity, signature, calibration, found.environment)


def _target(signature: _Signature) -> Target:
    content = bytes(signature.target)
    if not content:
        return ClassTarget(signature.classes)
    is_number = _outline.decode(content).head is not None
    return _number_target.decode(content) if is_number else _class_target.decode(content)


def frame_content(messages: Sequence[bytes]) -> bytes:
    """Return the content of a journal's frame."""
    return b"".join(part for one in messages for part in (LENGTH.pack(len(one)), one))


def messages_in(content: bytes) -> Iterator[bytes]:
    """Yield the messages of a journal's frame."""
    at = 0
    while at < len(content):
        (length,) = LENGTH.unpack_from(content, at)
        at += LENGTH.size
        yield content[at : at + length]
        at += length
