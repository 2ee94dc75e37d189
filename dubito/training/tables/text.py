"""Text of a table: its encoding, and its records one by one, none of them long."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from dubito.errors import DataError
from dubito.training.tables.content import MIB, Content
from dubito.training.tables.kinds import LOOKED_AT, SAVE, refuse_foreign_text

MARKED = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte order mark"),
    # Before UTF-16, whose mark is how this one begins.
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
"""Byte order marks, Python's name of the encoding, and people's."""
UNMARKED = (("utf-8", "UTF-8"), ("cp949", "CP949"))

MOST_LETTERS = MIB
"""Characters of a record; more cannot be a row of a table."""
STATED = "sep="
"""How a first line begins that only states the separator, for Excel."""


@dataclass(frozen=True, slots=True)
class Text:
    """A table's text."""

    content: Content
    encoding: str
    told: str
    """The encoding, for people."""
    stated: str | None
    """The separator that the first line states, which is no record then."""

    def records(self, separator: str) -> Iterator[list[str]]:
        """The records, cut at `separator`, each as soon as it is read.

        Raises:
            DataError: quotes that do not match, or a record that is too long.
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
        """The text from its beginning; line ends stay as they are."""
        return io.TextIOWrapper(io.BytesIO(self.content.data), self.encoding, newline="")


class _Lines:
    """Lines of a text, as long as those of one record are not too long together."""

    def __init__(self, stream: io.TextIOWrapper, file: str) -> None:
        self._stream = stream
        self._file = file
        self.letters = 0
        """Since the record began."""

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


def read_text(content: Content) -> Text:
    """Find out the encoding.

    Raises:
        DataError: no text, or one of another kind than a table.
    """
    encoding, told = _encoding(content)
    text = Text(content, encoding, told, None)
    start = text.open().read(LOOKED_AT)
    refuse_foreign_text(start, content.file)
    first = start.splitlines()[0].strip().strip('"') if start.strip() else ""
    if first.lower().startswith(STATED) and len(first) == len(STATED) + 1:
        return Text(content, encoding, told, first[-1])
    # The tab of `sep=\t` is white space at the end of the line.
    if first.lower() == STATED and start[: len(STATED) + 1].endswith("\t"):
        return Text(content, encoding, told, "\t")
    return text


def _encoding(content: Content) -> tuple[str, str]:
    for mark, encoding, told in MARKED:
        if content.data.startswith(mark):
            if _decodes(content.data, encoding):
                return encoding, told
            raise DataError(f"{content.file} begins as {told} text, but does not go on so")
    if b"\0" in content.data:
        raise DataError(f"{content.file} is no text, or UTF-16 without a byte order mark: {SAVE}")
    for encoding, told in UNMARKED:
        if _decodes(content.data, encoding):
            return encoding, told
    raise DataError(f"{content.file} is neither UTF-8 nor CP949 text: {SAVE}")


def _decodes(data: bytes, encoding: str) -> bool:
    """Whether all of it is text in this encoding; it is not kept, as that would be large."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(data), MIB):
            decoder.decode(data[start : start + MIB])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
