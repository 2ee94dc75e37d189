"""Reads a text file of any size as pieces that hold whole records."""

import codecs
import gzip
import io
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO, Protocol, Self
from zipfile import BadZipFile, ZipFile

import numpy as np

from dubito.bundles.files import MIB
from dubito.errors import DataError
from dubito.scoring.chunk import CHUNK_ROWS, Chunk, ChunkPlace
from dubito.training.tables.content import Stream, name_of, table_member
from dubito.training.tables.kinds import ENDINGS, GZIP, PARQUET, UNPACK, ZIP, refuse_foreign_bytes

PIECE = MIB
"""Bytes that are read at a time."""
MOST_RECORD = 4 * MIB
"""Most bytes of a record: longer ones are not rows of a table."""
MOST_PIECE = 16 * MIB
"""Bytes of a piece above which it has no further record."""
LINE_END, QUOTE = 0x0A, 0x22
TEXTS = (*ENDINGS, ".ndjson", ".jsonl", ".json")
"""Suffixes of tables in a zip."""

WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks of encodings in which a line's end is not one byte. UTF-32 stands before UTF-16,
whose mark is a prefix of its own."""

_FAULTS = (BadZipFile, EOFError, NotImplementedError, RuntimeError, UnicodeError, zlib.error)


def opened(path: Path) -> BinaryIO:
    """Open a file.

    Raises:
        DataError: it cannot be read, or is not a regular file, which alone can be read again.
    """
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{name_of(path)} is not a regular file")
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{name_of(path)} cannot be read: {error.strerror}") from error


class Sized(Protocol):
    """What tells how much of a file was read."""

    def tell(self) -> int:
        """Return the position in bytes."""


class TextStream:
    """A text file that is read once, from its beginning, without its compression."""

    def __init__(self, path: Path, encoding: str | None, *, is_utf8: bool = False) -> None:
        """Open a file, plain or in a zip or gzip.

        Args:
            path: the file.
            encoding: encoding that a description declares; None if it declares none.
            is_utf8: whether pieces are in UTF-8 in any case.

        Raises:
            DataError: the file cannot be read, or is neither a text nor one in a zip or gzip.
        """
        self.name = name_of(path)
        with ExitStack() as stack:
            file = stack.enter_context(opened(path))
            self._file: Sized = file
            self.packing = ""
            """Compression, and the name of the file in a zip, for people; empty without one."""
            self.size = path.stat().st_size
            """Bytes of the file, compressed as it is."""
            self._stream = Peeked(self._unfolded(file, stack), self.name)
            self._decoder = self._decoding(self._stream.start, encoding, is_utf8=is_utf8)
            self.is_recoded = self._decoder is not None
            """Whether the pieces are in UTF-8, not in the encoding of the file."""
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        """Keep the file open for the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._stack.close()

    @property
    def position(self) -> int:
        """Number of the file's bytes that were read."""
        return self._file.tell()

    def read(self, size: int = PIECE, /) -> bytes:
        """Read the next bytes, empty only at the end.

        Raises:
            DataError: the file is damaged.
        """
        try:
            while piece := self._stream.read(size):
                if self._decoder is None:
                    return piece
                if text := self._decoder.decode(piece):
                    return text.encode()
            if self._decoder is not None:
                return self._decoder.decode(b"", final=True).encode()
        except OSError as error:
            raise DataError(f"{self.name} cannot be read to its end") from error
        except _FAULTS as error:
            raise DataError(f"{self.name} is damaged, or is not what it begins as") from error
        return b""

    def _unfolded(self, file: BinaryIO, stack: ExitStack) -> Stream:
        """Remove the compression, and put back what shows it."""
        start = file.read(PIECE)
        file.seek(0)
        refuse_foreign_bytes(start, self.name)
        if start.startswith(ZIP):
            return self._member(file, stack)
        if start.startswith(GZIP):
            self.packing = "gzip"
            return stack.enter_context(gzip.GzipFile(fileobj=file))
        return file

    def _member(self, file: BinaryIO, stack: ExitStack) -> Stream:
        try:
            archive = stack.enter_context(ZipFile(file))
            member = table_member(archive, self.name, TEXTS)
            self.packing = f"{name_of(Path(member.filename))} in a zip"
            return stack.enter_context(archive.open(member))
        except (*_FAULTS, OSError) as error:
            raise DataError(f"{self.name} is not a whole zip") from error

    def _decoding(
        self, start: bytes, declared: str | None, *, is_utf8: bool
    ) -> codecs.IncrementalDecoder | None:
        """Return what decodes an encoding whose line ends are not one byte; None of others."""
        refuse_foreign_bytes(start, self.name)
        if start.startswith((*ZIP, GZIP, PARQUET)):
            raise DataError(f"{self.name} holds another archive or Parquet: {UNPACK}")
        marked = next((name for mark, name in WIDE if start.startswith(mark)), None)
        is_wide = is_utf8 or (declared or "").startswith(("utf-16", "utf-32"))
        wide = marked or (declared if is_wide else None)
        return None if wide is None else codecs.getincrementaldecoder(wide)()


