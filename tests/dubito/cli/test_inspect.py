"""`dubito inspect`: what is in a bundle, without TensorFlow."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dubito.cli.main import main
from tests.hostile import seal
from tests.service import ROOT, environment

FOLDER = ROOT / "models" / "loan-grade" / "5"


@pytest.mark.parametrize(
    "reference", ["loan-grade/5", "loan-grade", "models/loan-grade/5", str(FOLDER), None]
)
def test_a_bundle_is_shown(
    reference: str | None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By folder, name, name and version, or by default: identity, figures and features."""
    monkeypatch.chdir(ROOT)
    assert 0 == main(["inspect", *([reference] if reference else [])])
    out, err = capsys.readouterr()
    digest = hashlib.sha256((FOLDER / "bundle.json").read_bytes()).hexdigest()

    assert "" == err
    assert "loan-grade, version 5" == out.splitlines()[0]
    assert f"sha256:{digest}" in out
    for text in ("A B C D E F G", "100 by default", "debt_to_income", "대출금액", "may be null"):
        assert text in out
    accuracy = json.loads((FOLDER / "bundle.json").read_bytes())["metrics"]["mc"]["accuracy"]
    assert f"accuracy {accuracy:.4f}" in out


def test_a_bundle_is_shown_from_within(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative folder is a folder, wherever one stands."""
    monkeypatch.chdir(FOLDER)
    for reference in (".", "../1", "../../loan-grade/2"):
        assert 0 == main(["inspect", reference])
    assert 3 == capsys.readouterr().out.count("digest ")


def test_json_is_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints bundle.json as it is."""
    assert 0 == main(["inspect", str(FOLDER), "--json"])
    assert (FOLDER / "bundle.json").read_text(encoding="utf-8") + "\n" == capsys.readouterr().out


def test_it_does_not_import_tensorflow() -> None:
    """Files are enough."""
    program = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None;"
        "from dubito.cli.main import main; sys.exit(main(['inspect', 'loan-grade/1']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr


@pytest.mark.parametrize("reference", ["nothing", "loan-grade/9", "models", "./models", "a/b/c"])
def test_what_is_no_bundle_is_one_sentence(
    reference: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Exit code 1 and one line."""
    monkeypatch.chdir(ROOT)
    assert main(["inspect", reference]) in {1, 2}
    out, err = capsys.readouterr()
    assert ("", 1) == (out, err.count("\n"))


ESCAPE = "\x1b]0;title\x07\x9b2J\u202e"


@pytest.mark.parametrize(
    "way",
    [
        ("classes", 0),
        ("features", 0, "name"),
        ("features", 0, "title"),
        ("features", 0, "unit"),
        ("features", 0, "aliases", 0),
        ("trained", "command"),
        ("trained", "data"),
        ("trained", "versions", "keras"),
        ("rules", 0, "reason"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_bundle_tells_a_terminal_nothing(
    way: tuple[str | int, ...], as_json: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Escape sequences in any text: refused by the member's name, and not one is printed."""
    folder = tmp_path / "loan-grade" / "5"
    shutil.copytree(FOLDER, folder)
    manifest = json.loads((folder / "bundle.json").read_bytes())
    place: Any = manifest
    for part in way[:-1]:
        place = place[part]
    place[way[-1]] += ESCAPE
    seal(folder, **manifest)
    assert 1 == main(["inspect", str(folder), *(["--json"] if as_json else [])])
    out, err = capsys.readouterr()
    sentence = f"bundle.json: {'.'.join(map(str, way))} has a control character"
    assert ("", f"dubito: {sentence}\n") == (out, err)
