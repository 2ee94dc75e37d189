"""Networks as they are found elsewhere: taken with the same weights, or refused by name."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
import pytest

from dubito.engine.compiler.compiler import engine_of
from dubito.errors import NetworkError
from dubito.layout import Column
from dubito.numerics.rng import PassRange, keep_masks
from dubito.targets import ClassTarget
from dubito.training.convert import Conversion, convert
from dubito.training.import_keras import Adopted, adopt
from dubito.training.joined_inputs import Inputs
from dubito.training.monte_carlo import with_monte_carlo
from dubito.training.temperature import fold
from dubito.types import Floats, Query
from tests.networks import FEATURES, ROOT, filled, rows

layers = keras.layers
PASSES, SEED = 16, 5
TWO, THREE = ("small", "large"), ("a", "b", "c")
ROW = Inputs(tuple(Column(name=f"column_{at}") for at in range(FEATURES)))
ONE = Inputs((Column(name="column"),))
DROPOUTS = (layers.Dropout, layers.SpatialDropout1D, layers.GaussianDropout, layers.AlphaDropout)


def scaled() -> Any:
    """The inputs, made small: as the first layer of a network."""
    return layers.Rescaling(1e-4)


def stack(*middle: Any) -> Any:
    return keras.Sequential([keras.Input((FEATURES,)), scaled(), *middle])


def hidden(**settings: Any) -> Any:
    return layers.Dense(8, activation="relu", **settings)


def softmax(**settings: Any) -> Any:
    return layers.Dense(2, activation="softmax", **settings)


def sigmoid(name: str = "risk") -> Any:
    return layers.Dense(1, activation="sigmoid", name=name)


def idle_kinds() -> Any:
    """Every random layer with a rate of 0 beside one that drops."""
    idle = [kind(0.0) for kind in (layers.Dropout, layers.GaussianDropout, layers.AlphaDropout)]
    noise = layers.GaussianNoise(0.0)
    steps = [layers.Reshape((4, 2)), layers.SpatialDropout1D(0), layers.Flatten()]
    return stack(*idle, hidden(), *steps, noise, layers.Dropout(0.3), softmax())


def idle_nested() -> Any:
    inner = keras.Sequential([keras.Input((8,)), layers.Dropout(0.0), layers.Dense(8)])
    return stack(hidden(), inner, layers.Dropout(0.4), softmax())


def idle_called() -> Any:
    """A rate of 0 in a functional model, called with `training`."""
    inputs = keras.Input((FEATURES,), name="loan")
    outputs = layers.Dropout(0.0)(hidden()(scaled()(inputs)), training=True)
    return keras.Model(inputs, softmax()(layers.Dropout(0.4)(outputs)))


def named_input() -> Any:
    """A model that takes a dictionary of one."""
    inputs = keras.Input((FEATURES,), name="loan")
    outputs = layers.Dropout(0.3)(hidden()(scaled()(inputs)))
    return keras.Model({"loan": inputs}, {"risk": softmax()(outputs)})


def nested_sigmoid() -> Any:
    inner = keras.Sequential([keras.Input((8,)), layers.Dropout(0.3), sigmoid()])
    return stack(hidden(), inner)


def lazily_built() -> Any:
    model = keras.Sequential([scaled(), hidden(), layers.Dropout(0.3), softmax()])
    model.build((None, FEATURES))
    return model


TAKEN: dict[str, Callable[[], Any]] = {
    "idle kinds": idle_kinds,
    "idle nested": idle_nested,
    "idle called": idle_called,
    "sigmoid": lambda: stack(hidden(), layers.Dropout(0.3), sigmoid()),
    "sigmoid by itself": lambda: stack(
        hidden(), layers.Dropout(0.3), layers.Dense(1), layers.Activation("sigmoid")
    ),
    "sigmoid nested": nested_sigmoid,
    "softmax by itself": lambda: stack(
        hidden(), layers.Dropout(0.3), layers.Dense(2), layers.Softmax()
    ),
    "batch normalisation": lambda: stack(
        hidden(), layers.Dropout(0.3), layers.BatchNormalization(), softmax()
    ),
    "named input": named_input,
    "lazily built": lazily_built,
}


def saved(model: Any, folder: Path) -> Path:
    path = folder / "own.keras"
    model.save(path)
    return path


def taken(model: Any, folder: Path, classes: tuple[str, ...] = TWO) -> Adopted:
    return adopt(saved(model, folder), ROW, ClassTarget(classes))


def refusal(model: Any, folder: Path, classes: tuple[str, ...] = TWO) -> str:
    with pytest.raises(NetworkError) as caught:
        taken(model, folder, classes)
    return str(caught.value)


@contextmanager
def dropping(at: int) -> Iterator[None]:
    """While inside, Keras' own dropout layers drop with the stream's noise of pass `at`."""
    calls = 0

    def drop(self: Any, inputs: Any, training: bool | None = None) -> Any:
        nonlocal calls
        if not self.rate:
            return inputs
        shape = tuple(inputs.shape[1:])
        keep = keep_masks([PassRange(SEED, 0, PASSES)], calls, shape, self.rate)[at]
        calls += 1
        return inputs * np.asarray(keep, np.float32) / (1 - self.rate)

    with ExitStack() as patches:
        for kind in DROPOUTS:
            patches.enter_context(patch.object(kind, "call", drop))
        yield


def answers(model: Any, features: Floats) -> Floats:
    """Keras' own answers `(N, C)`; of one sigmoid unit both."""
    named = not isinstance(model, keras.Sequential) and isinstance(model.input, dict)
    given = features.astype(np.float32)
    found = np.asarray(model({"loan": given})["risk"] if named else model(given), np.float64)
    return np.concatenate([1 - found, found], axis=1) if found.shape[1] == 1 else found


