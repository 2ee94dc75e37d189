"""Bundles written, found and loaded; and what an interrupted writer leaves."""

import hashlib
import stat
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from dubito.bundle import load
from dubito.bundles.manifest import Manifest, parse_manifest
from dubito.bundles.repository import check_free, find, versions, write
from dubito.engine.compiler import compiler
from dubito.errors import BundleError, NetworkError
from dubito.layers.archive import from_bytes, to_bytes
from dubito.types import Cards, Query
from tests.networks import ROOT, bits, engine, rows

SHIPPED = ROOT / "models" / "loan-grade" / "1"


@cache
def manifest() -> Manifest:
    return parse_manifest((SHIPPED / "bundle.json").read_bytes())


def written(models: Path, version: int = 1, name: str = "loan-grade") -> Path:
    model = from_bytes((SHIPPED / "model.keras").read_bytes())
    given = replace(manifest(), version=version, name=name, network_sha256="")
    return write(models, given, to_bytes(model), Cards("# Card of {digest}\n"))[0]


def test_what_is_written_loads(tmp_path: Path) -> None:
    """A written bundle loads, answers as it did and carries its digest in its card."""
    folder = written(tmp_path, 3)
    loaded = load(folder)
    assert folder == tmp_path / "loan-grade" / "3"
    assert loaded.manifest.version == 3
    query = Query(rows(4), 60, 5)
    (ours,), (theirs,) = loaded.engine.summarise([query]), engine("1").summarise([query])
    assert bits(ours) == bits(theirs)
    card = (folder / "MODEL_CARD.md").read_text()
    assert card == f"# Card of {loaded.manifest.identity.digest}\n"


def test_written_again_a_bundle_has_the_same_files(tmp_path: Path) -> None:
    """The shipped network written anew gives the shipped files, but for the card."""
    folder = written(tmp_path)
    for name in ("bundle.json", "model.keras"):
        assert (folder / name).read_bytes() == (SHIPPED / name).read_bytes()


def test_the_sums_are_those_of_the_files(tmp_path: Path) -> None:
    """SHA256SUMS lists every other file as `sha256sum` would."""
    folder = written(tmp_path)
    listed = dict(
        line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines()
    )
    files = {file.name for file in folder.iterdir()} - {"SHA256SUMS"}
    assert listed == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_published_version_never_changes(tmp_path: Path) -> None:
    """A version that is there is refused, and its files stay as they were."""
    folder = written(tmp_path)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(BundleError, match="is already there, and a published version never"):
        written(tmp_path)
    with pytest.raises(BundleError, match="is already there, and a published version never"):
        check_free(tmp_path, "loan-grade", 1)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [entry.name for entry in folder.parent.iterdir()] == ["1"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, MemoryError])
@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_an_interrupted_writer_leaves_nothing(
    tmp_path: Path, at: int, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file was being written, no version and no draft is left."""
    number, real = iter(range(10)), Path.write_bytes

    def interrupted(self: Path, data: bytes) -> int:
        if next(number) == at:
            real(self, data[: len(data) // 2])
            raise error
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(error):
        written(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path != tmp_path / "loan-grade"] == []
    assert versions(tmp_path, "loan-grade") == []


def test_a_failing_rename_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last step as well is undone."""

    def refused(self: Path, target: Path) -> Path:
        raise OSError

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OSError, match=r"^$"):
        written(tmp_path)
    assert list((tmp_path / "loan-grade").iterdir()) == []


def test_a_bundle_of_another_digest_is_refused() -> None:
    """A pinned digest lets exactly that bundle start."""
    load(SHIPPED, pinned=manifest().identity.digest)
    with pytest.raises(BundleError, match="digest"):
        load(SHIPPED, pinned="sha256:" + "0" * 64)


def test_a_network_the_engine_refuses_is_a_fault_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the engine refuses is told with the file's name."""

    def refuse(model: object, threads: int) -> None:
        raise NetworkError("layer odd is odd")

    monkeypatch.setattr(compiler, "engine_of", refuse)
    with pytest.raises(BundleError, match=r"model\.keras: layer odd is odd$"):
        load(SHIPPED)


def test_the_highest_version_is_found(tmp_path: Path) -> None:
    """Versions are positive integers, ordered as numbers; other entries are none."""
    for entry in ("1", "2", "10", "0", "03", "-1", "x", "1.5", ".draft-4", "٣", "²"):
        (tmp_path / "net" / entry).mkdir(parents=True)
    assert versions(tmp_path, "net") == [1, 2, 10]
    assert find(tmp_path, "net") == tmp_path / "net" / "10"
    assert find(tmp_path, "net", 2) == tmp_path / "net" / "2"


@pytest.mark.parametrize("version", [0, 3, -1])
def test_a_version_that_is_not_there_is_refused(tmp_path: Path, version: int) -> None:
    """The sentence says which versions there are."""
    (tmp_path / "net" / "1").mkdir(parents=True)
    with pytest.raises(BundleError, match=rf"net has no version {version}, it has \[1\]$"):
        find(tmp_path, "net", version)


@pytest.mark.parametrize("name", ["none", "empty", "file"])
def test_a_name_without_a_bundle_is_refused(tmp_path: Path, name: str) -> None:
    """No folder, an empty one, or a file hold no bundle."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match=f"{name} holds no bundle$"):
        find(tmp_path, name)


def test_a_file_is_no_version(tmp_path: Path) -> None:
    """A file whose name is a number is not taken for a version."""
    (tmp_path / "net" / "1").mkdir(parents=True)
    (tmp_path / "net" / "2").touch()
    assert find(tmp_path, "net").name == "1"
