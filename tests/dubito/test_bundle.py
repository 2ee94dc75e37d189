"""Bundles written, found, loaded and asked; and what an interrupted writer leaves."""

import hashlib
import json
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dubito.bundle import Bundle, load
from dubito.bundles.manifest import Manifest
from dubito.bundles.manifest_parser import parse_manifest
from dubito.bundles.repository import check_free, find_version, versions, write_bundle
from dubito.engine.compiler import compiler
from dubito.errors import (
    BundleError,
    FieldCode,
    InvalidInput,
    NetworkError,
    Ungradable,
    UsageError,
)
from dubito.inputs.rows import example
from dubito.layers.archive import from_bytes, to_bytes
from dubito.prediction import MonteCarloPrediction
from dubito.types import MAX_SEED, Cards, Floats, Query
from tests.dubito.inputs.bodies import KOREAN, LOAN
from tests.dubito.uncertainty.driven import driven
from tests.networks import ROOT, bits, engine, rows
from tests.overflowing import HUGE, NAMES
from tests.overflowing import publish as publish_overflowing
from tests.service import environment

SHIPPED = ROOT / "models" / "loan-grade" / "1"
VERSIONS = range(1, 6)
WEIGHTS = "model.weights.h5"
MODULES = {
    "app.network.mc": "dubito.layers",
    "app.network.impute": "dubito.layers",
    "app.network.loans.features": "dubito.loans.layers",
    "app.network.loans.lattice": "dubito.loans.layers",
    "app.network.loans.evidence": "dubito.loans.layers",
}
"""Modules that files of before version 0.4 name, to those of now."""


@cache
def manifest(version: int = 1) -> Manifest:
    return parse_manifest((SHIPPED.with_name(str(version)) / "bundle.json").read_bytes())


def written(models: Path, version: int = 1, name: str = "loan-grade", of: int = 1) -> Path:
    """A shipped version written anew, under another number or name."""
    model = from_bytes((SHIPPED.with_name(str(of)) / "model.keras").read_bytes())
    given = replace(manifest(of), version=version, name=name, network_digests=("",))
    return write_bundle(models, given, [to_bytes(model)], Cards("# Card of {digest}\n"))[0]


def rewritten(models: Path, folder: Path) -> Path:
    """A bundle written once more, from its own files."""
    model = from_bytes((folder / "model.keras").read_bytes())
    given = replace(parse_manifest((folder / "bundle.json").read_bytes()), network_digests=("",))
    return write_bundle(models, given, [to_bytes(model)], Cards("# Card of {digest}\n"))[0]


