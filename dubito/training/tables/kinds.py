"""Names the formats of tables, and rejects other files by their bytes, with a remedy."""

import re
from collections.abc import Collection

from dubito.errors import DataError

PARQUET, ZIP, GZIP = b"PAR1", (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"), b"\x1f\x8b"

FORMATS = "CSV or Parquet"
"""Formats of tables, for messages and help."""
ENDINGS = (".csv", ".tsv", ".txt", ".parquet")
"""Suffixes of tables, by which one is found in a zip."""

SAVE = "save it as CSV UTF-8"
UNPACK = "unpack it first"
EXPORT = "export the table as CSV"

_EXCEL = f"is an Excel workbook: {SAVE}"
_OTHER = f"is {{}}: a table is {FORMATS}"

_BINARY = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        f"is an old Excel workbook (.xls), or one with a password: {SAVE}",
    ),
    (b"\x89HDF\r\n\x1a\n", f"is an HDF5 file: {EXPORT}"),
    (b"SQLite format 3\0", f"is an SQLite database: {EXPORT}"),
    (b"%PDF-", _OTHER.format("a PDF")),
    (b"PARE", "is an encrypted Parquet file, which cannot be read"),
    (b"ARROW1", f"is an Arrow (Feather) file: {EXPORT}"),
    (b"FEA1", f"is an old Feather file: {EXPORT}"),
    (b"ORC", f"is an ORC file: {EXPORT}"),
    (b"Obj\x01", f"is an Avro file: {EXPORT}"),
    (b"\x93NUMPY", f"is a NumPy array: {EXPORT}"),
    (b"\x80\x04\x95", f"is a Python pickle, which is not opened: {EXPORT}"),
    (b"\x80\x05\x95", f"is a Python pickle, which is not opened: {EXPORT}"),
    (b"<stata_dta>", f"is a Stata file: {EXPORT}"),
    (b"$FL2", f"is an SPSS file: {EXPORT}"),
    (b"$FL3", f"is an SPSS file: {EXPORT}"),
    (b"BZh", f"is compressed with bzip2: {UNPACK}"),
    (b"\xfd7zXZ\0", f"is compressed with xz: {UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"is compressed with zstd: {UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"is a 7z archive: {UNPACK}"),
    (b"Rar!\x1a\x07", f"is a RAR archive: {UNPACK}"),
    (b"\x89PNG\r\n", _OTHER.format("a picture")),
    (b"\xff\xd8\xff", _OTHER.format("a picture")),
)
"""First bytes of binary files that are not tables, each with the predicate of its message."""

_TEXT = (
    (r"\{\\rtf", _OTHER.format("an RTF document")),
    (r"<\?xml[^>]*>\s*<\?mso-application", _EXCEL),
    (r"<\?xml|<workbook", _OTHER.format("XML")),
    (r"<!doctype html|<html|<head|<body|<table|<!--", _OTHER.format("an HTML page")),
    (r'\{\s*["}]|\[\s*[\[{"\]\d.tfn-]', _OTHER.format("JSON")),
)
"""Patterns of the start of texts that are not tables, each with the predicate of its message."""

_MEMBERS = (
    (("xl/workbook.xml", "xl/workbook.bin"), _EXCEL),
    (("word/document.xml",), _OTHER.format("a Word document")),
    (("ppt/presentation.xml",), _OTHER.format("a presentation")),
    (("Index/Document.iwa", "Index.zip", "index.apxl"), f"is a Numbers document: {SAVE}"),
    (("META-INF/manifest.xml",), f"is an OpenDocument spreadsheet: {SAVE}"),
    (("model.weights.h5",), "is a Keras network, no table"),
)
"""Members of zip archives that are documents, each with the predicate of its message."""

TAR_AT, TAR = 257, b"ustar"
SAMPLED_CELLS = 1000
"""Number of characters of a text that are searched for its kind."""


def refuse_foreign_bytes(data: bytes, file: str) -> None:
    """Reject binary files that are not tables, by their first bytes.

    Raises:
        DataError: the file is of such a kind; names the kind and what to do.
    """
    for magic, sentence in _BINARY:
        if data.startswith(magic):
            raise DataError(f"{file} {sentence}")
    if data[TAR_AT : TAR_AT + len(TAR)] == TAR:
        raise DataError(f"{file} is a tar archive: {UNPACK}")


def refuse_foreign_text(start: str, file: str) -> None:
    """Reject texts that are not tables, by their beginning.

    Raises:
        DataError: the text is of such a kind; names the kind.
    """
    for pattern, sentence in _TEXT:
        if re.match(pattern, start.lstrip(), re.IGNORECASE):
            raise DataError(f"{file} {sentence}")


def refuse_document(members: Collection[str], file: str) -> None:
    """Reject a zip that is a document, a network or NumPy arrays, by its members.

    Raises:
        DataError: the zip is of such a kind; names the kind.
    """
    for names, sentence in _MEMBERS:
        if any(name in members for name in names):
            raise DataError(f"{file} {sentence}")
    if members and all(name.endswith(".npy") for name in members):
        raise DataError(f"{file} holds NumPy arrays: {EXPORT}")
