"""A canary: another version of a model that answers a share of its requests."""

import hmac
from collections.abc import Callable
from hashlib import sha256

NUMBERS = 2**64
"""Count of the equally likely numbers that a request may get."""


class Canary:
    """Chooses the requests that the other version answers.

    A request is chosen by its reference, so that a case is always answered by the same version; one
    without reference by its body. The key keeps clients from choosing a version.
    """

    def __init__(self, share: float, key: bytes, is_well: Callable[[], bool]) -> None:
        """Set what chooses.

        Args:
            share: part of the requests that the other version answers.
            key: secret that all workers have in common.
            is_well: whether the other version can answer; the served one does otherwise.
        """
        self.share = share
        """Part of the requests that the other version answers; of a growing share, those of a
        smaller one stay."""
        self._limit = int(share * NUMBERS)
        self._key = key
        self._is_well = is_well
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether it was ended, and answers nothing any more."""
        return self._is_over

    def end(self) -> None:
        """Choose no request any more."""
        self._is_over = True

    def takes(self, reference: str | None, body: bytes) -> bool:
        """Whether the other version answers a request.

        Args:
            reference: the client's name of the case.
            body: the whole body, which is not looked at if there is a reference.
        """
        if self._is_over or not self._is_well():
            return False
        # The first byte tells a body from a reference with the same bytes.
        named = b"\1" + body if reference is None else b"\0" + reference.encode()
        number = hmac.digest(self._key, named, "sha256")[:8]
        return int.from_bytes(number, "big") < self._limit


def canary_key(secret: bytes, name: str, digest: str) -> bytes:
    """Derive the key of a model's canary, so that the next one takes other cases.

    Args:
        secret: a secret of the service, 32 bytes.
        name: name of the model.
        digest: digest of the canary's bundle.
    """
    return hmac.digest(secret, f"canary\0{name}\0{digest}".encode(), sha256)
