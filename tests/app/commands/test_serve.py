"""`dubito serve` refuses what must not be served: one sentence, exit code 1, no port."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.hostile import HOSTILE, seal
from tests.service import (
    DUBITO,
    ROOT,
    address,
    begin,
    command,
    ended,
    environment,
    serving,
)

GOOD = ROOT / "models" / "loan-grade" / "2"
MEMORY = 3 << 29
"""Bytes of address space; a bomb inflates to 2³⁰ alone."""

OF_FILES = [name for name, hostile in HOSTILE.items() if hostile.seen_in == "files"]


LOAN = example(inspect(GOOD).manifest.signature)


def without_tensorflow() -> dict[str, str]:
    """Variables with which an import of TensorFlow or Keras fails, here and in other processes."""
    blocked = f"{ROOT / 'tests' / 'blocked'}{os.pathsep}{ROOT}"
    return environment({"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": blocked})


def damaged(name: str, root: Path) -> Path:
    folder = Path(shutil.copytree(GOOD, root / "loan-grade" / "2"))
    HOSTILE[name].damage(folder)
    return folder


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def started(name: str, folder: Path) -> tuple[subprocess.CompletedProcess[str], int, bool]:
    """A start with a hostile bundle; its port, and whether that ever opened."""
    guarded, port, opened = HOSTILE[name].seen_in == "files", free_port(), False
    changes = {"DUBITO_STATE": str(folder / "var")}
    process = subprocess.Popen(
        [
            str(DUBITO),
            "serve",
            "--models",
            str(folder.parent.parent),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ],
        cwd=ROOT,
        env=without_tensorflow() | changes if guarded else environment(changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limited if guarded else None,
    )
    try:
        while process.poll() is None:
            with socket.socket() as probe:
                opened |= probe.connect_ex(("127.0.0.1", port)) == 0
            time.sleep(0.02)
        out, err = process.communicate()
    finally:
        ended(process)
    return subprocess.CompletedProcess([], process.returncode, out, err), port, opened


def refusal(done: subprocess.CompletedProcess[str], name: str) -> None:
    """One sentence that names the fault, and nothing else."""
    assert 1 == done.returncode, done.stderr
    assert "" == done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("dubito: ")
    assert HOSTILE[name].sentence in line
    assert any(file in line for file in ("bundle.json", "model.keras", "MODEL_CARD.md"))
    assert "Traceback" not in line


@pytest.mark.claim("hostile starts", test=4, proof=len(HOSTILE))
def test_a_hostile_bundle_is_never_served(tmp_path: Path, record_property: Any, count: int) -> None:
    """`dubito serve` with a hostile bundle: exit code 1, one sentence, the port never open.

    What files alone can show is found where TensorFlow cannot be imported, in 1.5 GiB of memory.
    """
    # Those that only the answers show are few; a sample has one of them.
    names = sorted(HOSTILE, key=lambda name: (HOSTILE[name].seen_in == "files", len(name), name))
    chosen = names if count >= len(names) else [names[0], *names[3 :: len(names) // (count - 1)]]
    for name in chosen[:count]:
        done, _, opened = started(name, damaged(name, tmp_path / name.replace(" ", "-")))
        refusal(done, name)
        assert not opened, name
    record_property("figure", f"{len(chosen[:count])} refused")


MANY = """
import contextlib, io, json, sys
from dubito.cli.main import main
for folder in sys.argv[1:]:
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        code = main(["serve", "--models", folder, "--port", "1"])
    print(json.dumps([code, told.getvalue()]))