def members_of(folder: Path) -> dict[str, bytes]:
    """The members of a network's archive."""
    with zipfile.ZipFile(folder / "model.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_what_is_written_loads(tmp_path: Path) -> None:
    """A written bundle loads, answers as it did and carries its digest in its card."""
    folder = written(tmp_path, 3)
    loaded = load(folder)
    assert folder == tmp_path / "loan-grade" / "3"
    assert loaded.manifest.version == 3
    query = Query(rows(4), 60, 5)
    (ours,), (theirs,) = loaded.engine.summarise([query]), engine("1").summarise([query])
    assert bits(ours) == bits(theirs)
    card = (folder / "MODEL_CARD.md").read_text()
    assert card == f"# Card of {loaded.manifest.identity.digest}\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_written_again_a_bundle_has_the_same_files(tmp_path: Path, version: int) -> None:
    """A shipped network written anew: the same, but that its layers' modules have new names.

    And what is written now, written again, is the same to the last byte.
    """
    shipped = SHIPPED.with_name(str(version))
    first, second = (written(tmp_path / name, version, of=version) for name in ("a", "b"))
    ours, theirs = members_of(first), members_of(shipped)
    assert theirs.keys() == ours.keys()
    assert theirs[WEIGHTS] == ours[WEIGHTS]
    assert theirs["metadata.json"] == ours["metadata.json"]
    assert renamed(theirs["config.json"]) == ours["config.json"]
    assert theirs["config.json"] != ours["config.json"]
    old, new = (json.loads((one / "bundle.json").read_bytes()) for one in (shipped, first))
    assert old.pop("network_sha256") != new.pop("network_sha256")
    assert old == new
    again = rewritten(tmp_path / "c", first)
    for name in ("bundle.json", "model.keras"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
        assert (first / name).read_bytes() == (again / name).read_bytes()


def renamed(config: bytes) -> bytes:
    """A configuration of before, with the names that modules have now."""
    for old, new in MODULES.items():
        config = config.replace(f'"module": "{old}"'.encode(), f'"module": "{new}"'.encode())
    return config


def test_the_sums_are_those_of_the_files(tmp_path: Path) -> None:
    """SHA256SUMS lists every other file as `sha256sum` would."""
    folder = written(tmp_path)
    listed = dict(
        line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines()
    )
    files = {file.name for file in folder.iterdir()} - {"SHA256SUMS"}
    assert listed == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_published_version_never_changes(tmp_path: Path) -> None:
    """A version that is there is refused, and its files stay as they were."""
    folder = written(tmp_path)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(BundleError, match="is already there, and a published version never"):
        written(tmp_path)
    with pytest.raises(BundleError, match="is already there, and a published version never"):
        check_free(tmp_path, "loan-grade", 1)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [entry.name for entry in folder.parent.iterdir()] == ["1"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, MemoryError])
@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_an_interrupted_writer_leaves_nothing(
    tmp_path: Path, at: int, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file was being written, no version and no draft is left."""
    number, real = iter(range(10)), Path.write_bytes

    def interrupted(self: Path, data: bytes) -> int:
        if next(number) == at:
            real(self, data[: len(data) // 2])
            raise error
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(error):
        written(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path != tmp_path / "loan-grade"] == []
    assert versions(tmp_path, "loan-grade") == []


def test_a_failing_rename_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last step as well is undone."""

    def refused(self: Path, target: Path) -> Path:
        raise OSError

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OSError, match=r"^$"):
        written(tmp_path)
    assert list((tmp_path / "loan-grade").iterdir()) == []


def test_a_bundle_of_another_digest_is_refused() -> None:
    """A pinned digest lets exactly that bundle start."""
    load(SHIPPED, pinned=manifest().identity.digest)
    with pytest.raises(BundleError, match="digest"):
        load(SHIPPED, pinned="sha256:" + "0" * 64)


def test_a_network_the_engine_refuses_is_a_fault_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the engine refuses is told with the file's name."""

    def refuse(*_: object) -> None:
        raise NetworkError("layer odd is odd")

    monkeypatch.setattr(compiler, "engine_of", refuse)
    with pytest.raises(BundleError, match=r"model\.keras: layer odd is odd$"):
        load(SHIPPED, backend="tensorflow")


def test_the_highest_version_is_found(tmp_path: Path) -> None:
    """Versions are positive integers, ordered as numbers; other entries are none."""
    for entry in ("1", "2", "10", "0", "03", "-1", "x", "1.5", ".draft-4", "٣", "²"):
        (tmp_path / "net" / entry).mkdir(parents=True)
    assert versions(tmp_path, "net") == [1, 2, 10]
    assert find_version(tmp_path, "net") == tmp_path / "net" / "10"
    assert find_version(tmp_path, "net", 2) == tmp_path / "net" / "2"


@pytest.mark.parametrize("version", [0, 3, -1])
def test_a_version_that_is_not_there_is_refused(tmp_path: Path, version: int) -> None:
    """The sentence says which versions there are."""
    (tmp_path / "net" / "1").mkdir(parents=True)
    with pytest.raises(BundleError, match=rf"net has no version {version}, it has \[1\]$"):
        find_version(tmp_path, "net", version)


@pytest.mark.parametrize("name", ["none", "empty", "file"])
def test_a_name_without_a_bundle_is_refused(tmp_path: Path, name: str) -> None:
    """No folder, an empty one, or a file hold no bundle."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match=f"{name} holds no bundle$"):
        find_version(tmp_path, name)


def test_a_file_is_no_version(tmp_path: Path) -> None:
    """A file whose name is a number is not taken for a version."""
    (tmp_path / "net" / "1").mkdir(parents=True)
    (tmp_path / "net" / "2").touch()
    assert find_version(tmp_path, "net").name == "1"


# What an open bundle answers.


@cache
def shipped(version: int) -> Bundle:
    return load(SHIPPED.with_name(str(version)))


def loans(count: int) -> Floats:
    """Loans `(N, F)`, whole numbers where they must be; every fifth lacks its third feature."""
    found = rows(count, 8, missing=True)
    whole = [3, 4, 8]
    found[:, whole] = np.floor(found[:, whole])
    return found


def named(values: Floats, names: dict[str, str] | None = None) -> list[dict[str, float | None]]:
    """Rows as mappings by the features' names, or by others of theirs; NaN is None."""
    keys = [(names or {}).get(name, name) for name in KOREAN]
    return [
        {key: None if np.isnan(value) else value for key, value in zip(keys, row, strict=True)}
        for row in values.tolist()
    ]


def same(one: MonteCarloPrediction, other: MonteCarloPrediction) -> bool:
    """Whether two predictions are the same to the last bit, and all that follows."""
    assert bits(one.summary) == bits(other.summary)
    assert one.passes.tolist() == other.passes.tolist()
    assert one.estimate.half_widths.tobytes() == other.estimate.half_widths.tobytes()
    assert (one.notices, one.seed) == (other.notices, other.seed)
    assert (one.judgement is None) == (other.judgement is None)
    if one.judgement is not None and other.judgement is not None:
        assert one.judgement.decisions == other.judgement.decisions
        assert one.judgement.sets.sets.tobytes() == other.judgement.sets.sets.tobytes()
        assert one.judgement.options == other.judgement.options
    return True


FORMS: dict[str, Callable[[Floats], Any]] = {
    "lists": lambda values: values.tolist(),
    "big endian": lambda values: values.astype(">f8"),
    "columns first": np.asfortranarray,
    "every second row": lambda values: np.repeat(values, 2, axis=0)[::2],
    "names": named,
    "aliases": lambda values: named(values, KOREAN),
    "names and aliases": lambda values: [
        *named(values)[:5],
        *named(values, KOREAN)[5:],
    ],
    "in another order": lambda values: [dict(reversed(row.items())) for row in named(values)],
    "no NaN but None": lambda values: [
        [None if np.isnan(value) else value for value in row] for row in values.tolist()
    ],
}
"""Ways to give the same rows."""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("version", VERSIONS)
def test_rows_have_one_answer_however_they_are_given(version: int, form: str) -> None:
    """As an array, as lists or as mappings, by names or aliases: the engine's own bits."""
    bundle, values = shipped(version), loans(12)
    (wanted,) = engine(str(version)).summarise([Query(values, 100, 42)])
    found = bundle.predict_mc(FORMS[form](values), passes=100, seed=42)
    assert bits(wanted) == bits(found.summary)
    assert wanted.mean.argmax(axis=1).tolist() == found.predicted.tolist()
    assert [100] * 12 == found.passes.tolist()
    assert (42, None, None) == (found.seed, found.tolerance, found.draws)
    assert same(bundle.predict_mc(values, passes=100, seed=42), found)
    assert ["missing"] * 3 == [
        notice.kind for row in found.notices for notice in row if notice.feature == "debt_to_income"
    ]

    plain = bundle.predict(FORMS[form](values))
    probabilities = engine(str(version)).predict(values)
    assert probabilities.tobytes() == plain.probabilities.tobytes()
    assert probabilities.argmax(axis=1).tolist() == plain.predicted.tolist()
    if bundle.manifest.calibration is None:
        assert found.notices == plain.notices


@pytest.mark.parametrize("version", VERSIONS)
def test_a_row_has_one_answer_whatever_is_asked_beside_it(version: int) -> None:
    """Alone, among others, and by several threads at once."""
    bundle, values = shipped(version), loans(12)
    together = bundle.predict_mc(values, passes=100, seed=42)
    with ThreadPoolExecutor(4) as threads:
        alone = list(
            threads.map(lambda row: bundle.predict_mc(row[None], passes=100, seed=42), values)
        )
    assert bits(together.summary) == [bits(one.summary)[0] for one in alone]
    if together.judgement is None:
        assert [None] * 12 == [one.judgement for one in alone]
    else:
        assert together.judgement.decisions == [one.judgement.decisions[0] for one in alone]  # type: ignore[union-attr]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("tolerance", [0.01, 0.03])
def test_auto_makes_as_many_passes_as_are_enough(version: int, tolerance: float) -> None:
    """As `adaptive` says, at least as many as a calibration has; draws are the first of them."""
    bundle, values = shipped(version), loans(12)
    calibration = bundle.manifest.calibration
    least = 1 if calibration is None else calibration.passes
    query = Query(values, 600, 42)
    wanted, _ = driven(lambda one: bundle.engine.summarise([one])[0], query, tolerance, least)
    options: dict[str, Any] = {"tolerance": tolerance, "max_passes": 600}
    found = bundle.predict_mc(values, "auto", 42, **options)
    assert bits(wanted.summary) == bits(found.summary)
    assert wanted.passes.tolist() == found.passes.tolist()
    assert tolerance == found.tolerance
    kept = bundle.predict_mc(values, "auto", 42, keep_draws=True, **options)
    assert same(found, kept)
    assert kept.draws is not None
    assert (int(wanted.passes.max()), 12, 7) == kept.draws.shape
    for at, passes in enumerate(wanted.passes.tolist()):
        own = bundle.engine.reduced(kept.draws[:passes, at : at + 1])
        assert bits(own)[0] == bits(found.summary)[at]


def test_options_have_defaults() -> None:
    """The bundle's passes, a fresh seed, the calibration's sets and promise; all can be told."""
    bundle, values = shipped(5), loans(4)
    calibration = bundle.manifest.calibration
    assert calibration is not None
    found = bundle.predict_mc(values)
    assert [bundle.manifest.passes] * 4 == found.passes.tolist()
    assert 0 <= found.seed <= MAX_SEED
    assert found.seed != bundle.predict_mc(values).seed
    usual = {
        "coverage": calibration.coverage,
        "method": "lac",
        "class_conditional": False,
        "target": calibration.policy.target,
    }
    told = bundle.predict_mc(values, bundle.manifest.passes, found.seed, **usual)  # type: ignore[arg-type]
    assert same(found, told)
    assert found.judgement is not None
    assert usual == {name: getattr(found.judgement.options, name) for name in usual}


@pytest.mark.parametrize("method", ["lac", "aps", "raps", "adjacent"])
@pytest.mark.parametrize("class_conditional", [False, True])
def test_sets_and_decisions_are_those_asked_for(method: str, *, class_conditional: bool) -> None:
    """Other sets and promises change no figure; a set of more coverage holds a smaller one."""
    bundle, values = shipped(5), loans(12)
    asked = {"method": method, "class_conditional": class_conditional}
    narrow = bundle.predict_mc(values, 100, 42, coverage=0.7, **asked)  # type: ignore[arg-type]
    wide = bundle.predict_mc(values, 100, 42, coverage=0.999, target=0.01, **asked)  # type: ignore[arg-type]
    assert bits(narrow.summary) == bits(wide.summary)
    assert narrow.judgement is not None
    assert wide.judgement is not None
    small, large = narrow.judgement.sets.sets, wide.judgement.sets.sets
    assert (small <= large).all()
    assert large.sum() > small.sum() or small.all()
    assert (0.7, 0.999) == (narrow.judgement.options.coverage, wide.judgement.options.coverage)
    assert 0.01 == wide.judgement.options.target


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no pass": ({"passes": 0}, "passes must be at least 1"),
    "less than none": ({"passes": -5}, "passes must be at least 1"),
    "half a pass": ({"passes": 1.5}, "passes must be "),
    "passes in words": ({"passes": "many"}, "passes must be "),
    "a negative seed": ({"seed": -1}, "seed must be from 0 to 9007199254740991"),
    "too large a seed": ({"seed": 2**53}, "seed must be from 0 to 9007199254740991"),
    "half a seed": ({"seed": 1.5}, "seed must be "),
    "no tolerance": ({"passes": "auto", "tolerance": 0.0}, "tolerance must be above 0"),
    "less than no tolerance": ({"passes": "auto", "tolerance": -0.1}, "tolerance must be above 0"),
    "NaN": ({"passes": "auto", "tolerance": float("nan")}, "tolerance must be above 0"),
    "any tolerance": ({"passes": "auto", "tolerance": float("inf")}, "tolerance must be above 0"),
    "at most no pass": ({"passes": "auto", "max_passes": 0}, "max_passes must be at least 1"),
    "little coverage": ({"coverage": 0.49}, "coverage must be from 0.5 to 0.999"),
    "all coverage": ({"coverage": 1.0}, "coverage must be from 0.5 to 0.999"),
    "NaN coverage": ({"coverage": float("nan")}, "coverage must be from 0.5 to 0.999"),
    "a foreign method": ({"method": "best"}, "method must be one of adjacent, aps, lac, raps"),
    "a foreign target": ({"target": 0.3}, "target must be one of 0.005, 0.01, 0.02, 0.03, 0.05,"),
}


