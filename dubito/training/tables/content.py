"""Reads a table's bytes, decompressed from zip or gzip if need be, up to a limit of size."""

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from dubito.bundles.files import MIB
from dubito.errors import DataError
from dubito.training.tables.kinds import ENDINGS, GZIP, UNPACK, ZIP, refuse_document

MOST_TABLE_BYTES = 256 * MIB
"""Largest size of a table in bytes, of the file and decompressed."""
MOST_MEMBERS = 10_000
"""Largest number of files in a zip."""
PIECE = MIB
"""Number of bytes decompressed at a time."""

MEMBER = "train.csv"
"""Name of the file that is read from a zip of several tables, in any folder."""
ENCRYPTED = 0x1

# zipfile documents only BadZipFile, but damaged archives made it raise all of these.
_ZIP_FAULTS = (BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)


@dataclass(frozen=True, slots=True)
class TableBytes:
    """Decompressed bytes of a table."""

    data: bytes
    file: str
    """Name of the file, for messages."""
    packing: str = ""
    """Compression that was removed, for messages; empty for an uncompressed file."""


class Stream(Protocol):
    """Binary stream."""

    def read(self, size: int, /) -> bytes:
        """Read the next bytes, at most `size`; empty at the end."""


def read_content(path: Path) -> bytes:
    """Read the bytes of a file or pipe.

    Raises:
        DataError: the file cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            return bounded(file, name_of(path))
    except IsADirectoryError as error:
        raise DataError(f"{name_of(path)} is a folder: name a file in it") from error
    except OSError as error:
        raise DataError(f"{name_of(path)} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError("the file name is not valid") from error


def name_of(path: Path) -> str:
    """Return the name of a file without characters that cannot be printed."""
    return _printable(path.name or str(path))


def _printable(name: str) -> str:
    """Replace control characters, line breaks and invalid characters of a name by `?`."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def bounded(stream: Stream, file: str) -> bytes:
    """Read a stream to its end.

    Raises:
        DataError: there are more than `MOST_TABLE_BYTES`; reading stops within one `PIECE` of that.
    """
    whole = io.BytesIO()
    while piece := stream.read(PIECE):
        whole.write(piece)
        if whole.tell() > MOST_TABLE_BYTES:
            raise too_large(file)
    return whole.getvalue()


def too_large(file: str) -> DataError:
    """Build the error for a table above `MOST_TABLE_BYTES`."""
    limit = MOST_TABLE_BYTES // MIB
    return DataError(f"{file} has more than {limit} MiB unfolded: leave out columns or rows")


def unfold(data: bytes, file: str) -> TableBytes:
    """Decompress a file if it is a zip or gzip.

    Raises:
        DataError: the archive is damaged, too large, or does not contain exactly one table.
    """
    if data.startswith(ZIP):
        found = _from_zip(data, file)
    elif data.startswith(GZIP):
        found = TableBytes(_from_gzip(data, file), file, "gzip")
    else:
        return TableBytes(data, file)
    if found.data.startswith((*ZIP, GZIP)):
        raise DataError(f"{file} holds another archive: {UNPACK}")
    return found


def _from_gzip(data: bytes, file: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return bounded(stream, file)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{file} is not a whole gzip file") from error


def _from_zip(data: bytes, file: str) -> TableBytes:
    if data.count(b"PK\x01\x02") > MOST_MEMBERS:
        raise DataError(f"{file} holds more than {MOST_MEMBERS:,} files")
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            member = table_member(archive, file, ENDINGS, MEMBER)
            if member.file_size > MOST_TABLE_BYTES:
                raise too_large(file)
            with archive.open(member) as stream:
                return TableBytes(
                    bounded(stream, file), file, f"{_printable(_base(member.filename))} in a zip"
                )
    except (*_ZIP_FAULTS, zlib.error) as error:
        raise DataError(f"{file} is not a whole zip") from error


def table_member(
    archive: ZipFile, file: str, endings: tuple[str, ...], preferred: str = ""
) -> ZipInfo:
    """Find the file of a zip to read, and check its compression and encryption.

    Args:
        archive: the zip.
        file: its name, for messages.
        endings: suffixes of tables.
        preferred: name of the file that is read if there are several; none if empty.

    Raises:
        DataError: there is not one table, or it cannot be read.
    """
    refuse_document(archive.namelist(), file)
    files = [member for member in archive.infolist() if _is_data(member.filename)]
    found = [member for member in files if _base(member.filename).lower() == preferred] or [
        member for member in files if _base(member.filename).lower().endswith(endings)
    ]
    if len(found) != 1:
        either = f"one {preferred} or " if preferred else ""
        raise DataError(f"{file} must hold {either}one table, not {len(found)}")
    (member,) = found
    if member.flag_bits & ENCRYPTED:
        raise DataError(f"{file} needs a password: {UNPACK}")
    # Of other methods, zipfile does not bound the bytes decompressed per read.
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise DataError(f"{file} is a zip that is neither stored nor deflated: {UNPACK}")
    return member


def _is_data(name: str) -> bool:
    """Whether a member is a file other than the metadata that macOS adds."""
    base = _base(name)
    return bool(base) and not base.startswith("._") and not name.startswith("__MACOSX")


def _base(name: str) -> str:
    """Return the last part of a member's path, also with backslashes, as Windows programs write."""
    return name.replace("\\", "/").rpartition("/")[2]
