"""Decodes text files written by other programs: byte order marks and UTF-16."""

import codecs

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def utf8(content: bytes) -> bytes:
    """Convert a text file's bytes to UTF-8 without a byte order mark.

    Args:
        content: UTF-8 with or without a byte order mark, or UTF-16 with one, as Windows programs
            write it.

    Raises:
        UnicodeDecodeError: the content begins with a UTF-16 mark but is not valid UTF-16.
    """
    if content.startswith(UTF16):
        return content.decode("utf-16").encode(errors="replace")
    return content.removeprefix(codecs.BOM_UTF8)
