"""Parses the page headers of a Parquet file, to bound its decompressed size before reading it.

A file's metadata may declare less than its pages decompress to, and pyarrow believes the pages.
Their positions are parsed here too, because pyarrow aborts the process on contradictory metadata.
All are structs in Thrift's compact protocol: a byte with the field's type and its distance from
the last field, then the value; numbers are zigzag varints.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

STOP, TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 11, 12
MOST_DEPTH = 8
MOST_PAGES = 200_000

ROW_GROUPS, COLUMNS, CHUNK = 4, 1, 3
"""Field numbers of the row groups in the metadata, of the columns in a row group, and of the
description in a column."""
LENGTH, DATA, DICTIONARY = 7, 9, 11
"""Field numbers in a column's description: size of its pages in compressed bytes, and positions in
the file of its first data page and of its dictionary."""
UNFOLDED, STORED = 2, 3
"""Field numbers in a page header: size in bytes decompressed, and as stored."""
HEADERS = {5: 2, 7: 2, 8: 4}
"""Field numbers in a page header of the headers by kind of page, each with the field number of the
encoding in it."""
VALUES = 1
"""Field number, in a header by kind of page, of the number of values."""

NO_ENCODING = -1
GROWING = 7
"""Encoding DELTA_BYTE_ARRAY: a value repeats a prefix of the one before at no cost, so that its
decompressed size is not bounded by the page's."""


@dataclass(frozen=True, slots=True)
class PageSizes:
    """Sizes that one page's header declares."""

    unfolded: int
    """Decompressed size in bytes."""
    values: int
    encoding: int


def pages_of(data: bytes, column: int) -> Iterator[PageSizes]:
    """Yield all pages of a column, given its position among the columns that have values.

    Raises:
        ValueError: the metadata or the page headers are invalid.
    """
    for start, length in _chunks(data, column):
        yield from _pages(data, start, length)


def _chunks(data: bytes, column: int) -> Iterator[tuple[int, int]]:
    """Yield the position and the size in bytes of each of a column's chunks."""
    summary = _Compact(data, len(data) - 8 - int.from_bytes(data[-8:-4], "little"))
    try:
        for group in summary.struct()[ROW_GROUPS]:
            chunk = group[COLUMNS][column][CHUNK]
            starts = [_size(chunk, at) for at in (DATA, DICTIONARY) if at in chunk]
            # The dictionary precedes the data; some writers give position 0 for no dictionary.
            yield min(start for start in starts if start), _size(chunk, LENGTH)
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError from error


def _pages(data: bytes, start: int, length: int) -> Iterator[PageSizes]:
    at, end = start, start + length
    if end > len(data):
        raise ValueError
    for _ in range(MOST_PAGES):
        if at >= end:
            return
        header = _Compact(data, at)
        fields = header.struct()
        yield PageSizes(_size(fields, UNFOLDED), *_kind(fields))
        at = header.at + _size(fields, STORED)
    raise ValueError


def _kind(fields: dict[int, Any]) -> tuple[int, int]:
    """Return the number of values of a page, and their encoding."""
    for field, encoding in HEADERS.items():
        inner = fields.get(field)
        if isinstance(inner, dict):
            return _size(inner, VALUES), _size(inner, encoding)
    return 0, NO_ENCODING


def _size(fields: dict[int, Any], field: int) -> int:
    """Return a required field that is a non-negative integer."""
    value = fields.get(field)
    if not isinstance(value, int) or value < 0:
        raise ValueError
    return value


class _Compact:
    """Parser of structs in the compact protocol; `at` is the position of the next byte."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Parse a struct to its fields, by number."""
        fields: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._number()
            fields[number] = self._value(kind & 0x0F, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if depth > MOST_DEPTH:
            raise ValueError
        if kind in (TRUE, FALSE):
            return kind == TRUE
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind in (LIST, SET):
            return self._list(depth + 1)
        simple: dict[int, Callable[[], Any]] = {
            BYTE: self._byte,
            DOUBLE: lambda: self._bytes(8),
            BINARY: lambda: self._bytes(self._varint()),
        }
        if kind in (MAP, STOP) or kind > STRUCT:
            raise ValueError
        return simple.get(kind, self._number)()

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        length = head >> 4 if head >> 4 < 15 else self._varint()
        if length > len(self.data) - self.at:
            raise ValueError
        kind = head & 0x0F
        # A boolean field has its value in the type, but a boolean in a list has its own byte.
        kind = BYTE if kind in (TRUE, FALSE) else kind
        return [self._value(kind, depth) for _ in range(length)]

    def _number(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, length: int) -> bytes:
        piece = self.data[self.at : self.at + length]
        if len(piece) != length:
            raise ValueError
        self.at += length
        return piece
