"""Two distributions: the library alone, and the service that is installed beside it."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import dubito
from tests.service import ROOT

ROW = {
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
HEAVY = ("keras", "tensorflow", "h5py", "pydantic")
OF_SERVICE = ("fastapi", "starlette", "uvicorn", "sqlalchemy", "prometheus_client", "app")
ASK = f"""
import json, sys
import dubito
heavy = [name for name in {HEAVY!r} if name in sys.modules]
prediction = dubito.load({str(ROOT / "models" / "loan-grade" / "5")!r}).predict_mc(
    [{ROW!r}], passes=100, seed=42
)
service = [name for name in {OF_SERVICE!r} if name in sys.modules]
print(json.dumps([heavy, service, prediction.mean.tolist(), prediction.std.tolist()]))
"""
OTHER_NUMPY = "numpy==2.3.*"
OF_DRAWS = """
import hashlib
import numpy as np
import dubito
from dubito.inputs.rows import example
digest = hashlib.sha256()
for version in (1, 2, 5):
    bundle = dubito.load(f"{root}/models/loan-grade/{{version}}", backend="native")
    usual = list(example(bundle.manifest.signature).values())
    rows = np.repeat(np.array([usual], dtype=float), {count}, axis=0)
    money = [0, 1, 5, 6]
    rows[:, money] *= np.random.RandomState(3).uniform(0.5, 1.5, ({count}, len(money)))
    found = bundle.predict_mc(rows, passes=40, seed=7, keep_draws=True)
    for values in (found.mean, found.std, found.draws):
        digest.update(np.ascontiguousarray(values).tobytes())
