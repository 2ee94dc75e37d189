"""Reads a CSV of any size: its form from the first rows, then chunks of whole records."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dubito.errors import DataError
from dubito.notation import FileNotation
from dubito.scoring.chunk import Chunk
from dubito.scoring.rows import Keyed, Reasons, TableRows, TruthReader, read_features
from dubito.scoring.selection import TableSelection
from dubito.scoring.text_stream import Records, TextChunks, TextStream
from dubito.targets import Target
from dubito.training.tables.content import TableBytes
from dubito.training.tables.decimals import COMMA, POINT
from dubito.training.tables.dialect import is_empty
from dubito.training.tables.sheet import CsvForm, csv_form
from dubito.types import Signature

SAMPLED = 10_000
"""Rows from which the form is read; later rows that are written in another way are rejected."""
UNCUT = "has quotes inside values that are not quoted, or ends of lines of several kinds"
WRONG_WIDTH = "has another number of columns than the header"
UNDECIDED = "?"
"""Text in place of a number that is not written as those of the first rows: it is no number."""


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A CSV with a column for each feature."""

    path: Path
    declared: FileNotation
    form: CsvForm
    selection: TableSelection

    @classmethod
    def of(cls, path: Path, declared: FileNotation, selection: TableSelection) -> "CsvTable":
        """Find the form and the columns of a file.

        Raises:
            DataError: the file cannot be read, is not a CSV, or lacks a column.
        """
        with TextStream(path, declared.encoding) as stream:
            content, count = Records(stream, stream.name, has_quotes=True).next(SAMPLED)
            sample = TableBytes(content, stream.name, stream.packing)
            told = FileNotation("utf-8", declared.separator) if stream.is_recoded else declared
        form = csv_form(sample, selection.wanted, told)
        if form.records != count:
            raise DataError(f"{stream.name} {UNCUT}")
        return cls(path, declared, form, selection)

    @property
    def header(self) -> tuple[str, ...]:
        """Names of all columns."""
        return self.form.header

    @property
    def told(self) -> str:
        """The form, for people."""
        return self.form.told

    @property
    def chunks(self) -> TextChunks:
        """The chunks of all rows."""
        return TextChunks(self.path, self.declared.encoding, self.form.lead, has_quotes=True)

    def reader(self, signature: Signature) -> "CsvReader":
        """Return what reads a chunk's rows."""
        return CsvReader(self.form, self.selection, signature.target)


class CsvReader:
    """Reads the rows of chunks of a CSV."""

    def __init__(self, form: CsvForm, selection: TableSelection, target: Target) -> None:
        """Take the form and the columns of the CSV, and what the bundle predicts."""
        self._form = form
        self._selection = selection
        self._is_numeric = [one.is_numeric for one in selection.wanted]
        truth = selection.truth
        self._truth = None if truth is None else TruthReader(target, truth)

    def read(self, chunk: Chunk) -> TableRows:
        """Read rows.

        Raises:
            DataError: the text cannot be decoded, or its quotes do not match.
        """
        records = self._records(chunk)
        places = [at for at, cells in enumerate(records) if not is_empty(cells)]
        width = len(self._form.header)
        narrow = [at for at in places if len(records[at]) != width]
        whole = [at for at in places if len(records[at]) == width]
        block = [self._cells(records, whole, at) for at in range(len(self._form.at))]
        features, key, truth = self._selection.parts(block)
        found, reasons = read_features(self._selection.features, features, len(whole))
        # What has another width has no cells, and its key is not known.
        first = chunk.first
        rows = Keyed(
            [first + at for at in whole],
            key,
            found,
            None if truth is None or self._truth is None else self._truth.read(truth),
            reasons,
            len(records) - len(places),
        ).rows()
        wrong: Reasons = {first + at: WRONG_WIDTH for at in narrow}
        return replace(rows, reasons=dict(sorted({**rows.reasons, **wrong}.items())))

    def _records(self, chunk: Chunk) -> list[list[str]]:
        last = chunk.first + chunk.rows - 1
        where = f"rows {chunk.first:,} to {last:,}"
        try:
            text = chunk.content.decode(self._form.encoding)
        except UnicodeDecodeError:
            raise DataError(f"{where} are not {self._form.encoding} text: declare it") from None
        lines = io.StringIO(text, newline="")
        separator = self._form.separator
        reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
        try:
            records = list(reader)
        except csv.Error as error:
            raise DataError(f"{where} are not CSV: {error}") from None
        if len(records) != chunk.rows:
            raise DataError(f"{where}: the file {UNCUT}")
        return records

    def _cells(self, records: Sequence[list[str]], rows: Sequence[int], column: int) -> list[str]:
        place = self._form.at[column]
        cells = [records[row][place] for row in rows]
        if self._is_numeric[column] and self._form.mark == COMMA:
            return [UNDECIDED if POINT in cell else cell.replace(COMMA, POINT) for cell in cells]
        return cells
