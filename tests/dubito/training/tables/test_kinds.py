"""What is no table is told by its bytes, and named: whatever the file is called."""

import gzip
import io
import pickle
import sqlite3
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather

from tests.dubito.training.tables.houses import refusal, zipped

SAVE = "save it as CSV UTF-8"
EXPORT = "export the table as CSV"
UNPACK = "unpack it first"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

WRITTEN: dict[str, tuple[bytes, str]] = {
    "xlsx": (zipped({"xl/workbook.xml": b"<"}), f"is an Excel workbook: {SAVE}"),
    "xlsb": (zipped({"xl/workbook.bin": b"<"}), f"is an Excel workbook: {SAVE}"),
    "xls": (OLE + bytes(600), f"is an old Excel workbook (.xls), or one with a password: {SAVE}"),
    "excel xml": (
        b'<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?><Workbook/>',
        f"is an Excel workbook: {SAVE}",
    ),
    "numbers": (zipped({"Index/Document.iwa": b""}), f"is a Numbers document: {SAVE}"),
    "ods": (
        zipped({"mimetype": b"application/vnd", "META-INF/manifest.xml": b"<"}),
        f"is an OpenDocument spreadsheet: {SAVE}",
    ),
    "docx": (zipped({"word/document.xml": b"<"}), "is a Word document: a table is CSV or Parquet"),
    "keras": (zipped({"model.weights.h5": b""}), "is a Keras network, no table"),
    "npz": (zipped({"a.npy": b"", "b.npy": b""}), f"holds NumPy arrays: {EXPORT}"),
    "json": (b' {"area": [1, 2]}', "is JSON: a table is CSV or Parquet"),
    "json list": (b'\xef\xbb\xbf[\n  {"area": 1}]', "is JSON: a table is CSV or Parquet"),
    "json lines": (b'{"area": 1}\n{"area": 2}\n', "is JSON: a table is CSV or Parquet"),
    "html": (b"\n<!DOCTYPE html><html>", "is an HTML page: a table is CSV or Parquet"),
    "html table": (b"<table><tr><td>", "is an HTML page: a table is CSV or Parquet"),
    "xml": (b'<?xml version="1.0"?><rows/>', "is XML: a table is CSV or Parquet"),
    "rtf": (b"{\\rtf1\\ansi}", "is an RTF document: a table is CSV or Parquet"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", "is a PDF: a table is CSV or Parquet"),
    "png": (b"\x89PNG\r\n\x1a\n", "is a picture: a table is CSV or Parquet"),
    "encrypted parquet": (b"PARE" + bytes(20), "is an encrypted Parquet file"),
    "orc": (b"ORC" + bytes(20), f"is an ORC file: {EXPORT}"),
    "avro": (b"Obj\x01" + bytes(20), f"is an Avro file: {EXPORT}"),
    "stata": (b"<stata_dta><header>", f"is a Stata file: {EXPORT}"),
    "spss": (b"$FL2@(#)", f"is an SPSS file: {EXPORT}"),
    "pickle": (pickle.dumps({"area": [1]}), f"is a Python pickle, which is not opened: {EXPORT}"),
    "bzip2": (b"BZh91AY&SY", f"is compressed with bzip2: {UNPACK}"),
    "xz": (b"\xfd7zXZ\0\0", f"is compressed with xz: {UNPACK}"),
    "zstd": (b"\x28\xb5\x2f\xfd$", f"is compressed with zstd: {UNPACK}"),
    "7z": (b"7z\xbc\xaf\x27\x1c", f"is a 7z archive: {UNPACK}"),
    "rar": (b"Rar!\x1a\x07\x01\0", f"is a RAR archive: {UNPACK}"),
}


@pytest.mark.parametrize("name", list(WRITTEN))
def test_foreign_files_are_named(name: str) -> None:
    """One sentence says what a file is and what to do; packed in gzip as well."""
    data, sentence = WRITTEN[name]
    assert refusal(data).startswith(sentence)
    if not data.startswith(b"PK"):
        assert refusal(gzip.compress(data)).startswith(sentence)
        assert refusal(zipped({"train.csv": data})).startswith(sentence)


def test_what_libraries_write_is_named(tmp_path: Path) -> None:
    """SQLite, HDF5, Feather, NumPy and tar as their own writers make them."""
    database = sqlite3.connect(tmp_path / "table.db")
    database.execute("create table houses (area real)")
    database.close()
    assert f"is an SQLite database: {EXPORT}" == refusal((tmp_path / "table.db").read_bytes())
    with h5py.File(tmp_path / "table.h5", "w") as file:
        file["area"] = [1.0]
    assert f"is an HDF5 file: {EXPORT}" == refusal((tmp_path / "table.h5").read_bytes())
    feather.write_feather(pa.table({"area": [1.0]}), tmp_path / "table.feather")
    sentence = f"is an Arrow (Feather) file: {EXPORT}"
    assert sentence == refusal((tmp_path / "table.feather").read_bytes())
    np.save(tmp_path / "table.npy", np.ones(3))
    assert f"is a NumPy array: {EXPORT}" == refusal((tmp_path / "table.npy").read_bytes())
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(tmp_path / "table.npy", "train.csv")
    assert f"is a tar archive: {UNPACK}" == refusal(packed.getvalue())
    assert f"is a tar archive: {UNPACK}" == refusal(gzip.compress(packed.getvalue()))
