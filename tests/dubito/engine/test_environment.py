"""The numerical environment: what its fingerprint covers, and what it must not depend on."""

import os
import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info

from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.environment import FLAGS, environment
from tests.networks import ROOT

SCRIPT = (
    "from dubito.engine.arithmetic import *; from dubito.engine.environment import *;"
    " pin_arithmetic(); print(environment('p').fingerprint)"
)


def fingerprint(script: str = SCRIPT, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **variables},
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


def test_one_process_has_one_fingerprint() -> None:
    """Asked twice, the environment is the same; it is a SHA-256."""
    assert environment("stacked") == environment("stacked")
    assert environment("stacked").fingerprint.startswith("sha256:")
    assert len(environment("stacked").fingerprint) == 71


def test_the_engines_path_is_part_of_it() -> None:
    """Two executions have two fingerprints: their bits differ."""
    assert environment("stacked").fingerprint != environment("graph").fingerprint


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_that_changes_arithmetic_is_part_of_it(
    flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each listed variable changes the fingerprint, by being set and by its value."""
    monkeypatch.delenv(flag, raising=False)
    seen = {environment("stacked").fingerprint}
    for value in ("0", "1"):
        monkeypatch.setenv(flag, value)
        seen.add(environment("stacked").fingerprint)
    assert len(seen) == 3


def test_another_variable_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that change no arithmetic leave it."""
    before = environment("stacked").fingerprint
    monkeypatch.setenv("DUBITO_PORT", "1")
    monkeypatch.setenv("PYTHONHASHSEED", "3")
    assert environment("stacked").fingerprint == before


def test_the_versions_are_among_the_facts() -> None:
    """Keras, TensorFlow, NumPy, processor and BLAS are named."""
    facts = environment("stacked").facts
    assert {"keras", "tensorflow", "numpy", "machine", "instructions", "blas"} <= set(facts)
    assert all(facts[name] for name in ("keras", "tensorflow", "numpy", "machine", "blas"))


def test_arithmetic_is_pinned_to_one_thread() -> None:
    """After pinning, every BLAS runs in the calling thread."""
    pin_arithmetic()
    used = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert set(used) == {1}


def test_libraries_that_take_no_part_change_nothing() -> None:
    """Whether SciPy and scikit-learn, which only training needs, are there changes nothing."""
    without = "import sys; sys.modules.update(dict.fromkeys(('scipy', 'sklearn', 'pandas'))); "
    imported = "import scipy.linalg, sklearn.metrics; "
    assert fingerprint(imported + SCRIPT) == fingerprint(without + SCRIPT)


def test_other_kernels_of_blas_are_another_environment() -> None:
    """BLAS told to take an older processor's kernels has another fingerprint."""
    cores = [fingerprint(OPENBLAS_CORETYPE=core) for core in ("Haswell", "Sandybridge")]
    assert len(set(cores)) == 2
