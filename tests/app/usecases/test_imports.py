"""Use cases know nothing of how they are asked."""

import subprocess
import sys

from tests.service import ROOT, environment

PROGRAM = """
import importlib, pkgutil, sys
import app.usecases
names = [found.name for found in pkgutil.iter_modules(app.usecases.__path__)]
for name in names:
    importlib.import_module(f"app.usecases.{name}")
print(" ".join(names))
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
print(" ".join(sorted(name for name in sys.modules if name.startswith("app.http"))))
"""
NEVER = {"fastapi", "starlette", "uvicorn", "httptools", "keras", "tensorflow", "sqlalchemy"}


def test_they_import_no_http() -> None:
    """Neither a framework of it, nor our own part, nor what serves, computes or stores."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    names, modules, ours = done.stdout.splitlines()
    assert {"case", "feedback", "idempotency", "predict", "replay"} <= set(names.split())
    assert not NEVER & set(modules.split())
    assert "" == ours
