"""Bundles of several networks: what training writes, what a start checks, what the library answers.

The oracle of a member is the bundle that training makes with its seed alone.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dubito.bundle import Bundle, load
from dubito.bundles.golden import golden_faults, golden_rows
from dubito.bundles.manifest_parser import parse_manifest
from dubito.bundles.validation.inspection import inspect
from dubito.engine.compiler.compiler import engine_of
from dubito.engine.ensemble import Ensemble
from dubito.errors import BundleError, UsageError
from dubito.targets import ClassTarget
from dubito.training.seeds import publish_seeds
from dubito.types import SEED_BITS, Query
from tests.ensembles import KINDS, MEMBERS, PASSES, SEED, Kind, ensemble_bundle, options, table
from tests.networks import members, rows

FILES = ("model.keras", "model.2.keras", "model.3.keras")


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def bundle(kind: Kind) -> Bundle:
    return load(ensemble_bundle(kind))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(ensemble_bundle("number"), tmp_path / "models" / "flat-rent" / "1"))


@pytest.mark.claim("members are the networks of their seeds", test=1, proof=MEMBERS - 1)
def test_members_are_the_networks_of_their_seeds(kind: Kind, count: int) -> None:
    """Each further file is, byte for byte, that of a training of one network with the next seed."""
    written = ensemble_bundle(kind)
    for at in range(1, 1 + count):
        alone = ensemble_bundle(kind, 1, SEED + at) / "model.keras"
        assert (written / FILES[at]).read_bytes() == alone.read_bytes()
    assert len((written / "SHA256SUMS").read_text().splitlines()) == len(FILES) + 2 + (
        kind == "classes"
    )


def test_the_manifest_is_of_format_3(kind: Kind, bundle: Bundle, tmp_path: Path) -> None:
    """It has the digest of every network, and passes that are a multiple of their number."""
    content = json.loads((ensemble_bundle(kind) / "bundle.json").read_bytes())
    assert content["format"] == 3
    assert "network_sha256" not in content
    assert len(content["networks"]) == MEMBERS == bundle.manifest.members
    assert parse_manifest(bundle.manifest.to_bytes()) == bundle.manifest
    job = options(tmp_path, kind)
    assert job.passes == PASSES
    uneven = replace(job, members=7)
    assert uneven.passes == 63


def test_the_card_says_that_it_is_an_ensemble(kind: Kind) -> None:
    """In each language, with the seeds of its members."""
    english = (ensemble_bundle(kind) / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "an ensemble of 3 such networks" in english
    assert "with the seeds 4 to 6" in english


def test_answers_are_the_members_in_turn(kind: Kind, bundle: Bundle) -> None:
    """Draws, mean and the deterministic answer, from the members' own bundles."""
    features = table(kind)[0].features[:8]
    alone = [load(ensemble_bundle(kind, 1, SEED + at)) for at in range(MEMBERS)]
    found = bundle.predict_mc(features, 90, 12, keep_draws=True)
    expected = np.stack(
        [
            one.engine.draws(Query(features, 30, 12 + (at << SEED_BITS)))
            for at, one in enumerate(alone)
        ],
        axis=1,
    ).reshape(90, 8, -1)
    assert found.draws is not None
    assert found.draws.tobytes() == expected.tobytes()
    np.testing.assert_allclose(found.summary.mean, expected.mean(axis=0), rtol=1e-6)
    plain = np.mean([one.engine.predict(features) for one in alone], axis=0)
    np.testing.assert_allclose(bundle.predict(features).outputs, plain, rtol=1e-12)


def test_passes_are_a_multiple_of_the_members(kind: Kind, bundle: Bundle) -> None:
    """The default is; another number is refused, by name; automatic ones are so at every look."""
    features = table(kind)[0].features[:6]
    assert bundle.predict_mc(features, seed=1).passes.tolist() == [PASSES] * 6
    with pytest.raises(UsageError, match="passes must be a multiple of the ensemble's 3 members"):
        bundle.predict_mc(features, 100)
    with pytest.raises(UsageError, match="passes must be at least 3"):
        bundle.predict_mc(features, 2)
    scale = 1.0 if kind == "classes" else 200.0
    auto = bundle.predict_mc(features, "auto", 5, tolerance=0.02 * scale, max_passes=1_000)
    assert set(auto.passes.tolist()) <= {66, 132, 264, 528, 999}
    for at, passes in enumerate(auto.passes.tolist()):
        again = bundle.predict_mc(features[at : at + 1], passes, 5)
        assert again.summary.mean.tobytes() == auto.summary.mean[at : at + 1].tobytes()
        assert again.estimate.half_widths[0] == auto.estimate.half_widths[at]


