"""Decodes a CSV: detects its encoding and yields its records, each of bounded length."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from dubito.bundles.files import MIB
from dubito.errors import DataError
from dubito.notation import FileNotation
from dubito.training.tables.content import TableBytes
from dubito.training.tables.kinds import SAMPLED_CELLS, SAVE, refuse_foreign_text

MARKED = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte order mark"),
    # Before UTF-16, whose mark is a prefix of this one.
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
"""Byte order marks, each with Python's name of the encoding and its name in messages."""
UNMARKED = (("utf-8", "UTF-8"), ("cp949", "CP949"))

MOST_LETTERS = MIB
"""Largest number of characters of a record; longer records are not rows of a table."""
STATED = "sep="
"""Prefix of a first line that only states the separator, as Excel understands."""


@dataclass(frozen=True, slots=True)
class Text:
    """Undecoded bytes of a CSV with their encoding."""

    content: TableBytes
    encoding: str
    told: str
    """Name of the encoding in messages."""
    stated: str | None
    """Separator that the first line states, which then is not a record; None if it states none."""
    declared: str | None = None
    """Separator that a description declares; None if it declares none."""

    def records(self, separator: str) -> Iterator[list[str]]:
        """Yield the records, split at `separator`, without reading ahead.

        Raises:
            DataError: quotes do not match, or a record is too long.
        """
        lines = _Lines(self.open(), self.content.file)
        if self.stated is not None:
            next(lines)
        reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
        try:
            for cells in reader:
                lines.letters = 0
                yield cells
        except csv.Error as error:
            number = reader.line_num + (self.stated is not None)
            raise DataError(f"{self.content.file} is not a CSV: line {number}: {error}") from error

    def open(self) -> io.TextIOWrapper:
        """Open the text at its beginning, with line ends unchanged."""
        return io.TextIOWrapper(io.BytesIO(self.content.data), self.encoding, newline="")


class _Lines:
    """Iterator over the lines of a text that limits the length of each record."""

    def __init__(self, stream: io.TextIOWrapper, file: str) -> None:
        self._stream = stream
        self._file = file
        self.letters = 0
        """Number of characters since the record began."""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._stream.readline(MOST_LETTERS + 1)
        self.letters += len(line)
        if self.letters > MOST_LETTERS:
            raise DataError(f"{self._file} has a row of more than {MOST_LETTERS:,} characters")
        if not line:
            raise StopIteration
        return line


def read_text(content: TableBytes, declared: FileNotation) -> Text:
    """Detect the encoding and a stated separator, unless they are declared.

    Raises:
        DataError: the bytes are not text, or the text is not a table.
    """
    encoding, told = _declared(content, declared.encoding) or _encoding(content)
    text = Text(content, encoding, told, None, declared.separator)
    start = text.open().read(SAMPLED_CELLS)
    refuse_foreign_text(start, content.file)
    first = start.splitlines()[0].strip().strip('"') if start.strip() else ""
    if first.lower().startswith(STATED) and len(first) == len(STATED) + 1:
        return Text(content, encoding, told, first[-1], declared.separator)
    # A separate case, because `strip` removed the tab of `sep=\t`.
    if first.lower() == STATED and start[: len(STATED) + 1].endswith("\t"):
        return Text(content, encoding, told, "\t", declared.separator)
    return text


def _declared(content: TableBytes, encoding: str | None) -> tuple[str, str] | None:
    """Return the declared encoding; that of a byte order mark, if it agrees with that."""
    if encoding is None or any(content.data.startswith(mark) for mark, _, _ in MARKED):
        return None
    if not _decodes(content.data, encoding):
        raise DataError(f"{content.file} is not {encoding} text, as its description declares")
    return encoding, encoding.upper()


def _encoding(content: TableBytes) -> tuple[str, str]:
    for mark, encoding, told in MARKED:
        if content.data.startswith(mark):
            if _decodes(content.data, encoding):
                return encoding, told
            raise DataError(f"{content.file} begins as {told} text, but cannot be decoded as such")
    if b"\0" in content.data:
        raise DataError(f"{content.file} is no text, or UTF-16 without a byte order mark: {SAVE}")
    for encoding, told in UNMARKED:
        if _decodes(content.data, encoding):
            return encoding, told
    raise DataError(f"{content.file} is neither UTF-8 nor CP949 text: {SAVE}")


def _decodes(data: bytes, encoding: str) -> bool:
    """Whether all bytes are text in an encoding; decoded in pieces to save memory."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(data), MIB):
            decoder.decode(data[start : start + MIB])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
