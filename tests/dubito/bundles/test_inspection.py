"""What files alone can show about a bundle: good ones pass, hostile ones get one sentence."""

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import dubito.loans.layers  # noqa: F401 - registers the layers
from dubito.bundles.manifest import GoldenRow, Manifest, Provenance
from dubito.bundles.validation.allow_list import ACTIVATIONS, build_allow_list
from dubito.bundles.validation.config_graph import Blueprint, Layer, Reference
from dubito.bundles.validation.index_bounds import Bounds, check_indices
from dubito.bundles.validation.inspection import Inspected, inspect
from dubito.bundles.validation.own_layers import MOST_SLOTS
from dubito.bundles.validation.shapes import rule_of
from dubito.bundles.validation.soundness import check_network
from dubito.errors import BundleError
from dubito.features import FeatureStats, NumberFeature
from dubito.layers.archive import to_bytes
from dubito.layers.impute import Impute
from dubito.layers.lookup import Discretize, Lookup, SelectColumns
from dubito.layers.monte_carlo import (
    MCAlphaDropout,
    MCDropout,
    MCGaussianDropout,
    MCGaussianNoise,
    MCSpatialDropout1D,
)
from dubito.loans.layers.features import LoanFeatures
from dubito.loans.shapes import FEATURES_WIDTH
from dubito.targets import ClassTarget
from tests.hostile import HOSTILE, flipped, list_sums, members_of, packed, parts, seal
from tests.service import ROOT

FEATURES = 9
KINDS = ("sequential", "convolution", "nested", "double")
DAMAGES = ("plain dropout", "rate 0", "another input width", "one class more", "NaN", "a Lambda")
CLASSES = 4
NEW = {
    "MCDropout": "dubito.layers",
    "MCAlphaDropout": "dubito.layers",
    "MCSpatialDropout1D": "dubito.layers",
    "MCSpatialDropout2D": "dubito.layers",
    "MaskedAttention": "dubito.layers",
    "MaskedGRU": "dubito.layers",
    "MaskedLSTM": "dubito.layers",
    "Ones": "dubito.layers",
    "MCGaussianDropout": "dubito.layers",
    "MCGaussianNoise": "dubito.layers",
    "Impute": "dubito.layers",
    "Discretize": "dubito.layers",
    "Encode": "dubito.layers",
    "Lookup": "dubito.layers",
    "SelectColumns": "dubito.layers",
    "LoanFeatures": "dubito.loans.layers",
    "AmortizationLattice": "dubito.loans.layers",
    "GradeEvidence": "dubito.loans.layers",
}
"""Layer of ours to the module that files name."""
OLD = {
    "MCDropout": "app.network.mc",
    "MCAlphaDropout": "app.network.mc",
    "MCSpatialDropout1D": "app.network.mc",
    "MCGaussianDropout": "app.network.mc",
    "Impute": "app.network.impute",
    "LoanFeatures": "app.network.loans.features",
    "AmortizationLattice": "app.network.loans.lattice",
    "GradeEvidence": "app.network.loans.evidence",
}
"""The same of files that were written before version 0.4."""
OF_FILES = sorted(name for name, hostile in HOSTILE.items() if hostile.seen_in == "files")
OF_ANSWERS = sorted(name for name, hostile in HOSTILE.items() if hostile.seen_in == "answers")


def study() -> Any:
    """Functional: imputing, domain features, adapted normalisation, residuals, batch norm."""
    inputs = keras.Input((FEATURES,))
    x = Impute([1.0] + [None] * (FEATURES - 1))(inputs)
    x = LoanFeatures()(x)
    normalization = layers.Normalization(name="scaled")
    normalization.adapt(np.random.default_rng(0).normal(size=(20, FEATURES_WIDTH)))
    x = layers.Dense(8, "selu", kernel_regularizer="l2", name="wide")(normalization(x))
    added = layers.Dense(8, kernel_constraint="max_norm")(MCAlphaDropout(0.2)(x))
    x = layers.BatchNormalization()(layers.Add()([x, added]))
    x = MCDropout(0.4, seed=3)(x + added * 0.5 - np.ones(8, "float32"))
    return keras.Model(inputs, layers.Dense(CLASSES, "softmax", name="grades")(x))


