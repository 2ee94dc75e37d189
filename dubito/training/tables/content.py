"""The bytes of a table: a file's own, or unfolded from a zip or gzip, up to a stated size."""

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from dubito.errors import DataError
from dubito.training.tables.kinds import GZIP, UNPACK, ZIP, refuse_document

MIB = 2**20
MOST_BYTES = 256 * MIB
"""Size of a table, as a file and unfolded, in bytes."""
MOST_MEMBERS = 10_000
"""Files in a zip."""
PIECE = MIB
"""Bytes that are unfolded at a time."""

MEMBER = "train.csv"
"""The file that is read from a zip of several, in whatever folder it lies."""
ENDINGS = (".csv", ".tsv", ".txt", ".parquet")
"""What a single other file of a zip may be called."""
ENCRYPTED = 0x1

# All that `zipfile` was seen to raise for damaged archives.
_ZIP_FAULTS = (BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)


@dataclass(frozen=True, slots=True)
class Content:
    """What a table is read from."""

    data: bytes
    file: str
    """The file's name, for sentences."""
    packing: str = ""
    """What it was unfolded from, for sentences; empty for a file of its own."""


class Stream(Protocol):
    """Where bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""


def read_content(path: Path) -> bytes:
    """The bytes of a file, or of a pipe.

    Raises:
        DataError: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            return bounded(file, name_of(path))
    except IsADirectoryError as error:
        raise DataError(f"{name_of(path)} is a folder: name a file in it") from error
    except OSError as error:
        raise DataError(f"{name_of(path)} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError("that file name cannot be read") from error


def name_of(path: Path) -> str:
    """The name of a file as text that can be written anywhere."""
    return _printable(path.name or str(path))


def _printable(name: str) -> str:
    """A name without what steers a terminal, ends the line, or is no character."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def bounded(stream: Stream, file: str) -> bytes:
    """All that a stream has.

    Raises:
        DataError: more than `MOST_BYTES`; no more than that was unfolded.
    """
    whole = io.BytesIO()
    while piece := stream.read(PIECE):
        whole.write(piece)
        if whole.tell() > MOST_BYTES:
            raise too_large(file)
    return whole.getvalue()


def too_large(file: str) -> DataError:
    """What is said of a table above `MOST_BYTES`."""
    limit = MOST_BYTES // MIB
    return DataError(f"{file} has more than {limit} MiB unfolded: leave out columns or rows")


def unfold(data: bytes, file: str) -> Content:
    """What a file holds, taken out of a zip or gzip.

    Raises:
        DataError: it is damaged, too large, or holds no table or several.
    """
    if data.startswith(ZIP):
        found = _from_zip(data, file)
    elif data.startswith(GZIP):
        found = Content(_from_gzip(data, file), file, "gzip")
    else:
        return Content(data, file)
    if found.data.startswith((*ZIP, GZIP)):
        raise DataError(f"{file} holds another archive: {UNPACK}")
    return found


def _from_gzip(data: bytes, file: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return bounded(stream, file)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{file} is not a whole gzip file") from error


def _from_zip(data: bytes, file: str) -> Content:
    if data.count(b"PK\x01\x02") > MOST_MEMBERS:
        raise DataError(f"{file} holds more than {MOST_MEMBERS:,} files")
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            member = _member(archive, file)
            with archive.open(member) as stream:
                return Content(
                    bounded(stream, file), file, f"{_printable(_base(member.filename))} in a zip"
                )
    except (*_ZIP_FAULTS, zlib.error) as error:
        raise DataError(f"{file} is not a whole zip") from error


def _member(archive: ZipFile, file: str) -> ZipInfo:
    """The one file to read, checked by what it declares."""
    refuse_document(archive.namelist(), file)
    files = [member for member in archive.infolist() if _is_data(member.filename)]
    found = [member for member in files if _base(member.filename).lower() == MEMBER] or [
        member for member in files if _base(member.filename).lower().endswith(ENDINGS)
    ]
    if len(found) != 1:
        raise DataError(f"{file} must hold one {MEMBER} or one table, not {len(found)}")
    (member,) = found
    if member.flag_bits & ENCRYPTED:
        raise DataError(f"{file} needs a password: {UNPACK}")
    # Other methods unfold as much as they like at a time.
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise DataError(f"{file} is a zip that is neither stored nor deflated: {UNPACK}")
    if member.file_size > MOST_BYTES:
        raise too_large(file)
    return member


def _is_data(name: str) -> bool:
    """Whether a member is a file, and none that a Mac adds."""
    base = _base(name)
    return bool(base) and not base.startswith("._") and not name.startswith("__MACOSX")


def _base(name: str) -> str:
    """The last part of a member's name; Windows programs write backslashes."""
    return name.replace("\\", "/").rpartition("/")[2]