"""


def test_hostile_files_are_found_without_tensorflow(tmp_path: Path) -> None:
    """Every fault of the files ends a start before TensorFlow or Keras is imported."""
    folders = [damaged(name, tmp_path / str(at)) for at, name in enumerate(OF_FILES)]
    done = subprocess.run(
        [sys.executable, "-c", MANY, *(str(folder.parent.parent) for folder in folders)],
        cwd=ROOT,
        env=without_tensorflow(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
    )
    assert 0 == done.returncode, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(OF_FILES) == len(found)
    for name, (code, told) in zip(OF_FILES, found, strict=True):
        refusal(subprocess.CompletedProcess([], code, "", told), name)


def test_the_guard_lets_a_good_bundle_pass_to_keras() -> None:
    """Where TensorFlow cannot be imported a good bundle fails for that, and for nothing else."""
    done = subprocess.run(
        [str(DUBITO), "serve", str(GOOD), "--port", "0", "--backend", "tensorflow"],
        cwd=ROOT,
        env=without_tensorflow(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert 1 == done.returncode
    (line,) = done.stderr.splitlines()
    assert "the network needs Keras and TensorFlow, which cannot be imported: import of" in line


@pytest.mark.parametrize("backend", ["auto", "numpy"])
def test_networks_with_kernels_are_served_without_tensorflow(backend: str, tmp_path: Path) -> None:
    """The shipped one, lattice and all, natively and by NumPy."""
    blocked = {"PYTHONPATH": without_tensorflow()["PYTHONPATH"]}
    changes = {**blocked, "DUBITO_STATE": str(tmp_path), "DUBITO_BACKEND": backend}
    with serving("loan-grade", changes=changes) as service:
        answer = httpx.post(f"{service.url}/predict/mc", json=LOAN, timeout=10)
        assert 200 == answer.status_code
        expected = "native" if backend == "auto" else backend
        assert expected == httpx.get(f"{service.url}/model").json()["backend"]


def test_a_pinned_digest_is_the_only_one(tmp_path: Path) -> None:
    """DUBITO_DIGEST that is another bundle's ends the start."""
    done = command("serve", changes={"DUBITO_DIGEST": "sha256:" + "0" * 64})
    assert 1 == done.returncode
    (line,) = done.stderr.decode().splitlines()
    assert "bundle.json" in line
    assert "digest" in line


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["nothing"], "holds no bundle"),
        (["loan-grade/77"], "has no version 77"),
        (["--models", "/nowhere"], "holds no bundle"),
    ],
)
def test_no_bundle_no_start(arguments: list[str], fragment: str) -> None:
    """A bundle that is not there ends the start with exit code 1 and one line."""
    done = command("serve", "--port", "0", *arguments)
    (line,) = done.stderr.decode().splitlines()
    assert (1, b"") == (done.returncode, done.stdout)
    assert fragment in line


def test_a_port_in_use_is_one_sentence() -> None:
    """Another's port: one sentence, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("serve", "--host", "127.0.0.1", "--port", str(port))
    (line,) = done.stderr.decode().splitlines()
    assert 1 == done.returncode
    assert str(port) in line
    assert "in use" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_service(number: signal.Signals) -> None:
    """Any of them ends it with exit code 0 and without a traceback."""
    with serving("loan-grade/1") as service:
        model = httpx.get(f"{service.url}/model").json()
        assert 0 == service.stop(number)
        written = service.written()
    assert "Traceback" not in written
    assert ("loan-grade", 1) == (model["name"], model["version"])


def test_misspelt_settings_are_told() -> None:
    """A variable that looks like a setting and is none is named in the log."""
    with serving("loan-grade/1", changes={"DUBITO_MAX_ROW": "5"}) as service:
        assert "DUBITO_MAX_ROW is not a setting" in service.written()


def test_flags_and_variables_reach_the_service(tmp_path: Path) -> None:
    """What is set is what `GET /model` tells; a flag wins over its variable."""
    log = tmp_path / "log"
    changes = {"DUBITO_MAX_ROWS": "7", "DUBITO_MAX_PASSES": "9", "DUBITO_VERSION": "1"}
    process = begin(log, "--max-rows", "8", changes=changes)
    try:
        model = httpx.get(address(process, log) + "/model").json()
    finally:
        ended(process)
    assert (8, 9, 1) == (model["limits"]["rows"], model["limits"]["passes"], model["version"])


def _seven(calibration: dict[str, Any]) -> None:
    calibration["coverage"] = 7


def _unpromised(calibration: dict[str, Any]) -> None:
    calibration["policy"]["target"] = 0.123


def _few(calibration: dict[str, Any]) -> None:
    calibration["scores"]["lac"] = [0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_seven, "calibration.coverage is not from 0.5 to 0.999"),
        (_unpromised, "calibration.policy.target is not one of the promised targets"),
        (_few, "calibration.scores.lac has 3 rows, but labels has 1067"),
    ],
)
def test_a_calibration_that_contradicts_itself_is_not_served(
    change: Callable[[dict[str, Any]], None], sentence: str, tmp_path: Path
) -> None:
    """Sealed as a good one is: one sentence and exit code 1, before any port opens."""
    folder = tmp_path / "loan-grade" / "4"
    shutil.copytree(ROOT / "models" / "loan-grade" / "4", folder)
    calibration = json.loads((folder / "bundle.json").read_bytes())["calibration"]
    change(calibration)
    seal(folder, calibration=calibration)
    done = command("serve", "--port", "0", "--models", str(tmp_path))
    assert (1, b"") == (done.returncode, done.stdout)
    assert f"dubito: bundle.json: {sentence}\n" == done.stderr.decode()


def test_a_bundle_without_its_card_is_not_served(tmp_path: Path) -> None:
    """Its writer always makes one: one sentence and exit code 1."""
    folder = tmp_path / "loan-grade" / "1"
    shutil.copytree(ROOT / "models" / "loan-grade" / "1", folder)
    (folder / "MODEL_CARD.md").unlink()
    places = ("--models", str(tmp_path), "--state", str(tmp_path / "var"))
    done = command("serve", "--port", "0", *places)
    assert (1, b"dubito: MODEL_CARD.md is missing\n") == (done.returncode, done.stderr)
    # The recorder's process has begun by then, but neither made nor opened anything.
    assert not (tmp_path / "var").exists()