def test_seeds_of_ensembles_do_not_overlap(tmp_path: Path) -> None:
    """`--seeds` of ensembles takes as many seeds for each as it has members."""
    job = options(tmp_path, "number", 2)
    _, _, seeds = publish_seeds(job, table("number")[0], 2)
    assert seeds.seeds == (SEED, SEED + 2)


Damage = Callable[[Path], None]


def without(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def swapped(folder: Path) -> None:
    first, second = (folder / name for name in FILES[1:])
    contents = first.read_bytes(), second.read_bytes()
    second.write_bytes(contents[0])
    first.write_bytes(contents[1])


def one_more(folder: Path) -> None:
    (folder / "model.4.keras").write_bytes((folder / "model.keras").read_bytes())


def changed(**members: object) -> Damage:
    def change(folder: Path) -> None:
        file = folder / "bundle.json"
        file.write_text(json.dumps(json.loads(file.read_bytes()) | members), encoding="utf-8")

    return change


DAMAGED: dict[str, tuple[Damage, str]] = {
    "a member is missing": (without("model.2.keras"), "model.2.keras is missing"),
    "the last member is missing": (without("model.3.keras"), "model.3.keras is missing"),
    "members are swapped": (swapped, "model.2.keras is not the network bundle.json was written"),
    "a member too many": (one_more, "model.4.keras is not the network bundle.json was written"),
    "no network": (changed(networks=[]), "networks has 0 digests, not 1 to 32"),
    "one network": (changed(networks=["0" * 64]), "model.keras is not the network bundle.json was"),
    "a member twice": (changed(networks=["0" * 64] * 3), "networks has a digest twice"),
    "uneven passes": (changed(passes=100), "passes is not a multiple of the 3 networks"),
    "a digest besides": (changed(network_sha256="0" * 64), "network_sha256 is not known"),
    "a number for networks": (changed(networks=3), "is not of format 3: networks"),
    "an old format": (changed(format=2), "is not of format 2: network_sha256 is missing"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_ensembles_are_refused(folder: Path, name: str) -> None:
    """Each by a sentence that names the file and the fault."""
    damage, sentence = DAMAGED[name]
    (folder / "SHA256SUMS").unlink()
    damage(folder)
    with pytest.raises(BundleError, match=sentence.replace(".", r"\.")):
        load(folder)


def test_members_are_bounded_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that one network may have, three may not have each."""
    bound = "dubito.bundles.validation.inspection.MOST_BYTES"
    one = load(folder).manifest
    size = sum(len(network.weights) for network in inspect(folder).checked)
    # The files' own bound stays: packed weights are smaller than what they unpack to.
    monkeypatch.setattr(bound, {"model.keras": size})
    assert load(folder).manifest == one
    monkeypatch.setattr(bound, {"model.keras": size - 1})
    with pytest.raises(BundleError, match=r"^model\.3\.keras: the weights of all networks are"):
        load(folder)


def test_sums_are_of_every_member(folder: Path) -> None:
    """A changed byte is told with the file that has it."""
    content = bytearray((folder / "model.3.keras").read_bytes())
    content[-1] ^= 1
    (folder / "model.3.keras").write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.3\.keras does not have the digest"):
        load(folder)


def test_a_member_without_dropout_is_found() -> None:
    """The deviation between the members does not hide that one of them is always the same."""
    target, features = ClassTarget(("A", "B", "C", "D", "E", "F", "G")), rows(3)
    networks = [engine_of(model) for model in members()]
    good, quiet = Ensemble(networks), _Quiet(networks)
    assert list(golden_faults(good, golden_rows(good, features, 60), target)) == []
    assert list(golden_faults(quiet, golden_rows(quiet, features, 60), target)) == [
        "has no Monte-Carlo deviation: its dropout is gone and its certainty would be false"
    ]


class _Quiet(Ensemble):
    """An ensemble whose second member answers its deterministic pass in every pass."""

    def draws(self, query: Query) -> np.ndarray:
        found = super().draws(query)
        found[1 :: self.members] = found[1]
        return found
