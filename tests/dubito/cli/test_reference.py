"""How a bundle is named on the command line: folders, links, names, versions."""

import shutil
from pathlib import Path

import pytest

from dubito.cli.main import main
from dubito.cli.reference import settings_named_by
from dubito.errors import DubitoError
from tests.service import ROOT

SHIPPED = ROOT / "models" / "loan-grade"


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `out` of bundles where one stands, with versions 1 and 2 of one."""
    for version in ("1", "2"):
        shutil.copytree(SHIPPED / version, tmp_path / "out" / "loan-grade" / version)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


def shown(reference: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The first line of `dubito inspect`."""
    assert 0 == main(["inspect", reference]), capsys.readouterr().err
    return capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize("reference", ["out/loan-grade", "./out/loan-grade", "out/loan-grade/"])
def test_a_folder_of_versions_is_the_highest(
    out: Path, reference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a bundle's name is; the folder may be given in any way."""
    assert "loan-grade, version 2" == shown(reference, capsys)
    assert "loan-grade, version 2" == shown(str(out / "loan-grade"), capsys)


def test_the_variable_of_a_service_names_one_bundle(
    out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its version and digest; of several it does not say which is meant."""
    monkeypatch.setenv("DUBITO_MODELS", str(out))
    monkeypatch.setenv("DUBITO_MODEL", "loan-grade/1")
    assert 0 == main(["inspect"])
    assert "loan-grade, version 1" == capsys.readouterr().out.splitlines()[0]
    monkeypatch.setenv("DUBITO_MODEL", "loan-grade/1#sha256:00")
    assert 1 == main(["inspect"])
    assert "digest" in capsys.readouterr().err
    monkeypatch.setenv("DUBITO_MODEL", "loan-grade,loan-rate")
    assert 2 == main(["inspect"])
    assert "DUBITO_MODEL lists several bundles" in capsys.readouterr().err
    assert "loan-grade, version 2" == shown("loan-grade", capsys)


def test_a_folder_of_versions_from_within(
    out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here, and the folder above."""
    monkeypatch.chdir(out / "loan-grade")
    assert "loan-grade, version 2" == shown(".", capsys)
    monkeypatch.chdir("1")
    assert "loan-grade, version 2" == shown("..", capsys)
    assert "loan-grade, version 1" == shown(".", capsys)


@pytest.mark.parametrize("link", ["current", "out/loan-grade/current", "out/loan-grade/3"])
def test_a_link_to_a_version(out: Path, link: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A link such as `current` is followed; one whose name is a version is that version."""
    Path(link).symlink_to(out / "loan-grade" / "1")
    if Path(link).name == "current":
        assert "loan-grade, version 1" == shown(link, capsys)
    else:
        # What lies there says that it is version 1, and is it behind the link.
        assert {"models": "out", "model": "loan-grade", "version": "3"} == settings_named_by(link)
        assert "loan-grade, version 1" == shown(link, capsys)


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("out", "out holds no bundle"),
        ("out/", "out/ holds no bundle.json, nor versions of a bundle"),
        ("out/loan-grade/3", "holds no bundle.json, nor versions of a bundle"),
        ("out/nothing", "out/nothing is no folder, and nothing is no version"),
        ("loan-grade/٣", "loan-grade/٣ is no folder, and ٣ is no version"),
        ("loan-grade/", "loan-grade/ is no folder, and nothing is no version"),
        ("loan-grade/1_0", "1_0 is no version: a version is a positive whole number"),
        ("loan-grade/" + "9" * 100, "is no version"),
        ("out/a\x1b[2J/b", "out/a\\x1b[2J/b holds no bundle.json"),
        ("x" * 5000, "cannot be read: File name too long"),
        ("plain", "plain is no version's folder: a bundle lies in NAME/VERSION"),
    ],
)
def test_what_is_wrong_is_told(
    out: Path, reference: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The true cause, in one line that does nothing to a terminal."""
    shutil.copytree(out / "loan-grade" / "1", "plain")
    assert main(["inspect", reference]) in {1, 2}
    stdout, stderr = capsys.readouterr()
    assert sentence in stderr
    assert ("", 1) == (stdout, stderr.count("\n"))
    assert "\x1b" not in stderr


def test_a_loop_of_links_is_no_bundle(out: Path) -> None:
    """It holds nothing."""
    (out / "loop").symlink_to(out / "loop")
    with pytest.raises(DubitoError):
        settings_named_by("out/loop")
