"""The chain: events linked by HMAC-SHA-256 (RFC 2104, FIPS 198-1).

A link covers an event and the link before it, so that nobody without the key can change, drop or
reorder events unseen. Of what is personal it covers a salted digest: features and salt can be
erased, and the chain still verifies.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass
from functools import lru_cache

from app.record_events import Event

SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Seal:
    """What an event has in its chain."""

    sequence: int
    """From 1 on."""
    salt: bytes | None
    digest: bytes | None
    """SHA-256 of salt and personal part."""
    link: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain has come to."""

    chain: str
    sequence: int
    link: bytes


def genesis(key: bytes, chain: str, started: int, heads: str) -> bytes:
    """The link before the first event, which covers where the chains before it had come to.

    Args:
        key: of the records.
        chain: identifier of the chain.
        started: microseconds since 1970, UTC.
        heads: of the chains before, as JSON.
    """
    return _mac(key, b"chain", chain.encode(), b"%d" % started, heads.encode())


def salts(count: int) -> list[bytes]:
    """Random bytes for so many events, drawn at once."""
    drawn = os.urandom(SALT_BYTES * count)
    return [drawn[at : at + SALT_BYTES] for at in range(0, len(drawn), SALT_BYTES)]


def sealed(key: bytes, head: Head, event: Event, salt: bytes) -> Seal:
    """What an event gets that follows a head; the salt only where something is personal."""
    if event.personal is None:
        return Seal(head.sequence + 1, None, None, link_of(key, head, event, None))
    digest = digest_of(salt, event.personal)
    return Seal(head.sequence + 1, salt, digest, link_of(key, head, event, digest))


def link_of(key: bytes, head: Head, event: Event, digest: bytes | None) -> bytes:
    """The link of an event that follows a head, whose personal part has a digest if it had any."""
    return _mac(
        key,
        head.chain.encode(),
        b"%d" % (head.sequence + 1),
        event.kind.encode(),
        event.prediction.encode(),
        b"%d" % event.time,
        hashlib.sha256(event.body).digest(),
        digest or b"",
        head.link,
    )


def digest_of(salt: bytes, personal: bytes) -> bytes:
    """The salted digest of a personal part."""
    return hashlib.sha256(salt + personal).digest()


def _mac(key: bytes, *parts: bytes) -> bytes:
    """HMAC of parts, each with its length before it, so that none can run into the next."""
    # Unlike `hmac.digest` this keeps the interpreter, which the event loop would not give back.
    found = _keyed(key).copy()
    found.update(b"".join([len(part).to_bytes(4, "big") + part for part in parts]))
    return found.digest()


@lru_cache(8)
def _keyed(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")
