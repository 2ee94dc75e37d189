"""`dubito serve --workers`: one port, several processes, none of them missed for long."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.hostile import HOSTILE, seal
from tests.service import ROOT, Service, command, is_alive, serving, until

READY = re.compile(r"worker (\d+) serves")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving("loan-grade/1", "--workers", "2", "--records", "off") as found:
        until(lambda: len(workers(found)) == 2)
        yield found


def workers(service: Service) -> list[int]:
    """Process ids of all workers that ever served."""
    return [int(found) for found in READY.findall(service.written())]


def answer(service: Service) -> dict[str, object]:
    row = {
        "loan_amount": 12000,
        "annual_income": 96000,
        "debt_to_income": 8.6,
        "total_credit_lines": 14,
        "delinq_2y": 0,
        "paid_principal": 773.87,
        "paid_interest": 126.62,
        "paid_late_fees": 0,
        "current_accounts_delinq": 0,
    }
    found: dict[str, object] = httpx.post(f"{service.url}/predict/mc?seed=7", json=row).json()
    return {name: found[name] for name in ("mean", "std", "seed", "passes")}


def test_every_worker_gives_the_same_answer(service: Service) -> None:
    """Over many connections both processes answer, to the last bit alike."""
    assert 1 == len({json.dumps(answer(service)) for _ in range(40)})


def test_a_crashed_worker_is_replaced(service: Service) -> None:
    """SIGKILL to one: the other goes on answering, a third takes its place, the log says so."""
    before = workers(service)
    os.kill(before[0], signal.SIGKILL)
    until(lambda: not is_alive(before[0]))
    assert 7 == answer(service)["seed"]
    until(lambda: len(workers(service)) == len(before) + 1)
    assert "a worker ended with code -9; a replacement starts in 1 s" in service.written()


def test_workers_whose_counts_were_removed_are_replaced(service: Service) -> None:
    """Somebody deletes the folder that workers count in: it is made anew, and the log says so."""
    before = workers(service)
    crashed, other = (pid for pid in before if is_alive(pid))
    shutil.rmtree(service.log.parent / "var" / "metrics")
    os.kill(crashed, signal.SIGKILL)
    # The one that goes on counts where nobody looks, and is replaced in its turn.
    until(lambda: len(workers(service)) == len(before) + 2)
    assert not is_alive(other)
    assert "the workers' counts were removed" in service.written()
    assert "Traceback" not in service.written()
    for _ in range(20):
        assert 7 == answer(service)["seed"]
        assert "dubito_rows_total" in httpx.get(f"{service.url}/metrics").text


def test_a_signal_ends_all(service: Service) -> None:
    """SIGTERM to the supervisor ends it with 0, and no worker is left."""
    assert 0 == service.stop()
    assert not any(map(is_alive, workers(service)))
    assert "Traceback" not in service.written()


def test_workers_do_not_outlive_their_supervisor() -> None:
    """When the supervisor is killed, its workers end by themselves."""
    with serving("loan-grade/1", "--workers", "2", "--records", "off") as found:
        until(lambda: len(workers(found)) == 2)
        os.kill(found.process.pid, signal.SIGKILL)
        until(lambda: not any(map(is_alive, workers(found))))


def test_a_broken_bundle_ends_the_start(tmp_path: Path) -> None:
    """One sentence and exit code 1, however many workers found the fault."""
    name = next(name for name, hostile in HOSTILE.items() if hostile.seen_in != "files")
    folder = tmp_path / "loan-grade" / "2"
    shutil.copytree(ROOT / "models" / "loan-grade" / "2", folder)
    HOSTILE[name].damage(folder)
    done: subprocess.CompletedProcess[bytes] = command(
        "serve", "--models", str(tmp_path), "--port", "0", "--workers", "3", "--records", "off"
    )
    (line,) = done.stderr.decode().splitlines()
    assert 1 == done.returncode
    assert HOSTILE[name].sentence in line


def test_another_bundle_in_its_place_is_never_served(tmp_path: Path) -> None:
    """A worker that follows refuses what took its bundle's place; the others go on as before."""
    folder = tmp_path / "loan-grade" / "1"
    shutil.copytree(ROOT / "models" / "loan-grade" / "1", folder)
    options = ("--models", str(tmp_path), "--workers", "2", "--records", "off")
    with serving("loan-grade/1", *options) as found:
        until(lambda: len(workers(found)) == 2)
        before, card = answer(found), httpx.get(f"{found.url}/model/card").text
        shutil.rmtree(folder)
        shutil.copytree(ROOT / "models" / "loan-grade" / "2", folder)
        (folder / "SHA256SUMS").unlink()
        seal(folder, version=1)
        os.kill(workers(found)[0], signal.SIGKILL)
        until(lambda: "not the pinned" in found.written())
        assert (before, card) == (answer(found), httpx.get(f"{found.url}/model/card").text)
        assert 2 == len(workers(found))
