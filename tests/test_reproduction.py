"""`make train`'s comparison: what a bundle trained anew may differ in, and what it may not."""

import hashlib
import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks.reproduction import differences, main
from dubito.bundles.repository import versions
from tests.service import ROOT

SHIPPED = ROOT / "models" / "loan-grade"
NEWEST = SHIPPED / "5"


def rewritten(folder: Path, member: str, change: Callable[[bytes], bytes]) -> Path:
    """A copy of the newest bundle whose network has a changed member; its digests are right."""
    shutil.copytree(NEWEST, folder)
    network = (NEWEST / "model.keras").read_bytes()
    (folder / "model.keras").write_bytes(with_member(network, member, change))
    replace_digest("model.keras", folder, "bundle.json")
    for card in ("MODEL_CARD.md", "MODEL_CARD.ko.md"):
        replace_digest("bundle.json", folder, card)
    return folder


def with_member(network: bytes, member: str, change: Callable[[bytes], bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(network)) as before, zipfile.ZipFile(buffer, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, change(content) if name == member else content)
    return buffer.getvalue()


def replace_digest(of: str, folder: Path, file: str) -> None:
    """Put the digest of one file of the folder into another, which has the shipped one's."""
    before, after = (
        hashlib.sha256((place / of).read_bytes()).hexdigest() for place in (NEWEST, folder)
    )
    text = (folder / file).read_text(encoding="utf-8")
    assert before in text
    (folder / file).write_text(text.replace(before, after), encoding="utf-8")


def nudged(weights: bytes) -> bytes:
    """One weight becomes the next float32."""
    content = io.BytesIO(weights)
    with h5py.File(content, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        kernel = next(file[name] for name in names if isinstance(file[name], h5py.Dataset))
        kernel[...] = np.concatenate([np.nextafter(kernel[:1], np.float32(np.inf)), kernel[1:]])
    return content.getvalue()


@pytest.mark.parametrize("version", versions(ROOT / "models", "loan-grade"))
def test_a_bundle_is_itself(version: int) -> None:
    """No part of a shipped bundle differs from its own."""
    assert [] == differences(SHIPPED / str(version), SHIPPED / str(version))


def test_a_changed_weight_is_told(tmp_path: Path) -> None:
    """The least change of weights there is, with all digests as they must then be."""
    folder = rewritten(tmp_path / "5", "model.weights.h5", nudged)
    assert ["model.weights.h5"] == differences(NEWEST, folder)


def test_modules_of_today_are_the_same(tmp_path: Path) -> None:
    """The paths that layers had before version 0.4 stand for those they have now."""

    def renamed(config: bytes) -> bytes:
        return config.replace(b"app.network.loans.lattice", b"dubito.loans.layers").replace(
            b"app.network.impute", b"dubito.layers"
        )

    assert [] == differences(NEWEST, rewritten(tmp_path / "5", "config.json", renamed))


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"rate": 0.4', b'"rate": 0.5'), (b"app.network.impute", b"app.network.mc")],
)
def test_another_setting_is_told(tmp_path: Path, old: bytes, new: bytes) -> None:
    """Another rate of dropout; a module that is none of the layer's."""
    folder = rewritten(tmp_path / "5", "config.json", lambda config: config.replace(old, new))
    assert ["config.json"] == differences(NEWEST, folder)


@pytest.mark.parametrize("file", ["bundle.json", "MODEL_CARD.md", "MODEL_CARD.ko.md"])
def test_another_file_is_told(tmp_path: Path, file: str) -> None:
    """A digit of a figure in a manifest or a card."""
    shutil.copytree(NEWEST, tmp_path / "5")
    text = (NEWEST / file).read_text(encoding="utf-8")
    assert "0.97" in text
    (tmp_path / "5" / file).write_text(text.replace("0.97", "0.98"), encoding="utf-8")
    assert file in differences(NEWEST, tmp_path / "5")


def test_only_a_card_that_was_shipped_is_compared(tmp_path: Path) -> None:
    """Versions of before have no Korean card; where one was shipped, a lost one is told."""
    lost = Path(shutil.copytree(NEWEST, tmp_path / "5"))
    (lost / "MODEL_CARD.ko.md").unlink()
    assert [] == differences(lost, NEWEST)
    assert ["MODEL_CARD.ko.md"] == differences(NEWEST, lost)


def test_the_command_says_which_version_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every version that was trained, and exit code 1 if one is not the shipped one."""
    shutil.copytree(SHIPPED / "1", tmp_path / "1")
    assert 0 == main([str(SHIPPED), str(tmp_path)])
    shutil.copytree(SHIPPED / "4", tmp_path / "5")
    assert 1 == main([str(SHIPPED), str(tmp_path)])
    same, differing = capsys.readouterr().out.splitlines()[-2:]
    assert "version 1 is the same, byte for byte" == same
    assert "version 5 differs in" in differing
    assert "bundle.json" in differing
