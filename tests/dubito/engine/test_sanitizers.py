"""The kernels under sanitizers of addresses and of undefined behaviour."""

import os
import pickle
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from dubito.engine.compiler.flattening import flatten
from dubito.engine.compiler.lowering import program_of
from tests.dubito.engine.conftest import FLAGS, HERE, NATIVE
from tests.networks import ROOT, SINGLE, network

SANITIZERS = "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1", "-g"
LIBRARIES = ("libasan.so", "libubsan.so")


@pytest.mark.claim("native sanitizers", test=0, proof=1_000)
def test_sanitizers_find_nothing(count: int, tmp_path: Path) -> None:
    """On random networks' rows, odd numbers among them, in every form of the arithmetic."""
    compiler = sysconfig.get_config_var("CC").split()
    sources = (NATIVE / "kernel.c", ROOT / "dubito" / "loans" / "formulas" / "lattice.c")
    for source in sources:
        built = tmp_path / f"{source.stem}.so"
        command = [*compiler, *FLAGS, *SANITIZERS, str(source), "-o", str(built), "-lm"]
        subprocess.run(command, check=True)
    programs = [program_of(flatten(network(name))) for name in (*SINGLE, "5")]
    (tmp_path / "programs").write_bytes(pickle.dumps(programs))
    found = [
        subprocess.run(
            [*compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in LIBRARIES
    ]
    words = [sys.executable, str(HERE / "fuzz.py"), str(tmp_path), str(tmp_path / "programs")]
    variables = {"PYTHONPATH": str(ROOT), "LD_PRELOAD": " ".join(found)}
    # Python itself never gives back what lasts as long as it does.
    quiet = {"ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"}
    done = subprocess.run(
        [*words, str(count)],
        env={**os.environ, **variables, **quiet},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr[-2_000:]