@pytest.mark.parametrize("name", WRONG)
def test_options_out_of_range_are_refused(name: str) -> None:
    """In one sentence that names the option; nothing is computed."""
    options, sentence = WRONG[name]
    with pytest.raises(UsageError, match=f"^{sentence}"):
        shipped(5).predict_mc(loans(1), **options)


@pytest.mark.parametrize(
    "option",
    [{"coverage": 0.9}, {"method": "lac"}, {"class_conditional": False}, {"target": 0.05}],
    ids=lambda option: next(iter(option)),
)
@pytest.mark.parametrize("version", [1, 2])
def test_sets_need_a_calibration(version: int, option: dict[str, Any]) -> None:
    """Of a bundle that has none they are not promised; without them it answers."""
    assert shipped(version).manifest.calibration is None
    assert shipped(version).predict_mc(loans(1), 5, 1).judgement is None
    with pytest.raises(UsageError, match=f"^{next(iter(option))} needs a bundle with a calibr"):
        shipped(version).predict_mc(loans(1), 5, 1, **option)


SECRET = 48151623.0
"""A value that no sentence may repeat."""
BAD: dict[str, tuple[str, float | None, FieldCode]] = {
    "too small": ("annual_income", -SECRET, FieldCode.TOO_SMALL),
    "too large": ("paid_principal", SECRET * 1e6, FieldCode.TOO_LARGE),
    "not whole": ("delinq_2y", 0.48151623, FieldCode.NOT_WHOLE),
    "missing": ("loan_amount", np.nan, FieldCode.MISSING),
    "infinite": ("paid_interest", np.inf, FieldCode.NOT_FINITE),
    "less than all": ("paid_late_fees", -np.inf, FieldCode.NOT_FINITE),
    "infinite where it may be missing": ("debt_to_income", np.inf, FieldCode.NOT_FINITE),
}