def sequential() -> Any:
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Normalization(mean=[0.0] * FEATURES, variance=[1.0] * FEATURES),
            layers.Rescaling(0.5),
            layers.Dense(6, use_bias=False),
            layers.LayerNormalization(),
            layers.PReLU(),
            MCDropout(0.5),
            layers.Dense(CLASSES),
            layers.Softmax(),
        ]
    )


def nested() -> Any:
    """A Sequential that holds a Functional and a Sequential, with layers of one name."""
    inside = keras.Input((5,))
    outside = layers.Dense(6, "gelu", name="same")(MCDropout(0.3)(inside))
    functional = keras.Model(inside, layers.concatenate([outside, inside]))
    other = keras.Sequential([layers.Dense(5, "relu", name="same"), MCDropout(0.2)])
    inputs = keras.Input((FEATURES,))
    x = functional(other(layers.Dense(5, name="same")(inputs)))
    return keras.Model(inputs, layers.Dense(CLASSES, "softmax")(layers.Dense(3)(x)))


def convolution() -> Any:
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Reshape((-1, 1)),
            layers.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="relu"),
            layers.GroupNormalization(2),
            layers.MaxPooling1D(2),
            MCDropout(0.3, noise_shape=(None, 1, 4)),
            MCGaussianDropout(0.2),
            MCGaussianNoise(0.2),
            layers.Conv1D(4, 2, strides=2, groups=2),
            MCSpatialDropout1D(0.1),
            layers.Permute((2, 1)),
            layers.AveragePooling1D(2, padding="same"),
            layers.GlobalAveragePooling1D(),
            layers.RepeatVector(3),
            layers.Flatten(),
            layers.UnitNormalization(),
            layers.Dense(CLASSES, "softmax"),
        ]
    )


def double() -> Any:
    """All in float64, one layer called twice, the same initializer in two layers."""
    initializer = keras.initializers.RandomNormal(seed=1)
    inputs = keras.Input((FEATURES,), dtype="float64")
    shared = layers.Dense(FEATURES, "tanh", dtype="float64", kernel_initializer=initializer)
    x = MCDropout(0.5, dtype="float64")(shared(shared(inputs)))
    outputs = layers.Dense(CLASSES, "softmax", dtype="float64", kernel_initializer=initializer)
    return keras.Model([inputs], [outputs(x)])


def wrapped() -> Any:
    """A Functional that ends in a Functional, which ends in an operator."""
    inside = keras.Input((3,))
    logits = layers.Dense(CLASSES)(MCDropout(0.5)(inside))
    inner = keras.Model(inside, layers.Dense(CLASSES, "softmax")(logits) * 1.0)
    inputs = keras.Input((FEATURES,))
    return keras.Model(inputs, inner(layers.Dense(3, "elu")(inputs)))


GOOD = {make.__name__: make for make in (study, sequential, nested, convolution, double, wrapped)}


def manifest() -> Manifest:
    seen = FeatureStats(0.0, 1.0, {"0.5": 0.5}, (0.0, 1.0), (1,), 0)
    return Manifest(
        format=1,
        name="grades",
        version=1,
        features=tuple(
            NumberFeature(f"feature_{n}", "A feature", (), "float", "", False, None, 0.0, 1e6, seen)  # noqa: FBT003 - not nullable
            for n in range(FEATURES)
        ),
        target=ClassTarget(tuple("ABCD")),
        passes=10,
        calibration=None,
        rules=(),
        golden=(GoldenRow((0.5,) * FEATURES, 10, 1, (0.25,) * 4, (0.25,) * 4, (0.1,) * 4),),
        metrics={},
        trained=Provenance("", "", "", 1, 0, 0, {}),
        network_digests=("",),
    )


def written(model: Any, folder: Path) -> Path:
    folder.mkdir(parents=True)
    model.save(folder / "model.keras")
    (folder / "MODEL_CARD.md").write_text("A card.\n")
    (folder / "bundle.json").write_bytes(manifest().to_bytes())
    seal(folder)
    list_sums(folder)
    return folder


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A good bundle of each kind, not to be changed."""
    root = tmp_path_factory.mktemp("good")
    return {name: written(make(), root / name / "grades" / "1") for name, make in GOOD.items()}


@pytest.fixture
def folder(good: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the study's bundle, to be damaged."""
    return Path(shutil.copytree(good["study"], tmp_path / "grades" / "1"))


