"""What the pages of a Parquet file declare, read before any of them is unfolded.

A file's summary may say less than its pages unfold to; the reader believes the pages. Where they
stand is read here too, as pyarrow aborts the process where a summary contradicts itself. All are
structs in Thrift's compact protocol: a byte with the field's type and its distance from the
last field, then the value; numbers are zigzag varints.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

STOP, TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 11, 12
MOST_DEPTH = 8
MOST_PAGES = 200_000

ROW_GROUPS, COLUMNS, CHUNK = 4, 1, 3
"""Fields of the summary, of a row group, and of a column there."""
LENGTH, DATA, DICTIONARY = 7, 9, 11
"""Fields of a column's description: bytes as stored, and where its pages stand in the file."""
UNFOLDED, STORED = 2, 3
"""Fields of a page header: its size in bytes unfolded, and as it is stored."""
HEADERS = {5: 2, 7: 2, 8: 4}
"""Fields of a page header that hold a header for its kind, to the field of its encoding there."""
VALUES = 1
"""The field of such a header that has the number of values."""

NO_ENCODING = -1
GROWING = 7
"""DELTA_BYTE_ARRAY: a value names how much it shares with the one before, and may be large free."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one page declares."""

    unfolded: int
    """Bytes."""
    values: int
    encoding: int


def pages_of(data: bytes, column: int) -> Iterator[Page]:
    """All pages of a column, by its place among the columns that have values.

    Raises:
        ValueError: what stands there is no summary, or are no pages.
    """
    for start, length in _chunks(data, column):
        yield from _pages(data, start, length)


def _chunks(data: bytes, column: int) -> Iterator[tuple[int, int]]:
    """Where the parts of a column begin, and how many bytes they are long."""
    summary = _Compact(data, len(data) - 8 - int.from_bytes(data[-8:-4], "little"))
    try:
        for group in summary.struct()[ROW_GROUPS]:
            chunk = group[COLUMNS][column][CHUNK]
            starts = [_size(chunk, at) for at in (DATA, DICTIONARY) if at in chunk]
            # A dictionary stands before the data; 0 is where some writers have none.
            yield min(start for start in starts if start), _size(chunk, LENGTH)
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError from error


def _pages(data: bytes, start: int, length: int) -> Iterator[Page]:
    at, end = start, start + length
    if end > len(data):
        raise ValueError
    for _ in range(MOST_PAGES):
        if at >= end:
            return
        header = _Compact(data, at)
        fields = header.struct()
        yield Page(_size(fields, UNFOLDED), *_kind(fields))
        at = header.at + _size(fields, STORED)
    raise ValueError


def _kind(fields: dict[int, Any]) -> tuple[int, int]:
    """How many values a page has, and their encoding."""
    for field, encoding in HEADERS.items():
        inner = fields.get(field)
        if isinstance(inner, dict):
            return _size(inner, VALUES), _size(inner, encoding)
    return 0, NO_ENCODING


def _size(fields: dict[int, Any], field: int) -> int:
    """A field that must be there, and a number from 0 on."""
    value = fields.get(field)
    if not isinstance(value, int) or value < 0:
        raise ValueError
    return value


class _Compact:
    """Reads structs of the compact protocol; `at` is where the next byte stands."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields of a struct by their numbers."""
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
        # In a list a truth value has a byte of its own.
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
