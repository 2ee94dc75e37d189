"""The hash chain: events linked by HMAC-SHA-256 (RFC 2104, FIPS 198-1).

A link covers an event and the link before it, so that nobody without the key can change, drop or
reorder events unnoticed. An event's personal part is covered by a salted digest only: features and
salt can be erased, and the chain still verifies.
"""

import hashlib
import hmac
import os
from functools import lru_cache
from typing import NamedTuple

from app.record_events import Event

SALT_BYTES = 16


class Seal(NamedTuple):
    """Position, salt, digest and link of an event in its chain."""

    sequence: int
    """Position in the chain, counted from 1."""
    salt: bytes | None
    digest: bytes | None
    """SHA-256 of the salt followed by the personal part; None without a personal part."""
    link: bytes


class ChainHead(NamedTuple):
    """The last position and link of a chain."""

    chain: str
    sequence: int
    link: bytes


def genesis(key: bytes, chain: str, started: int, heads: str) -> bytes:
    """Return the link before the first event, which covers the heads of all earlier chains.

    Args:
        key: HMAC key of the records.
        chain: identifier of the new chain.
        started: microseconds since 1970, UTC.
        heads: JSON list of the heads of earlier chains.
    """
    return _mac(key, b"chain", chain.encode(), b"%d" % started, heads.encode())


def salts(count: int) -> list[bytes]:
    """Return `count` random salts of `SALT_BYTES` bytes, drawn in one system call."""
    drawn = os.urandom(SALT_BYTES * count)
    return [drawn[at : at + SALT_BYTES] for at in range(0, len(drawn), SALT_BYTES)]


def sealed(key: bytes, head: ChainHead, event: Event, salt: bytes) -> Seal:
    """Return the seal of the event after a head; the salt is used for a personal part only."""
    if event.personal is None:
        return Seal(head.sequence + 1, None, None, link_of(key, head, event, None))
    digest = personal_digest(salt, event.personal)
    return Seal(head.sequence + 1, salt, digest, link_of(key, head, event, digest))


def link_of(key: bytes, head: ChainHead, event: Event, digest: bytes | None) -> bytes:
    """Return the link of the event after a head; `digest` covers its personal part, if any."""
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


def personal_digest(salt: bytes, personal: bytes) -> bytes:
    """Return the SHA-256 of a salt and a personal part."""
    return hashlib.sha256(salt + personal).digest()


def _mac(key: bytes, *parts: bytes) -> bytes:
    """Return the HMAC of parts, each preceded by its length so that parts cannot run together."""
    # `hmac.digest` would release the interpreter lock, which the event loop is slow to return.
    found = _keyed(key).copy()
    found.update(b"".join([len(part).to_bytes(4, "big") + part for part in parts]))
    return found.digest()


@lru_cache(8)
def _keyed(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")