def refused(folder: Path, **pinned: str) -> str:
    with pytest.raises(BundleError) as caught:
        inspect(folder, **pinned)
    return str(caught.value)


@pytest.mark.parametrize("name", GOOD)
def test_good_bundles_are_read(good: dict[str, Path], name: str) -> None:
    """What Keras itself saved of allowed layers passes, and comes back as it was checked."""
    inspected = inspect(good[name])

    assert (good[name] / "model.keras").read_bytes() == inspected.networks[0]
    assert json.loads((good[name] / "bundle.json").read_bytes())["name"] == inspected.manifest.name


@pytest.mark.parametrize("name", GOOD)
def test_keras_loads_what_passes(good: dict[str, Path], name: str) -> None:
    """The good bundles are networks that Keras loads, with the weights that were checked."""
    loaded = keras.models.load_model(good[name] / "model.keras", compile=False)

    assert (None, CLASSES) == loaded.output_shape


def test_deflated_archives_are_read(folder: Path) -> None:
    """An archive may be deflated."""
    seal(folder, packed(*members_of(folder).items(), method=zipfile.ZIP_DEFLATED))

    assert isinstance(inspect(folder), Inspected)


def test_large_forms_of_headers_are_read(folder: Path) -> None:
    """Sizes of 64 bits, as zip64 has them, and bytes before the archive are no fault."""
    buffer = io.BytesIO()
    buffer.write(b"before")
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members_of(folder).items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    seal(folder, buffer.getvalue())

    assert isinstance(inspect(folder), Inspected)


def test_the_pinned_digest_is_compared(folder: Path) -> None:
    """The right pin passes, another is refused with both digests."""
    digest = inspect(folder).manifest.identity.digest
    other = "sha256:" + "0" * 64

    assert inspect(folder, pinned=digest).manifest.identity.digest == digest
    assert f"bundle.json has the digest {digest}, not the pinned {other}" == refused(
        folder, pinned=other
    )


def test_checksums_are_optional(folder: Path) -> None:
    """A bundle without SHA256SUMS passes; one where the card was changed does not."""
    (folder / "MODEL_CARD.md").write_text("Another card.\n")
    sentence = refused(folder)
    (folder / "SHA256SUMS").unlink()

    assert sentence == "MODEL_CARD.md does not have the digest that SHA256SUMS gives"
    assert isinstance(inspect(folder), Inspected)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The sentence names the folder."""
    assert f"there is no bundle folder {tmp_path / 'none'}" == refused(tmp_path / "none")


@pytest.mark.parametrize("name", OF_FILES)
def test_hostile_bundles_are_refused(folder: Path, name: str) -> None:
    """Each is refused by its files alone, in one line that says what is wrong."""
    HOSTILE[name].damage(folder)
    sentence = refused(folder)

    assert HOSTILE[name].sentence in sentence
    assert re.fullmatch(r"[^\n]{10,400}", sentence)
    assert "Traceback" not in sentence


@pytest.mark.parametrize(
    ("kind", "name"),
    # The sequential network's output layer, a Softmax, has no units to be one more.
    [case for case in product(KINDS, DAMAGES) if case != ("sequential", "one class more")],
)
def test_any_good_bundle_can_be_made_hostile(
    good: dict[str, Path], tmp_path: Path, kind: str, name: str
) -> None:
    """The makers work on networks of every kind, and so do the checks."""
    folder = Path(shutil.copytree(good[kind], tmp_path / "grades" / "1"))
    HOSTILE[name].damage(folder)

    assert "model.keras" in refused(folder)


@pytest.mark.parametrize("name", OF_ANSWERS)
def test_what_only_answers_show_passes_here(folder: Path, name: str) -> None:
    """Faults of the answers are left to the golden rows: the files are in order."""
    HOSTILE[name].damage(folder)

    assert isinstance(inspect(folder), Inspected)


@pytest.mark.parametrize("seed", range(20))
def test_a_flipped_byte_is_found(folder: Path, seed: int) -> None:
    """Wherever it is, with digests not remade."""
    flipped(folder, int(np.random.default_rng(seed).integers(10**9)))

    assert "model.keras" in refused(folder)


@pytest.mark.parametrize("seed", range(30))
def test_damage_behind_matching_digests_never_escapes(folder: Path, seed: int) -> None:
    """Flips and cuts whose digests were remade pass (a time of day) or get a sentence."""
    chance = np.random.default_rng(seed)
    network = bytearray((folder / "model.keras").read_bytes())
    # The archive's own directory is at its end.
    for _ in range(chance.integers(1, 4)):
        network[-chance.integers(1, 400)] ^= 1 << int(chance.integers(8))
    seal(folder, bytes(network))
    with contextlib.suppress(BundleError):
        inspect(folder)


LIMITED = """
import resource, sys, time
from pathlib import Path
limit = 1 << 30
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from dubito.errors import BundleError
from dubito.bundles.validation.inspection import inspect
good, *hostile = map(Path, sys.argv[1:])
inspect(good)
for folder in hostile:
    start = time.process_time()
    try:
        inspect(folder)
        print("passed", folder)
    except BundleError as error:
        assert error.args
    if time.process_time() - start > 3:
        print("slow", folder)
