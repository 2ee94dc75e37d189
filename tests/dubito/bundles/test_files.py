"""A bundle's files: plain files inside its folder, of stated sizes, read once."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from dubito.bundles.files import MOST_BYTES, read_files
from dubito.bundles.validation.inspection import inspect
from dubito.errors import BundleError
from tests.service import ROOT

SHIPPED = ROOT / "models" / "loan-grade" / "1"
NAMES = ("MODEL_CARD.md", "SHA256SUMS", "bundle.json", "model.keras")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a good bundle."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "loan-grade" / "1"))


def link_to_another(file: Path) -> None:
    """To the same content elsewhere, as a secret would be."""
    file.rename(file.parent.parent / "secret")
    file.symlink_to(file.parent.parent / "secret")


def link_inside(file: Path) -> None:
    file.rename(file.with_name("other"))
    file.symlink_to("other")


def dangling_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("/nowhere")


def link_to_a_device(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def subfolder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def listening(file: Path) -> None:
    file.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(file))


def larger(file: Path) -> None:
    os.truncate(file, MOST_BYTES[file.name] + 1)


IS_LINK = "is a link, not a regular file"
ODD: dict[Callable[[Path], None], str] = {
    link_to_another: IS_LINK,
    link_inside: IS_LINK,
    dangling_link: IS_LINK,
    link_to_a_device: IS_LINK,
    subfolder: "is not a regular file",
    pipe: "is not a regular file",
    listening: "cannot be read: No such device or address",
    larger: "is larger than the",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", ODD)
def test_what_is_no_plain_file_is_refused(
    folder: Path, name: str, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file it is: a sentence that names it, at once."""
    monkeypatch.chdir(folder)  # The path of a socket must be short.
    change(Path(name) if change is listening else folder / name)
    with pytest.raises(BundleError, match=f"^{name} {ODD[change]}"):
        inspect(folder)


@pytest.mark.parametrize("name", NAMES[:1] + NAMES[2:])
def test_a_file_that_is_missing(folder: Path, name: str) -> None:
    """All are needed, but for the sums."""
    (folder / "SHA256SUMS").unlink()
    assert inspect(folder).cards.english == (SHIPPED / "MODEL_CARD.md").read_text()
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"^{name} is missing$"):
        inspect(folder)


def test_a_file_of_the_largest_size_is_read(folder: Path) -> None:
    """The bound is the first size that is refused, less one byte."""
    os.truncate(folder / "MODEL_CARD.md", MOST_BYTES["MODEL_CARD.md"])
    assert len(read_files(folder).card) == MOST_BYTES["MODEL_CARD.md"]


def test_a_file_that_grows_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read counts, not the size it had when it was opened."""
    real = os.read

    def growing(descriptor: int, size: int) -> bytes:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == "MODEL_CARD.md":
            return b" " * size
        return real(descriptor, size)

    monkeypatch.setattr(os, "read", growing)
    with pytest.raises(BundleError, match=r"^MODEL_CARD\.md is larger than the 1048576 bytes"):
        read_files(folder)


@pytest.mark.parametrize("level", ["models", "name", "version"])
def test_folders_may_be_links(folder: Path, tmp_path: Path, level: str) -> None:
    """Deployments switch `models`, a bundle's folder or that of a version by a link."""
    place = {"models": tmp_path, "name": folder.parent, "version": folder}[level]
    moved = place.rename(place.with_name("elsewhere"))
    place.symlink_to(moved)
    assert inspect(folder).manifest.name == "loan-grade"


def test_all_files_are_of_one_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that is switched while files are read: they are those of the folder it was."""
    current = folder.with_name("current")
    current.symlink_to("1")
    other = folder.with_name("2")
    other.mkdir()
    for name in NAMES:
        (other / name).write_bytes(b"other")
    real = os.read

    def switching(descriptor: int, size: int) -> bytes:
        current.unlink(missing_ok=True)
        current.symlink_to("2")
        return real(descriptor, size)

    monkeypatch.setattr(os, "read", switching)
    found = read_files(current)
    assert found.card == (SHIPPED / "MODEL_CARD.md").read_bytes()
    assert found.networks == {"model.keras": (SHIPPED / "model.keras").read_bytes()}


def test_a_card_that_is_not_utf_8(folder: Path) -> None:
    """One sentence, no traceback."""
    (folder / "SHA256SUMS").unlink()
    (folder / "MODEL_CARD.md").write_bytes("대출".encode("cp949"))
    with pytest.raises(BundleError, match=r"^MODEL_CARD\.md is not UTF-8$"):
        inspect(folder)


def test_a_card_tells_a_terminal_nothing(folder: Path) -> None:
    """Control characters and turned writing are written out; lines, tabs and letters stay."""
    (folder / "SHA256SUMS").unlink()
    odd = "\ufeff# 카드 \x1b[2J\x9b1m\x07\r\n\tline\u202eenil\u2028end\n"
    (folder / "MODEL_CARD.md").write_text(odd, encoding="utf-8", newline="")
    shown = "# 카드 \\x1b[2J\\x9b1m\\x07\r\n\tline\\u202eenil\\u2028end\n"
    assert inspect(folder).cards.english == shown
