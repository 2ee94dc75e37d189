"""The kernel's functions as a library of their own, for tests alone."""

import ctypes
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.networks import ROOT

HERE = Path(__file__).parent
NATIVE = ROOT / "dubito" / "engine" / "backends" / "native"
FLAGS = ("-std=gnu11", "-O2", "-ffp-contract=off", "-fno-math-errno", "-shared", "-fPIC")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The functions, compiled for tests."""
    built = tmp_path_factory.mktemp("functions") / "functions.so"
    compiler = sysconfig.get_config_var("CC").split()
    subprocess.run(
        [*compiler, *FLAGS, f"-I{NATIVE}", str(HERE / "functions.c"), "-o", str(built), "-lm"],
        check=True,
    )
    return ctypes.CDLL(str(built))


@pytest.fixture(scope="session")
def of_clang(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ctypes.CDLL]:
    """Both kernels, built by another compiler than the installed ones: `kernel` and `lattice`."""
    folder = tmp_path_factory.mktemp("clang")
    flags = [*FLAGS, "-O3", "-fno-trapping-math", "-mcpu=baseline"]
    sources = {
        "kernel": NATIVE / "kernel.c",
        "lattice": ROOT / "dubito" / "loans" / "formulas" / "lattice.c",
    }
    for name, source in sources.items():
        command = [sys.executable, "-m", "ziglang", "cc", *flags, str(source), "-lm"]
        subprocess.run([*command, "-o", str(folder / f"{name}.so")], check=True)
    return {name: ctypes.CDLL(str(folder / f"{name}.so")) for name in sources}