print([name for name in ("tensorflow", "keras", "jax", "torch") if name in sys.modules])
"""


def test_time_memory_and_imports_are_bounded(
    good: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    """All in one process of 1 GiB address space, three seconds each, and without Keras."""
    folders = []
    for number, name in enumerate(OF_FILES):
        copy = Path(shutil.copytree(good["study"], tmp_path / str(number) / "grades" / "1"))
        HOSTILE[name].damage(copy)
        folders.append(str(copy))
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder), *folders],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (0, "[]\n", "") == (done.returncode, done.stdout, done.stderr)


def twisted(make: Callable[[Any], Any]) -> bytes:
    """The bytes of a Functional around one layer's call."""
    inputs = keras.Input((FEATURES,))
    x = MCDropout(0.5)(make(inputs))
    model = keras.Model(inputs, layers.Dense(CLASSES, "softmax")(x))
    path = Path("model.keras")
    model.save(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda x: layers.GlobalMaxPooling1D()(layers.RepeatVector(2**20)(x)), "more than"),
        (lambda x: layers.Softmax(axis=0)(x), "axis"),
        (lambda x: layers.BatchNormalization(renorm=True)(x), "renorm"),
        (lambda x: -x, "'Negative'"),
        (lambda x: layers.Dropout(0.5)(x), "plain Dropout"),
        (lambda x: layers.Dense(3, activation=layers.ReLU())(x), "activation"),
        (lambda x: layers.Dense(3, dtype="mixed_float16")(x), "'DTypePolicy'"),
        (lambda x: layers.MultiHeadAttention(1, 1)(*[layers.RepeatVector(2)(x)] * 2)[:, 0], "is a"),
    ],
)
def test_what_keras_saves_but_is_not_served(
    make: Callable[[Any], Any], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Networks Keras wrote itself, with layers or sizes that are refused by name."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=re.escape(sentence)):
        check_network(twisted(make), [Bounds(0, 1e9)] * FEATURES, manifest().target)


def test_every_allowed_layer_is_keras_own_or_ours() -> None:
    """The triples of the allow-list are those under which Keras would find the classes.

    Ours may stand under the module that older files name as well, and under no other.
    """
    ours = set()
    for module, name, registered in build_allow_list():
        if registered is not None and registered.startswith("dubito>"):
            found = keras.saving.get_registered_object(registered)
            assert (NEW[name], name) == (found.__module__, found.__name__)
            assert f"dubito>{name}" == registered
            ours.add((module, name))
        elif module is not None and module.startswith("keras.") and "src" not in module:
            assert hasattr(getattr(keras, module.removeprefix("keras.")), name)
    assert {(module, name) for table in (NEW, OLD) for name, module in table.items()} == ours


@pytest.mark.parametrize("name", ["MCDropout", "MCAlphaDropout", "Impute", "LoanFeatures"])
@pytest.mark.parametrize("module", sorted({*NEW.values(), *OLD.values()}))
def test_a_layer_of_ours_stands_under_its_own_modules(folder: Path, module: str, name: str) -> None:
    """The new one or the old one: another layer's is refused, though both are known."""
    parts(name, module=module)(folder)
    if module in (NEW[name], OLD[name]):
        assert isinstance(inspect(folder), Inspected)
    else:
        told = f"is not allowed as ({module!r}, {name!r}, {f'dubito>{name}'!r})"
        assert told in refused(folder)


def test_modules_of_two_times_may_stand_in_one_file(folder: Path) -> None:
    """Each layer is looked up by itself."""
    parts("Impute", module=OLD["Impute"])(folder)
    parts("LoanFeatures", module=OLD["LoanFeatures"])(folder)
    assert isinstance(inspect(folder), Inspected)


@pytest.mark.parametrize("version", range(1, 6))
def test_shipped_files_name_the_old_modules(version: int) -> None:
    """They were written before, and stay as they are to the last byte."""
    network = ROOT / "models" / "loan-grade" / str(version)
    config = members_of(network)["config.json"].decode()
    pattern = r'"module": "(?P<module>[\w.]+)", "class_name": "(?P<name>\w+)"'
    named = {
        (found["name"], found["module"])
        for found in re.finditer(pattern, config)
        if found["name"] in NEW
    }
    assert named
    assert named <= set(OLD.items())


def test_every_allowed_activation_is_keras_own() -> None:
    """The names are Keras' built-in activations."""
    assert {name for name in ACTIVATIONS if callable(keras.activations.get(name))} == ACTIVATIONS


def test_loan_features_have_the_width_that_is_checked() -> None:
    """The number that is read without Keras says what the layer does."""
    layer = keras.saving.get_registered_object("dubito>LoanFeatures")()
    assert (None, FEATURES_WIDTH) == layer.compute_output_shape((None, FEATURES))
    assert (2, FEATURES_WIDTH) == layer(np.ones((2, FEATURES), "float32")).shape


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4)])
def test_spatial_dropout_is_of_steps_of_channels(shape: tuple[int, ...]) -> None:
    """On anything else it would drop what the engine does not, and is refused."""
    with pytest.raises(ValueError, match="its input is not steps of channels"):
        rule_of("MCSpatialDropout1D")({}, [shape])


