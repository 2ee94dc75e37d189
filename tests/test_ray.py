"""Tables that are scored on a cluster: the same answers, whichever node computes them."""

import json
import os
import subprocess
import sysconfig
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from dubito.bundle import load
from dubito.cli.main import main
from tests.scored import digest_of, rows_like, write_csv, write_parquet
from tests.service import DUBITO, ROOT, environment

FOLDER = ROOT / "models" / "loan-grade" / "5"
PYTHON = ROOT / ".venv" / "ray" / "bin" / "python"
NODES = 3
ROWS = 100_000
PASSES = "20"
SECONDS = 300


def cluster_environment() -> dict[str, str]:
    """That of Ray's own installation, which finds this project and what it needs behind its own."""
    packages = sysconfig.get_path("purelib")
    found = environment()
    found["PYTHONPATH"] = os.pathsep.join([str(ROOT), packages])
    return found


def words(table: Path, out: Path, *more: str) -> list[str]:
    where = ("--out", str(out), "--model", str(FOLDER), "--key", "case", "--passes", PASSES)
    return ["score", str(table), *where, *more]


def on_cluster(
    table: Path,
    out: Path,
    *more: str,
    kill: float = 0.0,
    variables: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[bytes]":
    """Score a table on several nodes, one of which is killed after some seconds."""
    program = ROOT / "tests" / "clients" / "ray_cluster.py"
    command = (str(PYTHON), str(DUBITO), *words(table, out, *more))
    return subprocess.run(
        [str(PYTHON), str(program), str(NODES), str(kill), json.dumps(variables or {}), *command],
        env=cluster_environment(),
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def rows() -> Sequence[dict[str, Any]]:
    some = rows_like(load(FOLDER), 500)
    return [{"case": f"K-{at}", **some[at % len(some)]} for at in range(ROWS)]


@pytest.fixture(scope="module")
def table(rows: Sequence[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("table") / "table.csv", rows)


@pytest.fixture(scope="module")
def digest(table: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the answers that this machine gives alone."""
    out = tmp_path_factory.mktemp("alone") / "out"
    assert 0 == main(words(table, out))
    return digest_of(out)


@pytest.mark.claim("a table on a cluster", test=0, proof=ROWS)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_cluster_gives_the_same_answers(
    rows: Sequence[dict[str, Any]],
    table: Path,
    digest: str,
    tmp_path: Path,
    form: str,
    count: int,
    record_property: Any,
) -> None:
    """To the last bit, from either kind of file."""
    source = table if form == "csv" else write_parquet(tmp_path / "table", rows)
    done = on_cluster(source, tmp_path / "out")
    assert 0 == done.returncode, done.stderr
    assert digest == digest_of(tmp_path / "out")
    record_property("figure", f"{count:,} rows of {form}, {NODES} nodes")


@pytest.mark.claim("a table on a cluster", test=0, proof=ROWS)
def test_a_node_that_is_killed_changes_nothing(
    table: Path, digest: str, tmp_path: Path, count: int, record_property: Any
) -> None:
    """In the middle of the table, without a warning."""
    start = time.monotonic()
    done = on_cluster(table, tmp_path / "whole")
    assert 0 == done.returncode, done.stderr
    killed = on_cluster(table, tmp_path / "out", kill=(time.monotonic() - start) / 2)
    assert 0 == killed.returncode, killed.stderr
    assert digest == digest_of(tmp_path / "out")
    record_property("figure", f"{count:,} rows, one of {NODES} nodes killed")


@pytest.mark.claim("a table on a cluster", test=0, proof=1)
def test_a_cluster_of_several_environments_is_refused(table: Path, tmp_path: Path) -> None:
    """One of its nodes has another one, which the bits of NumPy depend on: the fact is told."""
    other = {"NPY_DISABLE_CPU_FEATURES": "AVX512F"}
    done = on_cluster(table, tmp_path / "out", "--backend", "numpy", variables=other)
    assert 2 == done.returncode
    assert b"computes with flags" in done.stderr.splitlines()[-1]
    assert b"NPY_DISABLE_CPU_FEATURES=AVX512F" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()