def refused(given: Any) -> InvalidInput:
    """What is wrong with rows, by either way of predicting."""
    with pytest.raises(InvalidInput) as first:
        shipped(5).predict(given)
    with pytest.raises(InvalidInput) as second:
        shipped(5).predict_mc(given, 5, 1)
    assert first.value.faults == second.value.faults
    assert not any("4815" in text for text in (str(first.value), repr(first.value.faults)))
    return first.value


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_of_an_array_is_refused(name: str) -> None:
    """With the name of its feature and the row, and never with the value."""
    feature, value, code = BAD[name]
    values = loans(6)
    values[4, list(KOREAN).index(feature)] = value
    assert (code, ("rows", 4, feature)) in [(one.code, one.where) for one in refused(values).faults]


@pytest.mark.parametrize("name", [name for name in BAD if name != "missing"])
def test_a_bad_value_of_a_mapping_is_refused(name: str) -> None:
    """Likewise, whichever of its names it is given by."""
    feature, value, code = BAD[name]
    for key in (feature, KOREAN[feature]):
        row: dict[str, Any] = {**LOAN}
        del row[feature]
        given = [LOAN, row | {key: value}]
        assert [(code, 1)] == [(one.code, one.where[1]) for one in refused(given).faults]
        assert refused(given).faults[0].where[-1] in (feature, KOREAN[feature])