ENCODING: dict[str, list[Any]] = {
    "kinds": ["number", "log", "category"],
    "slots": [0, 0, 4],
    "values": [None, 1.5, 3],
    "edges": [[0, 1.5, 2], [], []],
}


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"kinds": ["number", "log", "text"]}, "its kinds are not one of number, log, category"),
        ({"kinds": ["number", "log"]}, "its kinds are not one of number, log, category"),
        ({"slots": [0, 2, 4]}, "its slots are those of a number, or too many"),
        ({"slots": [0, 0, 0]}, "its slots is not a whole number from 1"),
        ({"slots": [0, 0, 4.0]}, "its slots is not a whole number from 1"),
        ({"slots": [0, None, 4]}, "its slots is not a whole number from 0"),
        ({"slots": [0, 0, MOST_SLOTS + 1]}, "its slots are those of a number, or too many"),
        ({"slots": [0, 0]}, "it has slots for 2 of 3 columns"),
        ({"values": [None, 1.5]}, "it has 2 values for 3 columns"),
        ({"values": [None, "1.5", 3]}, "its values are not numbers"),
        ({"values": [None, True, 3]}, "its values are not numbers"),
        ({"edges": [[], []]}, "it has edges for 2 of 3 columns"),
        ({"edges": [[1.0], [], []]}, "its edges are those of a category, or enclose nothing"),
        ({"edges": [[], [], [0, 1]]}, "its edges are those of a category, or enclose nothing"),
        ({"edges": [[1, 0], [], []]}, "its edges are not in ascending order"),
        ({"edges": [[0, "1"], [], []]}, "its edges are not numbers"),
    ],
)
def test_an_encoding_that_cannot_be_is_refused(bad: dict[str, list[Any]], sentence: str) -> None:
    """Kinds, slots and values must be those that the layer computes with, one for each column."""
    with pytest.raises(ValueError, match=re.escape(sentence)):
        rule_of("Encode")(ENCODING | bad, [(3,)])