@pytest.mark.parametrize("name", list(TAKEN))
def test_the_statistics_are_those_of_the_original_with_dropout_on(
    name: str, tmp_path: Path
) -> None:
    """The plain network's own calls, its dropout given the stream's noise, pass by pass."""
    model, features = filled(TAKEN[name]()), rows(6, 3)
    engine = engine_of(taken(model, tmp_path).model)
    draws = []
    for at in range(PASSES):
        with dropping(at):
            draws.append(answers(model, features))
    (summary,) = engine.summarise([Query(features, PASSES, SEED)])
    np.testing.assert_allclose(np.mean(draws, axis=0), summary.mean, atol=1e-6)
    np.testing.assert_allclose(np.std(draws, axis=0), summary.std, atol=1e-6)
    np.testing.assert_allclose(answers(model, features), engine.predict(features), atol=1e-6)
    assert summary.std.max() > 0.001


@pytest.mark.parametrize("name", list(TAKEN))
def test_the_weights_are_the_same(name: str, tmp_path: Path) -> None:
    """Every weight of the original is there, to the last bit, in order."""
    model = filled(TAKEN[name]())
    ours = [np.asarray(weight).tobytes() for weight in taken(model, tmp_path).model.weights]
    theirs = [np.asarray(weight).tobytes() for weight in model.weights]
    assert theirs == ours[: len(theirs)]


@pytest.mark.parametrize("name", [name for name in TAKEN if name.startswith("sigmoid")])
def test_one_sigmoid_unit_is_two_classes_exactly(name: str, tmp_path: Path) -> None:
    """The first class has 1 minus the second's probability in every pass; means sum to 1."""
    adopted = taken(filled(TAKEN[name]()), tmp_path)
    engine, features = engine_of(adopted.model), rows(50, 4)
    drawn = engine.draws(Query(features, PASSES, SEED))
    assert drawn.dtype == np.float64
    assert (drawn[..., 1] == drawn[..., 1].astype(np.float32)).all()
    assert (drawn[..., 0] == 1 - drawn[..., 1]).all()
    (summary,) = engine.summarise([Query(features, PASSES, SEED)])
    np.testing.assert_allclose(summary.mean.sum(axis=1), 1, rtol=0, atol=4e-16)
    assert adopted.notes == (
        "one sigmoid unit gives the probability of large, and 1 minus it that of small",
    )


