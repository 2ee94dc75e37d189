"""Names of layers in files: the public modules', whatever the source's files are called."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import keras
import numpy as np
import pytest

from dubito.layers.registry import MODULE, PACKAGE, registered
from dubito.types import Query
from tests.networks import ROOT, engine, rows
from tests.service import environment

SHIPPED = ROOT / "models" / "loan-grade" / "5"
OTHER = "of_another_name"
PROGRAM = """
import json, sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import dubito
from dubito.bundle import load
from dubito.bundles.repository import write_bundle
from dubito.layers import MCDropout
from dubito.layers.archive import from_bytes, to_bytes
from dubito.types import Cards

folder, models = map(Path, sys.argv[1:])
values = np.array(json.loads(sys.stdin.read()))
bundle = load(folder)
network = to_bytes(from_bytes((folder / "model.keras").read_bytes()))
given = replace(bundle.manifest, network_digests=("",))
again = write_bundle(models, given, [network], Cards("card"))[0]
found = [one.predict_mc(values, 100, 42) for one in (bundle, load(again))]
layers = from_bytes((again / "model.keras").read_bytes()).layers
print(json.dumps({
    "at": str(Path(dubito.__file__).parent),
    "mean": [one.mean.tobytes().hex() for one in found],
    "std": [one.std.tobytes().hex() for one in found],
    "modules": sorted(name for name in sys.modules if name.startswith("dubito.layers")),
    "layers": [type(layer).__name__ for layer in layers if isinstance(layer, MCDropout)],
}))
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with a copy of the library in which a module of layers has another name."""
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    package = Path(shutil.copytree(ROOT / "dubito", source / "dubito", ignore=ignored))
    (package / "layers" / "monte_carlo.py").rename(package / "layers" / f"{OTHER}.py")
    changed = 0
    for file in package.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        renamed = re.sub(r"\bdubito\.layers\.monte_carlo\b", f"dubito.layers.{OTHER}", text)
        changed += renamed != text
        file.write_text(renamed, encoding="utf-8")
    assert changed > 1
    return source


def named_in(network: Path) -> set[tuple[str, str, str]]:
    """Module, class and registered name of every layer of ours in a file."""
    with zipfile.ZipFile(network) as archive:
        config = archive.read("config.json").decode()
    found: set[tuple[str, str, str]] = set()

    def note(members: dict[str, object]) -> dict[str, object]:
        name = members.get("registered_name")
        if isinstance(name, str) and name.startswith(f"{PACKAGE}>"):
            found.add((str(members["module"]), str(members["class_name"]), name))
        return members

    json.loads(config, object_hook=note)
    return found


def test_a_module_may_be_renamed(elsewhere: Path, tmp_path: Path) -> None:
    """Published files load and predict as ever, and what is written names the public module."""
    values, models = np.floor(rows(6, 2)), tmp_path / "models"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(SHIPPED), str(models)],
        cwd=tmp_path,
        env=environment({"PYTHONPATH": str(elsewhere), "TF_CPP_MIN_LOG_LEVEL": "3"}),
        input=json.dumps(values.tolist()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert str(elsewhere / "dubito") == found["at"]
    assert f"dubito.layers.{OTHER}" in found["modules"]
    assert "dubito.layers.monte_carlo" not in found["modules"]
    assert found["layers"]
    (summary,) = engine("5").summarise([Query(values, 100, 42)])
    assert [summary.mean.tobytes().hex()] * 2 == found["mean"]
    assert [summary.std.tobytes().hex()] * 2 == found["std"]

    public = {
        ("dubito.layers", "Impute", "dubito>Impute"),
        ("dubito.layers", "MCDropout", "dubito>MCDropout"),
        ("dubito.loans.layers", "AmortizationLattice", "dubito>AmortizationLattice"),
        ("dubito.loans.layers", "GradeEvidence", "dubito>GradeEvidence"),
        ("dubito.loans.layers", "LoanFeatures", "dubito>LoanFeatures"),
    }
    assert public == named_in(models / "loan-grade" / "5" / "model.keras")
    before = named_in(SHIPPED / "model.keras")
    assert {one[1:] for one in public} == {one[1:] for one in before}
    assert not public & before


def test_a_layer_is_written_as_of_the_public_module() -> None:
    """Whichever module defines it; a domain's is its own."""

    @registered()
    class Probe(keras.layers.Layer):
        pass

    @registered("dubito.elsewhere.layers")
    class OtherProbe(keras.layers.Layer):
        pass

    try:
        for layer, module in ((Probe, MODULE), (OtherProbe, "dubito.elsewhere.layers")):
            written = keras.saving.serialize_keras_object(layer())
            assert (module, layer.__name__, f"dubito>{layer.__name__}") == (
                written["module"],
                written["class_name"],
                written["registered_name"],
            )
            assert isinstance(keras.saving.deserialize_keras_object(written), layer)
    finally:
        for name in ("Probe", "OtherProbe"):
            keras.saving.get_custom_objects().pop(f"dubito>{name}", None)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (
            "dubito.layers",
            ("MCDropout", "MCAlphaDropout", "MCGaussianDropout", "MCSpatialDropout1D", "Impute"),
        ),
        ("dubito.loans.layers", ("LoanFeatures", "AmortizationLattice", "GradeEvidence")),
    ],
)
def test_the_public_modules_have_what_files_name(module: str, names: tuple[str, ...]) -> None:
    """A reader that knows nothing of registration finds each layer where a file says."""
    for name in names:
        layer = getattr(import_module(module), name)
        assert (module, name) == (layer.__module__, layer.__name__)
        assert layer is keras.saving.get_registered_object(f"dubito>{name}")
