"""A small table about houses, and how it is written in the ways that programs have."""

import csv
import gzip
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest

from dubito.errors import DataError
from dubito.training.tables.sheet import Sheet, sheet_of
from dubito.training.tables.wanted import Wanted
from dubito.types import Floats

WANTED = (
    Wanted(("area", "면적"), is_numeric=True),
    Wanted(("price",), is_numeric=True),
    Wanted(("kind", "종류"), is_numeric=False),
)
HEADER = ("area", "price", "kind")
KOREAN = ("면적", "price", "종류")


@dataclass(frozen=True)
class Dialect:
    """How a table is written."""

    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    ending: str = "\n"
    quoting: Literal[0, 1, 2, 3] = csv.QUOTE_MINIMAL
    header: Sequence[str] = HEADER
    form: Literal["NFC", "NFD"] = "NFC"
    packing: str = "plain"
    empty: int = 0
    stated: bool = False

    def write(self, rows: Sequence[tuple[float, int, str]]) -> bytes:
        """The rows as a file."""
        text = io.StringIO(newline="")
        if self.stated:
            text.write(f"sep={self.separator}{self.ending}")
        writer = csv.writer(
            text, delimiter=self.separator, lineterminator=self.ending, quoting=self.quoting
        )
        writer.writerow(self.header)
        for area, price, kind in rows:
            numbers = (repr(number).replace(".", self.decimal) for number in (area, price))
            writer.writerow([*numbers, kind])
        text.write((self.separator * (len(self.header) - 1) + self.ending) * self.empty)
        whole = unicodedata.normalize(self.form, text.getvalue())
        return packed(whole.encode(self.encoding), self.packing)


def packed(data: bytes, packing: str) -> bytes:
    """A file as it is, in gzip, or in a zip of some program."""
    if packing == "gzip":
        return gzip.compress(data)
    if packing == "plain":
        return data
    members = {
        "zip": {"train.csv": data, "test.csv": b"", "__MACOSX/._train.csv": b"\0"},
        "backslash": {"data\\train.csv": data, "data\\": b""},
        "single": {"anything.csv": data, "README.md": b"#"},
    }[packing]
    return zipped(members)


def zipped(members: dict[str, bytes], method: int = ZIP_DEFLATED) -> bytes:
    """A zip of these files."""
    content = io.BytesIO()
    with ZipFile(content, "w", method) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


@dataclass
class Read:
    """What was made of a file."""

    numbers: Floats
    kinds: list[object] = field(default_factory=list)


def read(data: bytes, wanted: Sequence[Wanted] = WANTED) -> Read:
    """A file's two columns of numbers `(N, 2)` and its kinds."""
    blocks = list(sheet_of(data, "houses", wanted).blocks())
    columns = [[cell for block in blocks for cell in block[at]] for at in range(len(wanted))]
    area, price = ([float(str(cell)) for cell in column] for column in columns[:2])
    return Read(np.array([area, price]).T, columns[2])


def found(data: bytes, wanted: Sequence[Wanted] = WANTED) -> Sheet:
    """What is found in a file."""
    return sheet_of(data, "houses", wanted)


def refusal(data: bytes | str, wanted: Sequence[Wanted] = WANTED) -> str:
    """The sentence with which a file is refused, its name left out."""
    with pytest.raises(DataError) as caught:
        read(data.encode() if isinstance(data, str) else data, wanted)
    return str(caught.value).removeprefix("houses ")
