"""Parses the headers by which a client names its case and its request."""

import hashlib
import re
from urllib.parse import unquote_to_bytes

from fastapi import Request

from app.usecases.idempotency import MOST_CHARACTERS, RequestName
from dubito.errors import Fault, FieldCode, InvalidInput

REFERENCE, KEY = b"dubito-reference", b"idempotency-key"
"""Header names in lower case, as ASGI has them."""
EXTENDED = b"utf-8''"
"""Prefix of a value in RFC 8187's form, compared without regard to case."""
VALUE = re.compile(r"(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9!#$&+.^_`|~-])+", re.ASCII)
"""Pattern of `value-chars` (RFC 8187 §3.2.1)."""


def request_name(request: Request, body: bytes) -> RequestName:
    """Read the names in a request's headers, and with a key also hash path, query and body.

    Raises:
        InvalidInput: a header is too long or not printable.
    """
    reference = key = None
    scope = request.scope
    for name, value in scope["headers"]:
        if name == REFERENCE:
            reference = reference or _reference(name, value)
        elif name == KEY:
            key = key or _text(name, value)
    if key is None:
        return RequestName(reference)
    asked = b"\0".join((scope["path"].encode(), scope["query_string"], body))
    return RequestName(reference, key, hashlib.sha256(asked).digest())


def _reference(name: bytes, value: bytes) -> str:
    """Parse a reference; characters beyond ASCII use RFC 8187's form without a language."""
    if value[: len(EXTENDED)].lower() != EXTENDED:
        return _text(name, value)
    encoded = value[len(EXTENDED) :].decode("latin-1")
    try:
        text = unquote_to_bytes(encoded).decode() if VALUE.fullmatch(encoded) else ""
    except UnicodeDecodeError:
        text = ""
    if not (0 < len(text) <= MOST_CHARACTERS and text.isprintable()):
        raise _unprintable(name, "printable characters, percent-encoded UTF-8")
    return text


def _text(name: bytes, value: bytes) -> str:
    text = value.decode("latin-1")
    if not (0 < len(text) <= MOST_CHARACTERS and text.isascii() and text.isprintable()):
        raise _unprintable(name, "printable ASCII characters")
    return text


def _unprintable(name: bytes, what: str) -> InvalidInput:
    """Create the error for a header that is not printable or has the wrong length."""
    most = MOST_CHARACTERS
    message = f"must be 1 to {most} {what}"
    where = (name.decode(),)
    return InvalidInput([Fault(where, FieldCode.NOT_PRINTABLE, message, minimum=1, maximum=most)])