def test_what_a_mapping_lacks_or_has_twice_is_refused() -> None:
    """A feature that is missing, one that is not known, one under two names; null where it is."""
    row: dict[str, Any] = {**LOAN}
    del row["loan_amount"]
    assert [(FieldCode.MISSING, "loan_amount")] == [
        (one.code, one.where[-1]) for one in refused([row]).faults
    ]
    for odd in ({"loan_amount": None}, {"loan_amount": "4815"}, {"loan_amount": True}):
        assert ["loan_amount"] == [one.where[-1] for one in refused([row | odd]).faults]
    twice = refused([{**LOAN, KOREAN["loan_amount"]: SECRET}])
    assert {"loan_amount", KOREAN["loan_amount"]} >= {one.where[-1] for one in twice.faults}
    unknown = refused([{**LOAN, "odd": SECRET}])
    assert [(FieldCode.UNKNOWN, "odd")] == [(one.code, one.where[-1]) for one in unknown.faults]


SHAPELESS: dict[str, Any] = {
    "none": [],
    "an empty array": np.zeros((0, 9)),
    "one row alone": np.ones(9),
    "a cube": np.ones((1, 1, 9)),
    "too few columns": np.ones((2, 8)),
    "too many columns": np.ones((2, 10)),
    "rows of two lengths": [[1.0] * 9, [1.0] * 8],
    "text": [["4815 apples"] + [0.0] * 8],
    "an array and then a mapping": [[1.0] * 9, LOAN],
}


