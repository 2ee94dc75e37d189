"""Text files as people's programs write them: some begin with a byte order mark."""

import codecs

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def utf8(content: bytes) -> bytes:
    """A text in UTF-8 without a byte order mark.

    Args:
        content: UTF-8 with a mark or without, or UTF-16 with one, as Windows programs write it.

    Raises:
        UnicodeDecodeError: it begins as UTF-16 and does not go on so.
    """
    if content.startswith(UTF16):
        return content.decode("utf-16").encode(errors="replace")
    return content.removeprefix(codecs.BOM_UTF8)
