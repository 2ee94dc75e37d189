"""The kernel's functions as a library of their own, for tests alone."""

import ctypes
import subprocess
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