def test_what_drops_nothing_is_told(tmp_path: Path) -> None:
    """A note for each layer that was left out."""
    idle = layers.Dropout(0.0, name="tuned")
    notes = taken(filled(stack(idle, layers.Dropout(0.3), softmax())), tmp_path).notes
    assert notes == ("layer tuned drops nothing and is left out",)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_served_in_single(policy: str, tmp_path: Path) -> None:
    """To the last bit what the same network in float32 gives, with the same weights."""

    def network(dtype: str) -> Any:
        inner = keras.Sequential(
            [keras.Input((8,)), layers.Dropout(0.2, dtype=dtype), hidden(dtype=dtype)]
        )
        inputs = keras.Input((FEATURES,))
        outputs = inner(hidden(dtype=dtype)(layers.Rescaling(1e-4, dtype=dtype)(inputs)))
        return filled(keras.Model(inputs, softmax(dtype="float32")(outputs)))

    adopted, (plain, _) = (
        taken(network(policy), tmp_path),
        taken(network("float32"), tmp_path),
    )
    query = Query(rows(6, 3), PASSES, SEED)
    found, expected = (engine_of(one).summarise([query])[0] for one in (adopted.model, plain))
    assert expected.mean.tobytes() == found.mean.tobytes()
    assert expected.std.tobytes() == found.std.tobytes()
    assert adopted.notes == (
        f"it was trained in {policy} and is served in float32, with the same weights",
    )


@pytest.mark.parametrize(
    "name", ["sigmoid", "sigmoid by itself", "softmax by itself", "batch normalisation"]
)
def test_a_temperature_divides_the_logits(name: str, tmp_path: Path) -> None:
    """Of a sigmoid as of a softmax, in a layer of its own or not."""
    model, features = taken(filled(TAKEN[name]()), tmp_path).model, rows(20, 4)
    before = engine_of(model).predict(features)
    fold(model, 2.0)
    after = engine_of(model).predict(features)
    logits = [np.log(one[:, 1] / one[:, 0]) for one in (before, after)]
    np.testing.assert_allclose(logits[0], 2 * logits[1], rtol=1e-3, atol=1e-4)


def two(outputs: bool) -> Any:
    """A network of two inputs or of two outputs."""
    inputs = [keras.Input((FEATURES,), name=f"part_{at}") for at in range(1 if outputs else 2)]
    joined = layers.Dropout(0.3)(layers.Concatenate()(inputs) if not outputs else inputs[0])
    return keras.Model(inputs, [softmax()(joined) for _ in range(2 if outputs else 1)])


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "every rate 0": (
        lambda: stack(layers.Dropout(0.0), layers.GaussianDropout(0), softmax()),
        "no dropout layer of it has a rate above 0, so nothing in it would be random",
    ),
    "one logit": (
        lambda: stack(layers.Dropout(0.3), layers.Dense(1, name="logit")),
        "layer logit gives one number a row that is no sigmoid's: add --logits if it is",
    ),
    "tanh": (
        lambda: stack(layers.Dropout(0.3), layers.Dense(1, activation="tanh", name="end")),
        "layer end gives one number a row that is no sigmoid's",
    ),
    "softmax over one": (
        lambda: stack(layers.Dropout(0.3), layers.Dense(1, activation="softmax", name="end")),
        "layer end is a softmax over one unit, which is always 1: train a sigmoid",
    ),
    "softmax layer over one": (
        lambda: stack(layers.Dropout(0.3), layers.Dense(1), layers.Softmax(name="end")),
        "layer end is a softmax over one unit, which is always 1: train a sigmoid",
    ),
    "two outputs": (
        lambda: two(outputs=True),
        "it has 2 outputs, not one: save a keras.Model of one of them",
    ),
    "two inputs": (
        lambda: two(outputs=False),
        "input part_0 takes features that are not described: describe a feature part_0",
    ),
    "float16": (
        lambda: stack(layers.Dropout(0.3, name="half", dtype="float16"), softmax()),
        "layer half has the dtype policy float16: save it with float32 or mixed_float16",
    ),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_refusals_say_what_to_do(name: str, tmp_path: Path) -> None:
    """One sentence with the file, the layer where it is one's fault, and the way out."""
    make, sentence = REFUSED[name]
    assert refusal(make(), tmp_path).startswith(f"own.keras: {sentence}")