@pytest.mark.parametrize("shape", [(3,), (5, 3)])
@pytest.mark.parametrize("slots", [1, 4, MOST_SLOTS])
def test_an_encoding_is_as_wide_as_its_outputs(shape: tuple[int, ...], slots: int) -> None:
    """A number is one output, more for gaps and pieces, and a category one for each slot."""
    found = rule_of("Encode")(ENCODING | {"slots": [0, 0, slots]}, [shape])
    assert ((*shape[:-1], 1 + 2 + 2 + slots), ()) == found[:2]


def test_declared_weights_are_counted_before_any_is_read(folder: Path) -> None:
    """Every layer is small enough alone, and the sum is refused with both numbers."""
    inputs = keras.Input((FEATURES,))
    x = MCDropout(0.5)(layers.Dense(3, name="first")(inputs))
    model = keras.Model(inputs, layers.Dense(CLASSES, name="last")(layers.Dense(3)(x)))
    model.save(folder / "model.keras")
    members = members_of(folder)
    wide = members["config.json"].replace(b'"units": 3', b'"units": 10000')
    wide = wide.replace(b'"input_shape": [null, 3]', b'"input_shape": [null, 10000]')
    seal(folder, packed(*{**members, "config.json": wide}.items()))

    assert "the network has 100150004 weights, more than the 67108864 allowed" in refused(folder)


def test_golden_rows_of_a_large_network_are_bounded(folder: Path) -> None:
    """What a start has to compute is passes times weights."""
    inputs = keras.Input((FEATURES,))
    x = layers.Dense(1_100, name="first")(inputs)
    model = keras.Model(inputs, layers.Dense(CLASSES)(MCDropout(0.5)(layers.Dense(1_000)(x))))
    model.save(folder / "model.keras")
    golden = json.loads((folder / "bundle.json").read_bytes())["golden"]
    seal(folder, golden=[{**row, "passes": 900_000} for row in golden])

    assert (
        "bundle.json has golden rows of 900000 passes of a network that uses weights 1116"
        in refused(folder)
    )


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        ("SelectColumns", {"indices": []}, "its indices are not those of 3 columns"),
        ("SelectColumns", {"indices": [3]}, "its indices are not those of 3 columns"),
        ("SelectColumns", {"indices": [-1]}, "its indices is not a whole number from 0"),
        ("SelectColumns", {"indices": [True]}, "its indices is not a whole number from 0"),
        ("SelectColumns", {}, "it has no indices"),
        ("Lookup", {"keys": [1, 0], "indices": [0, 1]}, "its keys are not in ascending order"),
        ("Lookup", {"keys": [1, 1], "indices": [0, 1]}, "its keys are not in ascending order"),
        (
            "Lookup",
            {"keys": [2**24, 2**24 + 1], "indices": [0, 1]},
            "its keys are not in ascending",
        ),
        ("Lookup", {"keys": [1e39], "indices": [0]}, "its keys are not in ascending order"),
        ("Lookup", {"keys": list(range(MOST_SLOTS + 1)), "indices": []}, "its keys are not in asc"),
        ("Lookup", {"keys": [], "indices": []}, "its keys are not numbers"),
        ("Lookup", {"keys": ["a"], "indices": [0]}, "its keys are not numbers"),
        ("Lookup", {"keys": "/etc/passwd", "indices": [0]}, "its keys are not numbers"),
        ("Lookup", {"keys": [0], "indices": [0, 1]}, "it has 2 indices for 1 keys"),
        ("Lookup", {"keys": [0], "indices": [0.5]}, "its indices is not a whole number from -1"),
        ("Lookup", {"keys": [0], "indices": [-2]}, "its indices is not a whole number from -1"),
        ("Discretize", {"boundaries": [2.0, 1.0]}, "its boundaries are not in ascending order"),
        ("Discretize", {"boundaries": [None]}, "its boundaries are not numbers"),
    ],
)
def test_a_lookup_that_cannot_be_is_refused(
    kind: str, settings: dict[str, Any], sentence: str
) -> None:
    """Columns are there, and lists are ascending where they are searched by halves."""
    with pytest.raises(ValueError, match=re.escape(sentence)):
        rule_of(kind)({"unknown": 0} | settings, [(3,)])


