"""`dubito replay`: recorded predictions computed again, without a service."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.service import DUBITO, ROOT, command, environment, serving

IDENTIFIER = "01a20b81-4528-7cce-8a01-000000000001"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a service of version 1 that has answered four rows."""
    folder = tmp_path_factory.mktemp("state")
    loan = example(inspect(find_version(ROOT / "models", "loan-grade", 1)).manifest.signature)
    with serving("loan-grade/1", changes={"DUBITO_STATE": str(folder)}) as service:
        for route in ("/predict", "/predict/mc?passes=40", "/predict/mc?passes=auto&seed=7"):
            assert 200 == httpx.post(f"{service.url}{route}", json=loan).status_code
        body = {"instances": [loan | {"debt_to_income": None}]}
        assert 200 == httpx.post(f"{service.url}/predict/mc", json=body).status_code
        assert 0 == service.stop()
    return folder


def replay(state: Path, *words: str) -> tuple[int, list[Any], str]:
    done = command("replay", *words, "--state", str(state))
    return done.returncode, list(map(json.loads, done.stdout.splitlines())), done.stderr.decode()


def test_all_are_computed_again(state: Path) -> None:
    """Each by the bundle that has answered it, whichever is the newest: a line each."""
    code, lines, told = replay(state)
    assert (0, "4 of 4 identical\n") == (code, told)
    assert [True] * 4 == [line["identical"] for line in lines]
    assert (0, [lines[2]]) == replay(state, lines[2]["id"])[:2]


def test_one_that_is_not_known_is_told(state: Path) -> None:
    """In a sentence."""
    code, lines, told = replay(state, IDENTIFIER)
    assert (1, []) == (code, lines)
    assert f"dubito: no prediction is recorded under {IDENTIFIER}\n" == told


@pytest.mark.parametrize("name", [b"\xff", b"\xed\xa0\x80", b"0" * 5_000])
def test_what_is_no_identifier_is_told(state: Path, name: bytes) -> None:
    """In a sentence too, also what no database takes: half a character, or far too much."""
    words: list[str | bytes] = [str(DUBITO), "replay", name, "--state", str(state)]
    done = subprocess.run(words, env=environment(), capture_output=True, check=False)
    assert (1, b"") == (done.returncode, done.stdout)
    assert done.stderr.startswith(b"dubito: no prediction is recorded under ")
    assert 1 == done.stderr.count(b"\n")


def test_a_bundle_that_is_gone_is_told(state: Path, tmp_path: Path) -> None:
    """Of each of its predictions, and the exit code says that not all are identical."""
    shutil.copytree(ROOT / "models" / "loan-grade" / "2", tmp_path / "loan-grade" / "2")
    code, lines, told = replay(state, "--models", str(tmp_path))
    assert (1, "0 of 4 identical\n") == (code, told)
    sentence = "bundle loan-grade/1, which produced this prediction, is no longer available"
    assert {sentence} == {reason for line in lines for reason in line["reasons"]}


def test_what_it_does_not_know_is_told(state: Path) -> None:
    """Exit code 2, and the sentence names it."""
    done = command("replay", "--epochs", "3", "--state", str(state))
    assert (2, b"dubito: replay does not know --epochs\n") == (done.returncode, done.stderr)