def test_a_sigmoid_has_two_classes_only(tmp_path: Path) -> None:
    """Three names for one unit are refused by both numbers."""
    sentence = refusal(TAKEN["sigmoid"](), tmp_path, THREE)
    assert sentence == "own.keras: it answers 1 value a row, but 3 classes are named"


def versioned(path: Path, version: Any) -> None:
    """Give a file another version of Keras."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["metadata.json"] = json.dumps({"keras_version": version}).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    path.write_bytes(packed.getvalue())


def test_a_file_of_keras_2_says_so(tmp_path: Path) -> None:
    """Its version, and how it becomes one of Keras 3; other versions are read."""
    path = saved(filled(TAKEN["sigmoid"]()), tmp_path)
    versioned(path, "2.15.0")
    with pytest.raises(NetworkError) as caught:
        adopt(path, ROW, ClassTarget(TWO))
    assert str(caught.value) == (
        "own.keras: it was written by Keras 2.15.0, and Keras 3 is needed: save it there with "
        "model.save('model.h5'), then with Keras 3 "
        "keras.models.load_model('model.h5', compile=False).save('model.keras')"
    )
    for version in ("3.0.0", "20.1", None, 2):
        versioned(path, version)
        if version != 2:
            assert adopt(path, ROW, ClassTarget(TWO)).model


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "it is an HDF5 file: save it as .keras, with"),
        (b"\x80\x04\x95" + bytes(99), "it is a Python pickle, which is not opened"),
        (b"\x1c\0\0\0TFL3" + bytes(99), "it is a TensorFlow Lite file: save the model as .keras"),
        (b"\x1f\x8b\x08" + bytes(99), "it is compressed with gzip: unpack it first"),
    ],
)
def test_other_files_are_named(content: bytes, sentence: str, tmp_path: Path) -> None:
    """By their first bytes."""
    path = tmp_path / "own.keras"
    path.write_bytes(content)
    with pytest.raises(NetworkError, match=rf"^own\.keras: {sentence}"):
        adopt(path, ONE, ClassTarget(TWO))


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("saved_model.pb", "it is a SavedModel folder, which has no layers to exchange"),
        ("config.json", "it is an unpacked .keras file"),
        ("letter.txt", "it is a folder: name a .keras file"),
    ],
)
def test_folders_are_named(file: str, sentence: str, tmp_path: Path) -> None:
    """A SavedModel is told from other folders."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / file).write_text("")
    with pytest.raises(NetworkError, match=f"^own: {sentence}"):
        adopt(tmp_path / "own", ONE, ClassTarget(TWO))


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_networks_of_other_backends_are_taken(backend: str) -> None:
    """A file that Keras saved on another backend: its own answers, and dropout that is on."""
    saved = ROOT / "tests" / "saved"
    columns = (Column(name="wave", kind="tensor", shape=(4, 2)),)
    model, _ = adopt(saved / f"{backend}.keras", Inputs(columns), ClassTarget(("a", "b", "c")))
    engine = engine_of(model)
    with np.load(saved / f"{backend}.npz") as found:
        features, answers = found["wave"].reshape(8, -1).astype(np.float64), found["answers"]
    np.testing.assert_allclose(engine.predict(features), answers, atol=1e-6)
    assert engine.summarise([Query(features, 50, 1)])[0].std.max() > 0.02