@pytest.mark.parametrize("name", SHAPELESS)
def test_what_is_no_table_of_rows_is_refused(name: str) -> None:
    """An error of ours, which says what is expected and repeats nothing."""
    assert [("rows",)] == [one.where[:1] for one in refused(SHAPELESS[name]).faults]


def test_numbers_of_numpy_are_numbers() -> None:
    """In mappings too, as loops over arrays give them."""
    values = loans(3)
    given = [dict(zip(KOREAN, row, strict=True)) for row in values]
    given[0] |= {"delinq_2y": np.int64(values[0, 4])}
    assert same(shipped(5).predict_mc(values, 20, 1), shipped(5).predict_mc(given, 20, 1))


def test_rows_that_overflow_are_named(tmp_path: Path) -> None:
    """By either way of predicting, and by passes of any number."""
    bundle = load(publish_overflowing(tmp_path) / "net" / "1")
    values = np.full((4, len(NAMES)), 0.5)
    values[[1, 3]] = [HUGE[name] for name in NAMES]
    for predict in (
        bundle.predict,
        lambda given: bundle.predict_mc(given, 20, 1),
        lambda given: bundle.predict_mc(given, 20, 1, keep_draws=True),
        lambda given: bundle.predict_mc(given, "auto", 1),
    ):
        with pytest.raises(Ungradable) as found:
            predict(values)
        assert (1, 3) == found.value.rows
        assert predict(values[::2]) is not None


def test_a_program_computes_as_the_commands_do() -> None:
    """Without any variable set, in the one numerical environment: NumPy's depends on variables."""
    given = {name: text for name, text in environment().items() if not name.startswith("TF_")}
    program = (
        "import sys; from pathlib import Path; from dubito.bundle import load;"
        "print(load(Path(sys.argv[1]), backend='numpy').environment.fingerprint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(SHIPPED)],
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    here = load(SHIPPED, backend="numpy").environment
    assert "TF_ENABLE_ONEDNN_OPTS=0" in here.facts["flags"].split()
    assert here.fingerprint == done.stdout.strip()


@pytest.mark.parametrize("name", ["loan-application", "loan-rate"])
def test_a_usual_gap_refers_nothing_where_the_bundle_says_so(name: str) -> None:
    """Of one network, version 1 refers a row for each gap, version 2 for an unusual one alone."""
    before, after = (load(ROOT / "models" / name / version) for version in ("1", "2"))
    assert before.manifest.network_digests == after.manifest.network_digests
    row = dict(example(after.signature))
    unusual = row | {"debt_to_income": None}
    for bundle, asked, refers in (
        (before, row, True),
        (after, row, False),
        (after, unusual, True),
    ):
        found = bundle.predict_mc([asked], seed=3)
        assert found.judgement is not None
        (decision,) = found.judgement.decisions
        assert {"annual_income_joint"} < {one.feature for one in found.notices[0]}
        assert ("missing" in decision.reasons) is refers