print(np.__version__, digest.hexdigest())
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both wheels by the name of their distribution, built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheels")
    tree = folder / "tree"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "dubito", "app", "pyproject.toml", "README.md", "LICENSE"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    variables = {**os.environ, "PYTHONPATH": str(tree)}
    for source in (tree, tree / "app"):
        words = [*build, "--wheel-dir", str(folder), str(source)]
        subprocess.run(words, check=True, env=variables, capture_output=True)
    return {wheel.name.partition("-")[0]: wheel for wheel in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def library(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages: the library's wheel and what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("library")
    with zipfile.ZipFile(wheels["dubito"]) as wheel:
        wheel.extractall(folder)
    for needed in needs("dubito", set()):
        link(needed, folder)
    return folder


def needs(name: str, known: set[str]) -> Iterator[Distribution]:
    """Yield the distributions that one needs, and those that these need, without extras."""
    for text in distribution(name).requires or ():
        wanted = Requirement(text)
        if wanted.name in known or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        known.add(wanted.name)
        try:
            yield distribution(wanted.name)
        except PackageNotFoundError:
            continue
        yield from needs(wanted.name, known)


def link(needed: Distribution, folder: Path) -> None:
    """Link what a distribution installed, file by file where several share a folder."""
    for file in needed.files or ():
        target = folder / file
        if ".." in file.parts or file.suffix == ".pyc":
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(Path(str(needed.locate_file(file))))


def run(library: Path, *words: str, first: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python with the library's packages alone."""
    paths = [*([] if first is None else [str(first)]), str(library)]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        [sys.executable, "-S", *words],
        env={**variables, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"},
        cwd=first or library,
        capture_output=True,
        text=True,
        check=False,
    )


def expected() -> list[list[list[float]]]:
    found = dubito.load(ROOT / "models" / "loan-grade" / "5").predict_mc([ROW], passes=100, seed=42)
    return [found.mean.tolist(), found.std.tolist()]


def test_each_wheel_holds_one_package(wheels: dict[str, Path]) -> None:
    """A top-level `app` in the library would collide with other projects' own."""
    for name, package in (("dubito", "dubito"), ("dubito_service", "app")):
        with zipfile.ZipFile(wheels[name]) as wheel:
            tops = {member.partition("/")[0] for member in wheel.namelist()}
        assert {package} == {top for top in tops if not top.endswith(".dist-info")}
    with zipfile.ZipFile(wheels["dubito_service"]) as wheel:
        assert "app/dashboard/assets/index.html" in wheel.namelist()
    with zipfile.ZipFile(wheels["dubito"]) as wheel:
        assert {"dubito/py.typed", "dubito/training/report/page.html"} <= set(wheel.namelist())


def test_both_have_one_version(wheels: dict[str, Path]) -> None:
    """The version is said once, in `dubito/__init__.py`."""
    assert {wheel.name.split("-")[1] for wheel in wheels.values()} == {dubito.__version__}


def test_the_service_names_all_its_packages() -> None:
    """Setuptools cannot find the packages of a folder that is itself one."""
    project = tomllib.loads((ROOT / "app" / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {path.parent for path in (ROOT / "app").rglob("__init__.py")}
    names = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert names == set(project["tool"]["setuptools"]["packages"])


def test_the_library_works_alone(library: Path) -> None:
    """Its wheel and what it needs answer to the bit; importing it imports nothing heavy."""
    done = run(library, "-c", ASK)
    assert 0 == done.returncode, done.stderr
    heavy, service, *found = json.loads(done.stdout)
    assert [] == heavy == service
    assert expected() == found


@pytest.mark.parametrize("name", ["fastapi", "sqlalchemy", "app"])
def test_the_library_comes_without_the_service(library: Path, name: str) -> None:
    """What the service needs is not there, so the test above would notice its use."""
    assert 0 != run(library, "-c", f"import {name}").returncode


@pytest.mark.parametrize("command", ["serve", "records", "replay"])
def test_commands_of_the_service_say_what_they_need(library: Path, command: str) -> None:
    """`dubito serve` without the service is wrong use, told in a sentence."""
    program = f"import sys; from dubito.cli.main import main; sys.exit(main(['{command}']))"
    done = run(library, "-c", program)
    assert 2 == done.returncode
    assert f"dubito: {command} needs the service: install dubito-service\n" == done.stderr


def test_a_foreign_package_called_app_changes_nothing(library: Path, tmp_path: Path) -> None:
    """Half of the world's FastAPI projects have one on their path."""
    package = tmp_path / "app"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n", encoding="utf-8")
    done = run(library, "-c", ASK, first=tmp_path)
    assert 0 == done.returncode, done.stderr
    assert expected() == json.loads(done.stdout)[2:]


def test_serve_works_from_any_folder(tmp_path: Path) -> None:
    """The service's commands join the library's wherever both are installed."""
    program = "import sys; from dubito.cli.main import main; sys.exit(main(['serve', '--help']))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    assert "--max-passes" in done.stdout


@pytest.mark.claim("native with another NumPy", test=0, proof=2_000)
def test_another_numpy_gives_the_same_bits(
    count: int, library: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """NumPy 2.3 in an environment of its own: draws and statistics of the served networks."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run([*install, str(tmp_path), OTHER_NUMPY], check=True, capture_output=True)
    asked = OF_DRAWS.format(root=str(ROOT), count=count)
    there = run(library, "-c", asked, first=tmp_path)
    here = run(library, "-c", asked)
    assert (0, 0) == (there.returncode, here.returncode), there.stderr + here.stderr
    (other, found), (own, expected) = (one.stdout.split() for one in (there, here))
    assert "2.3" in other
    assert other != own
    assert expected == found
    record_property("figure", f"NumPy {other} and {own}: no bit differs")


@pytest.mark.claim("a wheel for old systems", test=0, proof=1)
def test_the_wheel_needs_no_new_glibc(count: int) -> None:
    """`make wheel`: one for manylinux2014, whose kernels ask for glibc 2.17 at most."""
    subprocess.run(["make", "--silent", "wheel"], cwd=ROOT, check=True, capture_output=True)
    wheels = list((ROOT / "build" / "wheels").glob("*.whl"))
    assert count == len(wheels)
    assert wheels[0].name.endswith("-manylinux2014_x86_64.whl")
    with zipfile.ZipFile(wheels[0]) as archive:
        kernels = [archive.read(name) for name in archive.namelist() if name.endswith(".so")]
    assert 2 == len(kernels)
    needed = {version for kernel in kernels for version in re.findall(rb"GLIBC_2\.(\d+)", kernel)}
    assert max(map(int, needed)) <= 17