def test_both_directions_may_be_called_twice() -> None:
    """Each call has masks of its own, and a layer of its own that joins them."""
    layers = keras.layers
    inputs = keras.Input((12,))
    both = layers.Bidirectional(layers.GRU(3, dropout=0.3), name="both")
    first, second = (layers.Reshape((3, 4))(layers.Dense(12)(inputs)) for _ in range(2))
    joined = layers.Concatenate()([both(first), both(second)])
    model = filled(keras.Model(inputs, layers.Dense(2, activation="softmax")(joined)))
    found = with_monte_carlo(model)
    features = rows(5, 3)[:, :1].repeat(12, axis=1) / 1e4
    np.testing.assert_allclose(
        engine_of(found).predict(features), model(features.astype(np.float32)), atol=1e-6
    )
    assert len([one for one in found.layers if type(one).__name__ == "MCDropout"]) == 4


@pytest.mark.parametrize("units", [1, 2])
def test_probabilities_are_no_logits(units: int, tmp_path: Path) -> None:
    """A softmax of a softmax would be served with a false doubt: refused, wherever it is."""
    layers = keras.layers
    end = "sigmoid" if units == 1 else "softmax"
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.3),
            keras.Sequential([keras.Input((8,)), layers.Dense(units, activation=end)]),
        ]
    )
    filled(model).save(tmp_path / "own.keras")
    lines = [f"{a},{b}" for a, b in np.random.default_rng(0).random((40, 2)).round(3)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b", *lines]))
    job = Conversion(
        network=tmp_path / "own.keras",
        features=(Column(name="a"), Column(name="b")),
        classes=TWO,
        data=tmp_path / "rows.csv",
        target=None,
        out=tmp_path / "models",
        name="own",
        version=None,
        passes=20,
        calibrate=None,
        temperature=False,
        command="test",
        logits=True,
    )
    with pytest.raises(NetworkError, match="probabilities, not logits: leave out --logits"):
        convert(job)


def test_recurrences_that_were_called_in_training_are_taken(tmp_path: Path) -> None:
    """As guides switch dropout on: the call's option is left out, and the masks stay on."""
    layers = keras.layers
    inputs = keras.Input((4, 2))
    outputs = layers.LSTM(5, dropout=0.3, name="memory")(inputs, training=True)
    model = filled(keras.Model(inputs, layers.Dense(2, activation="softmax")(outputs)))
    model.save(tmp_path / "own.keras")
    columns = (Column(name="wave", kind="tensor", shape=(4, 2)),)
    found, _ = adopt(tmp_path / "own.keras", Inputs(columns), ClassTarget(TWO))
    draws = engine_of(found).draws(Query(np.ones((1, 8)), 50, 1))
    assert draws.std(axis=0).max() > 0.01


def test_a_weak_network_of_logits_is_taken(tmp_path: Path) -> None:
    """Logits that are near each other are no probabilities, whatever rows show."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((2,)), layers.Dropout(0.3), layers.Dense(1)])
    model.set_weights([np.full((2, 1), 0.2), np.full(1, 0.3)])
    model.save(tmp_path / "own.keras")
    columns = (Column(name="a", maximum=1), Column(name="b", maximum=1))
    found, notes = adopt(tmp_path / "own.keras", Inputs(columns), ClassTarget(TWO), logits=True)
    expected = 1 / (1 + np.exp(-0.7))
    np.testing.assert_allclose(engine_of(found).predict(np.ones((1, 2)))[0, 1], expected, 1e-6)
    assert notes[0].endswith("gives logits, of which a sigmoid makes probabilities")
