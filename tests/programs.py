"""Programs that some tests start, from Debian's packages; without them those tests are skipped.

Node is the one of the virtual environment.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest

PACKAGES = {
    "chromium": "chromium",
    "curl": "curl",
    "go": "golang-go",
    "java": "default-jdk-headless",
    "nginx": "nginx",
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "wget": "wget",
}


def program(name: str) -> str:
    """Where a program is."""
    own = Path(sys.executable).parent
    found = shutil.which(name, path=f"{own}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"Debian's package {PACKAGES.get(name, name)} is not installed")
    return found


def browser() -> str:
    """Where Chromium is; the one without windows needs a fifth less of the processor."""
    return shutil.which("chromium-headless-shell") or program("chromium")


def postgres_folder() -> Path:
    """Where the programs of PostgreSQL's server are, of its newest version here."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda at: float(at.parent.name))
    if not found:
        pytest.skip("Debian's package postgresql is not installed")
    return found[-1]


def false_clock() -> Path:
    """The library that gives a process another clock."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("Debian's package faketime is not installed")
    return found[0]