class Peeked:
    """A stream whose first bytes are known before they are read."""

    def __init__(self, stream: Stream, file: str) -> None:
        """Read the first bytes.

        Raises:
            DataError: `file` is damaged.
        """
        self._stream = stream
        try:
            self.start = stream.read(PIECE)
        except (*_FAULTS, OSError) as error:
            raise DataError(f"{file} is damaged: its beginning cannot be read") from error
        self._rest = io.BytesIO(self.start)

    def read(self, size: int, /) -> bytes:
        """Read the next bytes, at most `size`; empty at the end."""
        return self._rest.read(size) or self._stream.read(size)


class Records:
    """Whole records of a stream, in pieces of a given number of them."""

    def __init__(self, stream: Stream, file: str, *, has_quotes: bool) -> None:
        """Take a stream of a text in which a line's end is one byte.

        Args:
            stream: the text.
            file: its name, for messages.
            has_quotes: whether a line's end between quotes does not end a record.
        """
        self._stream = stream
        self._file = file
        self._has_quotes = has_quotes
        self._pieces: list[bytes] = []
        """Bytes that were read and not returned."""
        self._ends: list[int] = []
        """Ends of the records in it: the numbers of bytes up to each of them."""
        self._length = 0
        self._is_quoted = 0
        self._is_over = False

    def next(self, most: int) -> tuple[bytes, int]:
        """Return the next records, at most `most`, and their number; nothing at the end.

        There are fewer if they would have more than `MOST_PIECE` bytes together.

        Raises:
            DataError: a record is too long.
        """
        while not self._is_over and not self._is_enough(most):
            self._read()
        within = bisect_right(self._ends, MOST_PIECE)
        count = min(most, len(self._ends), max(1, within))
        if not count:
            return b"", 0
        end = self._ends[count - 1]
        whole = b"".join(self._pieces)
        self._pieces, self._length = [whole[end:]], len(whole) - end
        self._ends = [each - end for each in self._ends[count:]]
        return whole[:end], count

    def _is_enough(self, most: int) -> bool:
        return len(self._ends) >= most or bool(self._ends and self._ends[-1] > MOST_PIECE)

    def _read(self) -> None:
        piece = self._stream.read(PIECE)
        if not piece:
            self._is_over = True
            if self._length > (self._ends[-1] if self._ends else 0):
                # The last record has no line's end.
                self._ends.append(self._length)
            return
        letters = np.frombuffer(piece, np.uint8)
        ends = np.flatnonzero(letters == LINE_END)
        if self._has_quotes:
            quotes = np.cumsum(letters == QUOTE) + self._is_quoted
            ends = ends[quotes[ends] % 2 == 0]
            self._is_quoted = int(quotes[-1]) % 2
        self._ends += (ends + self._length + 1).tolist()
        self._pieces.append(piece)
        self._length += len(piece)
        if self._length - (self._ends[-1] if self._ends else 0) > MOST_RECORD:
            raise DataError(f"{self._file} has a row of more than {MOST_RECORD:,} bytes")


@dataclass(frozen=True, slots=True)
class TextChunks:
    """The chunks of a text of records."""

    path: Path
    encoding: str | None
    """Encoding that a description declares; None if it declares none."""
    lead: int
    """Number of records before the first row."""
    has_quotes: bool = False
    """Whether a line's end between quotes does not end a record."""
    is_utf8: bool = False
    """Whether the records are in UTF-8 in any case."""

    def each(self, tell: Callable[[float], None]) -> Iterator[Chunk]:
        """Yield all chunks, and tell which share of the file was read.

        Raises:
            DataError: the file is damaged, or a record is too long.
        """
        with self._stream() as stream:
            records = Records(stream, stream.name, has_quotes=self.has_quotes)
            lead, _ = records.next(self.lead)
            first, start = 1, len(lead)
            for index in count():
                content, rows = records.next(CHUNK_ROWS)
                if not rows:
                    return
                tell(stream.position / stream.size)
                size = len(content)
                yield Chunk(index, first, rows, start, size, content)
                first, start = first + rows, start + size

    def at(self, place: ChunkPlace) -> Chunk:
        """Read a chunk again.

        Raises:
            DataError: the file is packed, or in an encoding whose line ends are not one byte.
        """
        with self._stream() as stream:
            if stream.packing or stream.is_recoded:
                raise DataError(f"{stream.name} cannot be read in several places: {UNPACK}")
        with opened(self.path) as file:
            file.seek(place.start)
            content = file.read(place.size)
        return Chunk(place.index, place.first, place.rows, place.start, place.size, content)

    def _stream(self) -> TextStream:
        return TextStream(self.path, self.encoding, is_utf8=self.is_utf8)