def indexed(given: Callable[[Any], Any], rows: int = 4) -> bytes:
    """A network whose embedding of so many rows takes what is made of three features."""
    inputs = keras.Input((3,))
    found = layers.Flatten()(layers.Embedding(rows, 2)(given(inputs)))
    outputs = layers.Dense(CLASSES, activation="softmax")(MCDropout(0.3)(found))
    return to_bytes(keras.Model(inputs, outputs))


INDICES: dict[str, Callable[[Any], Any]] = {
    "columns": lambda x: SelectColumns([1])(x),
    "all columns": lambda x: SelectColumns([1, 0])(Impute([None, None, 1])(x)),
    "imputed": lambda x: SelectColumns([2])(Impute([None, None, 3])(x)),
    "lookup": lambda x: Lookup([0, 5], [3, 1], 0)(SelectColumns([2])(x)),
    "bins": lambda x: Discretize([0.0, 1.0, 2.0])(layers.Dense(2)(x)),
    "joined": lambda x: layers.Concatenate()([SelectColumns([0])(x), SelectColumns([1])(x)]),
    "reshaped": lambda x: layers.Reshape((2, 1))(SelectColumns([0, 1])(layers.Identity()(x))),
}
"""Indices from 0 to 3, of features from 0 to 2, from 0 to 3, and from 0 to 2 with gaps."""
BOUNDS = (Bounds(0, 2), Bounds(0, 3), Bounds(0, 2, may_miss=True))


@pytest.mark.parametrize("name", INDICES)
def test_an_embedding_has_a_row_for_each_index(name: str) -> None:
    """With one row less than what may come, the bundle is refused, before Keras is imported."""
    target = ClassTarget(tuple("abcd"))
    assert check_network(indexed(INDICES[name]), BOUNDS, target).weight_count
    with pytest.raises(BundleError, match="has rows for 0 to 2, but may get 0 to 3"):
        check_network(indexed(INDICES[name], rows=3), BOUNDS, target)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            lambda x: SelectColumns([2])(x),
            "has rows for 0 to 3, but may get 0 to 2 or a missing one",
        ),
        (lambda x: layers.Dense(1)(x), "has rows for 0 to 3, but may get any number"),
        (lambda x: Lookup([0], [-1], 0)(SelectColumns([0])(x)), "may get -1 to 0"),
        (lambda x: layers.Rescaling(-1)(SelectColumns([0])(x)), "may get any number"),
    ],
)
def test_an_embedding_gets_no_index_that_it_does_not_have(
    given: Callable[[Any], Any], sentence: str
) -> None:
    """A missing value, a number below 0 or one that nothing bounds is refused."""
    with pytest.raises(BundleError, match=re.escape(sentence)):
        check_network(indexed(given), BOUNDS, ClassTarget(tuple("abcd")))


def test_an_inner_model_is_followed() -> None:
    """Bounds go in and out of a model that is called as a layer."""
    inner_input = keras.Input((3,))
    inner = keras.Model(inner_input, SelectColumns([0, 1])(inner_input))
    target = ClassTarget(tuple("abcd"))
    assert check_network(indexed(inner), BOUNDS, target).weight_count
    with pytest.raises(BundleError, match="may get 0 to 3"):
        check_network(indexed(inner, rows=3), BOUNDS, target)


def test_an_embedding_has_no_more_rows_than_indices_can_be_told_apart() -> None:
    """Above 2**24 a float32 is rounded to its neighbour."""
    most = 2**24
    layer = Layer("table", "Embedding", {"input_dim": most + 9}, None, ((Reference("x", 0),),))
    inputs = Layer("x", "InputLayer", {}, None, ())
    network = Blueprint(
        "n", "Functional", (inputs, layer), Reference("x", 0), Reference("table", 0)
    )
    check_indices(network, [Bounds(0, most - 1)])
    with pytest.raises(BundleError, match="may get 0 to"):
        check_indices(network, [Bounds(0, most + 8)])
