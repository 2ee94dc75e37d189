"""`dubito convert`: a network trained with plain Keras becomes a bundle, or is refused by name."""

import csv
import io
import json
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import httpx
import keras
import numpy as np
import pytest

from dubito import bundle
from dubito.cli.main import main
from dubito.layers.archive import from_bytes
from dubito.training.monte_carlo import MONTE_CARLO_OF
from dubito.types import Floats, Indices, Query
from tests.networks import inert, loop
from tests.service import Service, command, serving

layers = keras.layers
NAMES = ("length", "width", "height", "weight", "rings", "age")
CLASSES = ("small", "middle", "large")
DESCRIPTION: dict[str, Any] = {
    "features": [
        {"name": "length", "title": "Length of the shell", "unit": "cm", "aliases": ["길이"]},
        {"name": "width", "unit": "cm", "minimum": -100, "maximum": 100},
        {"name": "height"},
        {"name": "weight"},
        {"name": "rings", "kind": "integer", "minimum": 0, "maximum": 40},
        {"name": "age"},
    ]
}


def rows(count: int, seed: int = 0) -> tuple[Floats, Indices]:
    """Rows `(N, 6)` and which third of their sum they are in, mostly."""
    random = np.random.default_rng(seed)
    features = random.normal(3, 2, (count, 6)).round(3)
    features[:, 4] = random.integers(0, 30, count)
    score = features[:, :4].sum(axis=1) + random.normal(0, 1, count)
    return features, np.digitize(score, [10.5, 13.5])


def every_kind() -> Any:
    """Every dropout layer that is converted, batch normalisation, a convolution and a skip."""
    inputs = keras.Input((6,))
    normalization = layers.Normalization()
    normalization.adapt(rows(500)[0].astype(np.float32))
    first = layers.Dense(12, activation="relu")(normalization(inputs))
    first = layers.Dropout(0.2)(layers.BatchNormalization()(first))
    second = layers.AlphaDropout(0.1)(layers.Dense(12, activation="selu")(first))
    merged = layers.GaussianDropout(0.2)(layers.Add()([first, second]))
    steps = layers.Conv1D(8, 2, activation="gelu")(layers.Reshape((6, 2))(merged))
    steps = layers.Flatten()(layers.SpatialDropout1D(0.2)(steps))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(steps))


def chain(*middle: Any, last: Any = None) -> Any:
    """Dropout, the layers given, and a softmax unless the last layer is another."""
    last = last or layers.Dense(3, activation="softmax", name="grades")
    return keras.Sequential([keras.Input((6,)), layers.Dropout(0.5), *middle, last])


def write_rows(path: Path, features: Floats, labels: Indices | None = None) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*NAMES, "size"] if labels is not None else NAMES)
        for at, row in enumerate(features):
            cells = ["" if np.isnan(value) else repr(float(value)) for value in row]
            writer.writerow([*cells, CLASSES[labels[at]]] if labels is not None else cells)
    return path


def described(folder: Path, **changes: Any) -> Path:
    """The features' file; changes are to `length`."""
    first, *others = DESCRIPTION["features"]
    path = folder / "features.json"
    path.write_text(json.dumps({"features": [{**first, **changes}, *others]}))
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a newcomer has: a trained network, its features, labelled rows."""
    folder = tmp_path_factory.mktemp("own")
    keras.utils.set_random_seed(3)
    model = every_kind()
    model.compile(optimizer="adamw", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    features, labels = rows(500)
    model.fit(features.astype(np.float32), labels, epochs=8, batch_size=16, verbose=0)
    model.save(folder / "shells.keras")
    write_rows(folder / "shells.csv", *rows(300, 1))
    described(folder)
    return folder


def words(place: Path, network: str = "shells.keras", *more: str) -> list[str]:
    files = ["--features", str(place / "features.json"), "--data", str(place / "shells.csv")]
    return ["convert", str(place / network), *files, "--classes", ",".join(CLASSES), *more]


@pytest.fixture(scope="module")
def folder(place: Path) -> Path:
    """The bundle, made by the command as it is installed."""
    more = ["--target", "size", "--out", str(place / "models"), "--json"]
    done = command(*words(place, "shells.keras", *more))
    read = b"shells.csv: CSV, UTF-8, columns separated by commas, decimal point, 300 rows"
    assert (0, 1) == (done.returncode, done.stderr.count(b"\n")), done.stderr
    assert done.stderr.startswith(read)
    result = json.loads(done.stdout)
    assert result["metrics"]["accuracy"] > 0.6
    return Path(result["bundle"])


@pytest.fixture(scope="module")
def plain(place: Path) -> Any:
    return keras.models.load_model(place / "shells.keras", compile=False)


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    with serving(str(folder)) as service:
        yield service


def instances(features: Floats) -> dict[str, Any]:
    return {"instances": [dict(zip(NAMES, row.tolist(), strict=True)) for row in features]}


def asked(service: Service, route: str, features: Floats) -> list[dict[str, Any]]:
    answer = httpx.post(f"{service.url}{route}", json=instances(features), timeout=60)
    assert 200 == answer.status_code, answer.text
    predictions: list[dict[str, Any]] = answer.json()["predictions"]
    return predictions


def test_weights_and_other_layers_are_as_they_were(folder: Path, plain: Any) -> None:
    """Every weight has the original's bits; only dropout is exchanged, settings and all."""
    converted = from_bytes((folder / "model.keras").read_bytes())
    assert "shells/1" == f"{folder.parent.name}/{folder.name}"
    for ours, theirs in zip(converted.weights, plain.weights, strict=True):
        assert np.asarray(theirs).tobytes() == np.asarray(ours).tobytes()
    for ours, theirs in zip(converted.layers, plain.layers, strict=True):
        assert MONTE_CARLO_OF.get(type(theirs), type(theirs)) is type(ours)
        assert theirs.get_config().items() <= ours.get_config().items()


def test_the_engine_is_the_plain_loop(folder: Path, plain: Any) -> None:
    """Without noise the plain network's answers, with noise those of Keras' own calls."""
    features, _ = rows(20, 4)
    converted, engine = (
        from_bytes((folder / "model.keras").read_bytes()),
        bundle.load(folder).engine,
    )
    theirs = plain.predict(features.astype(np.float32), verbose=0)
    assert np.abs(theirs - inert(converted, features)).max() < 1e-6
    assert np.abs(theirs - engine.predict(features)).max() < 1e-6
    (summary,) = engine.summarise([Query(features, 30, 5)])
    draws = loop(converted, features, 30, 5)
    assert np.abs(draws.mean(axis=0) - summary.mean).max() < 1e-6
    assert np.abs(draws.std(axis=0) - summary.std).max() < 1e-6
    assert summary.std.max() > 0.01


def test_it_is_served(service: Service, folder: Path, plain: Any) -> None:
    """Over HTTP: `/predict` is the plain network, `/predict/mc` the engine to the last bit."""
    features, _ = rows(7, 5)
    theirs = plain.predict(features.astype(np.float32), verbose=0)
    for row, answer in zip(theirs, asked(service, "/predict", features), strict=True):
        assert list(CLASSES) == list(answer["probabilities"])
        assert np.abs(row - list(answer["probabilities"].values())).max() < 1e-6
        assert CLASSES[int(row.argmax())] == answer["grade"]
    (summary,) = bundle.load(folder).engine.summarise([Query(features, 60, 9)])
    answers = asked(service, "/predict/mc?passes=60&seed=9", features)
    assert summary.mean.tolist() == [list(answer["mean"].values()) for answer in answers]
    assert summary.std.tolist() == [list(answer["std"].values()) for answer in answers]
    alone = asked(service, "/predict/mc?passes=60&seed=9", features[3:4])
    assert answers[3]["mean"] == alone[0]["mean"]


def test_the_signature_is_what_was_described(service: Service) -> None:
    """Names, aliases and bounds come from the file, and what was seen from the rows."""
    features = httpx.get(f"{service.url}/model").json()["features"]
    length, width, _, _, rings, _ = features
    assert ("Length of the shell", ["길이"], "cm") == (
        length["title"],
        length["aliases"],
        length["unit"],
    )
    assert (-100, 100) == (width["minimum"], width["maximum"])
    assert ("integer", 0, 40) == (rings["kind"], rings["minimum"], rings["maximum"])
    assert rows(300, 1)[0][:, 0].max() == length["seen"]["maximum"]
    row = dict(zip(NAMES, rows(1)[0][0].tolist(), strict=True))
    far = [{**row, "width": 101}, {**row, "rings": 4.5}, {**row, "height": None}]
    statuses = [httpx.post(f"{service.url}/predict", json=bad).status_code for bad in far]
    assert [422, 422, 422] == statuses


def test_the_card_and_the_file_say_where_it_comes_from(folder: Path) -> None:
    """The card does not pretend to know the training; the command and the figures stand there."""
    card = (folder / "MODEL_CARD.md").read_text()
    manifest = bundle.load(folder).manifest
    assert "Converted from `shells.keras`. It was trained elsewhere." in card
    assert "dubito convert shells.keras --features features.json" in card
    assert "--target size" in manifest.trained.command
    assert "| accuracy |" in card
    assert {"deterministic", "mc"} == set(manifest.metrics)


def test_the_same_words_give_the_same_files(place: Path, folder: Path, tmp_path: Path) -> None:
    """Converted again, in another process and place: byte for byte the same bundle."""
    more = ["--target", "size", "--out", str(tmp_path), "--json", "--name", "shells"]
    assert 0 == main(words(place, "shells.keras", *more))
    again = tmp_path / "shells" / "1"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in again.iterdir()
    }


def test_rows_are_read_as_the_description_declares_their_file(
    place: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Encoding and separator, as for a training; where they are declared wrong, it is told."""
    text = (place / "shells.csv").read_text().replace("size", "크기").replace(",", ";")
    (tmp_path / "shells.csv").write_bytes(text.encode("cp949"))
    features = json.loads((place / "features.json").read_text())
    files = ["--features", str(tmp_path / "features.json"), "--data", str(tmp_path / "shells.csv")]
    more = [*files, "--classes", ",".join(CLASSES), "--target", "크기", "--out", str(tmp_path)]
    for encoding, fault in (("utf-8", "is not utf-8 text, as its description"), ("cp949", "")):
        file = {"file": {"encoding": encoding, "separator": ";"}}
        (tmp_path / "features.json").write_text(json.dumps(features | file))
        code = main(["convert", str(place / "shells.keras"), *more])
        told = capsys.readouterr().err
        assert (1 if fault else 0) == code, told
        assert fault in told
    metrics = bundle.load(folder).manifest.metrics
    assert metrics == bundle.load(tmp_path / "shells" / "1").manifest.metrics


def test_a_feature_that_may_be_missing(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an imputed value null is what that value is, to the last bit, and noted in the card."""
    described(tmp_path, imputed=2.5)
    features, _ = rows(40, 6)
    features[::5, 0] = np.nan
    write_rows(tmp_path / "shells.csv", features)
    (tmp_path / "shells.keras").write_bytes((place / "shells.keras").read_bytes())
    assert 0 == main(words(tmp_path, "shells.keras", "--out", str(tmp_path), "--name", "null"))
    loaded = bundle.load(tmp_path / "null" / "1")
    filled = np.where(np.isnan(features), 2.5, features)
    given, put = (loaded.engine.summarise([Query(one, 50, 1)])[0] for one in (features, filled))
    assert given.mean.tobytes() == put.mean.tobytes()
    feature = loaded.manifest.features[0]
    assert (True, 2.5, 8) == (feature.nullable, feature.imputed, feature.seen.missing)
    assert {} == loaded.manifest.metrics
    assert "becomes 2.5" in (tmp_path / "null" / "1" / "MODEL_CARD.md").read_text()
    assert "null/1" in capsys.readouterr().out


def subclassed() -> Any:
    class Foreign(keras.Model):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.dense = layers.Dense(3, activation="softmax")

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    model = Foreign()
    model(np.ones((1, 6)))
    return model


class Odd(keras.layers.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs


def odd(x: Any) -> Any:
    return x


def steps() -> Any:
    return layers.Reshape((3, 2))


def deep() -> Any:
    drop = layers.SpatialDropout3D(0.1, name="within")
    return chain(keras.Sequential([keras.Input((6,)), layers.Reshape((3, 2, 1, 1)), drop]))


def always_on(trained: bool) -> Any:
    """Dropout as people switch it on who have no layer for it; perhaps normalisation as well."""
    inputs = keras.Input((6,))
    scaled = layers.BatchNormalization(name="norm")(inputs, training=trained)
    outputs = layers.Dense(8, activation="relu")(layers.Dropout(0.5)(scaled, training=True))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(outputs))


def returning(layer: Any) -> Any:
    inputs = keras.Input((6,))
    outputs = layer(steps()(inputs))[0]
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(outputs))


def starting(layer: Any) -> Any:
    inputs = keras.Input((6,))
    state = layers.Dense(3)(inputs)
    outputs = layer(layers.Reshape((2, 3))(inputs), [state])
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(outputs))


def attending(layer: Any, shape: tuple[int, ...] = (3, 2)) -> Any:
    inputs = keras.Input((6,))
    sequence = layers.Dropout(0.1)(layers.Reshape(shape)(inputs))
    outputs = layers.Flatten()(layer(sequence, sequence))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(outputs))


def returning_weights() -> Any:
    inputs = keras.Input((6,))
    sequence = steps()(inputs)
    heads = layers.MultiHeadAttention(1, 2, dropout=0.2, name="heads")
    found, _ = heads(sequence, sequence, return_attention_scores=True)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(found)))


def attending_twice() -> Any:
    inputs = keras.Input((6,))
    sequence = steps()(inputs)
    heads = layers.MultiHeadAttention(1, 2, dropout=0.2, name="heads")
    found = heads(heads(sequence, sequence), sequence, use_causal_mask=True)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(found)))


COUNTERPART = "which has no Monte-Carlo counterpart"
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "Lambda": (
        lambda: chain(layers.Lambda(lambda x: x, name="lambs")),
        "layer lambs is of class Lambda, which the engine does not run",
    ),
    "LSTM that returns its state": (
        lambda: returning(layers.LSTM(4, dropout=0.2, return_state=True, name="memory")),
        "layer memory is a LSTM with return_state, which the engine does not run",
    ),
    "GRU inside": (
        lambda: chain(
            keras.Sequential(
                [keras.Input((6,)), steps(), layers.GRU(4, dropout=0.2)], name="within"
            )
        ),
        "the inner model within is Sequential and has a recurrent layer, attention or Time",
    ),
    "GRU with a state": (
        lambda: starting(layers.GRU(3, dropout=0.2, name="memory")),
        "layer memory is called with a state, which is not served",
    ),
    "SimpleRNN": (
        lambda: chain(steps(), layers.SimpleRNN(4, dropout=0.2, name="old")),
        "layer old is of class SimpleRNN, which the engine does not run: train a GRU or an LSTM",
    ),
    "Bidirectional": (
        lambda: chain(steps(), layers.Bidirectional(layers.SimpleRNN(4, dropout=0.2), name="both")),
        "layer both is of a SimpleRNN: train a GRU or an LSTM",
    ),
    "directions apart": (
        lambda: returning(
            layers.Bidirectional(layers.GRU(4, dropout=0.2), merge_mode=None, name="both")
        ),
        "layer both does not join its directions: give it a merge_mode",
    ),
    "attention with a gate": (
        lambda: attending(layers.MultiHeadAttention(1, 2, use_gate=True, name="heads")),
        "layer heads is a MultiHeadAttention with use_gate, which the engine does not run",
    ),
    "attention of features": (
        lambda: attending(layers.MultiHeadAttention(1, 2, attention_axes=2, name="heads")),
        "layer heads is a MultiHeadAttention whose attention_axes or output_shape are not those",
    ),
    "attention of places": (
        lambda: attending(layers.MultiHeadAttention(1, 2, name="heads"), (3, 2, 1)),
        "layer heads is a MultiHeadAttention whose attention_axes or output_shape are not those",
    ),
    "attention that returns its weights": (
        returning_weights,
        "layer heads is called with return_attention_scores",
    ),
    "attention of two kinds": (
        attending_twice,
        "layer heads has calls with and without a causal mask",
    ),
    "steps of a convolution": (
        lambda: chain(
            layers.Reshape((3, 2, 1)),
            layers.TimeDistributed(layers.Conv1D(2, 2), name="each"),
        ),
        "layer each is a TimeDistributed of a Conv1D: train it with layers that take the whole",
    ),
    "steps of channels": (
        lambda: chain(
            layers.Reshape((3, 2, 1)),
            layers.TimeDistributed(layers.SpatialDropout1D(0.1), name="each"),
        ),
        "layer each is a TimeDistributed of a SpatialDropout1D: train it",
    ),
    "steps of a mask": (
        lambda: chain(
            steps(), layers.TimeDistributed(layers.Dropout(0.1, noise_shape=(1, 2)), name="each")
        ),
        "layer each is a TimeDistributed of a Dropout: train it",
    ),
    "steps of a normalisation": (
        lambda: chain(
            layers.Reshape((3, 2, 1)),
            layers.TimeDistributed(layers.LayerNormalization(axis=1), name="each"),
        ),
        "layer each is a TimeDistributed of a LayerNormalization: train it",
    ),
    "custom layer": (
        lambda: chain(Odd(name="strange")),
        "is of class Odd, which the engine does not run: if it is dropout that is always on, say",
    ),
    "custom activation": (
        lambda: chain(layers.Dense(4, activation=odd, name="curved")),
        "layer curved has a setting, activation, that is not Keras' own",
    ),
    "SpatialDropout3D inside": (deep, f"layer within is a SpatialDropout3D, {COUNTERPART}"),
    "SpatialDropout3D": (
        lambda: chain(
            layers.Reshape((3, 2, 1, 1)),
            layers.SpatialDropout3D(0.1, name="deep"),
            layers.Flatten(),
        ),
        f"layer deep is a SpatialDropout3D, {COUNTERPART}",
    ),
    "wrapper": (
        lambda: chain(layers.SpectralNormalization(layers.Dense(3), name="wrapped")),
        "layer wrapped is of class SpectralNormalization",
    ),
    "subclassed": (subclassed, "it is not a Functional or Sequential model"),
    "nothing random": (
        lambda: keras.Sequential([keras.Input((6,)), layers.Dense(3, activation="softmax")]),
        "it has no dropout layer, so nothing in it would be random",
    ),
    "normalisation in training": (
        lambda: always_on(trained=True),
        "layer norm is called with training",
    ),
    "rates of nearly 0": (
        lambda: chain(layers.Dropout(1e-7, name="idle")),
        "layer idle: a Monte-Carlo rate of 1e-07 drops nothing or everything",
    ),
    "linear output": (
        lambda: chain(last=layers.Dense(3, name="logits")),
        "layer logits does not give probabilities",
    ),
    "sigmoid output": (
        lambda: chain(last=layers.Dense(3, activation="sigmoid", name="chances")),
        "layer chances does not give probabilities",
    ),
    "dropout at the end": (
        lambda: chain(layers.Dense(3, activation="softmax"), last=layers.Dropout(0.5, name="end")),
        "layer end does not give probabilities",
    ),
    "other width": (
        lambda: keras.Sequential(
            [keras.Input((5,)), layers.Dropout(0.5), layers.Dense(3, activation="softmax")]
        ),
        "it takes 5 features, but 6 are described",
    ),
    "other classes": (
        lambda: chain(last=layers.Dense(4, activation="softmax")),
        "it answers 4 values a row, but 3 classes are named",
    ),
}


def refusal(arguments: list[str], out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which the command refuses, having written nothing."""
    assert 1 == main([*arguments, "--out", str(out)])
    output, said = capsys.readouterr()
    *read, error = said.splitlines()
    assert "" == output
    assert all(line.startswith("shells.csv: ") for line in read)
    assert [] == list(out.rglob("*"))
    return error


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_converted_is_refused_by_name(
    name: str, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 and one sentence with the file and the layer; nothing is written."""
    make, sentence = REFUSED[name]
    path = tmp_path / "own.keras"
    make().save(path)
    out = tmp_path / "models"
    error = refusal(words(place, str(path), "--name", "own"), out, capsys)
    assert sentence in error
    assert "own.keras" in error or "layer" in error


def test_files_that_are_no_network(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An HDF5 file, a damaged one, another archive, a folder and nothing: one sentence each."""
    files = {name: tmp_path / name for name in ("old.h5", "cut.keras", "other.keras", "no.keras")}
    files["old.h5"].write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    files["cut.keras"].write_bytes((place / "shells.keras").read_bytes()[:-50])
    with zipfile.ZipFile(files["other.keras"], "w") as archive:
        archive.writestr("letter.txt", "Dear")
    sentences = {
        "old.h5": "old.h5: it is an HDF5 file: save it as .keras, with keras.models.load_model(",
        "cut.keras": "cut.keras is damaged or not a .keras archive",
        "other.keras": "other.keras has the member 'letter.txt', which is not known",
        "no.keras": "no.keras cannot be read: No such file",
    }
    for name, sentence in sentences.items():
        assert sentence in refusal(words(place, str(files[name])), tmp_path / "out", capsys)
    assert "it is a folder: name a .keras file" in refusal(
        [*words(place, str(tmp_path)), "--name", "folder"], tmp_path / "out", capsys
    )


DESCRIPTIONS: dict[str, tuple[str, str]] = {
    "not JSON": ("features:", "features.json is not valid JSON"),
    "a list": ("[]", "features.json is not a JSON object"),
    "none": ('{"features": []}', "features.json: there is no feature"),
    "no name": ('{"features": [{}]}', "features.0.name"),
    "unknown setting": ('{"features": [{"name": "a", "colour": 1}]}', "features.0.colour"),
    "unknown kind": ('{"features": [{"name": "a", "kind": "text"}]}', "features.0.kind"),
    "twice": ('{"features": [{"name": "a"}, {"name": "b", "aliases": ["a"]}]}', "a names two"),
    "bounds": (
        '{"features": [{"name": "a", "minimum": 2, "maximum": 1}]}',
        "the minimum of a is not below its maximum",
    ),
    "imputed": (
        '{"features": [{"name": "a", "minimum": 2, "imputed": 1}]}',
        "the imputed value of a is not one that it may have",
    ),
}


@pytest.mark.parametrize("name", list(DESCRIPTIONS))
def test_features_that_are_not_described(
    name: str, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence names the file and the place in it."""
    text, sentence = DESCRIPTIONS[name]
    (tmp_path / "features.json").write_text(text)
    (tmp_path / "shells.csv").write_bytes((place / "shells.csv").read_bytes())
    error = refusal(words(tmp_path, str(place / "shells.keras")), tmp_path / "out", capsys)
    assert sentence in error


@pytest.mark.parametrize(
    ("change", "more", "sentence"),
    [
        (("rings", "circles"), [], "there is no column rings"),
        (("length,", "길이,"), ["--target", "taste"], "there is no column taste"),
        (("small", "tiny"), ["--target", "size"], "size is not one of the classes (small, "),
        (("small", ""), ["--target", "age"], "age is not one of the classes"),
    ],
)
def test_rows_that_cannot_be_used(
    change: tuple[str, str],
    more: list[str],
    sentence: str,
    place: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A column that is missing or holds something else is named; an alias heads one as well."""
    described(tmp_path)
    text = (place / "shells.csv").read_text().replace(*change)
    (tmp_path / "shells.csv").write_text(text)
    arguments = words(tmp_path, str(place / "shells.keras"), *more)
    assert sentence in refusal(arguments, tmp_path / "out", capsys)


WRONG: dict[str, tuple[list[str], str]] = {
    "no data": (["x.keras", "--features", "f.json", "--classes", "A,B"], "convert needs --data"),
    "no features": (["x.keras", "--classes", "A,B"], "--features"),
    "one class": (["x.keras", "--features", "f", "--classes", "A", "--data", "d"], "two different"),
    "same class": (["x", "--features", "f", "--classes", "A,A", "--data", "d"], "two different"),
    "name": (
        ["x", "--features", "f", "--classes", "A,B", "--data", "d", "--name", "a/b"],
        "--name must be",
    ),
    "one pass": (
        ["x", "--features", "f", "--classes", "A,B", "--data", "d", "--passes", "1"],
        "at least 2",
    ),
    "unknown": (["x", "--features", "f", "--classes", "A,B", "--fly", "1"], "does not know --fly"),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_wrong_use_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, before TensorFlow is imported."""
    arguments, sentence = WRONG[name]
    try:
        code = main(["convert", *arguments])
    except SystemExit as end:
        code = int(end.code or 0)
    output, error = capsys.readouterr()
    assert (2, "", 1) == (code, output, error.count("\n"))
    assert sentence in error


def test_a_version_that_is_there_is_not_changed(
    place: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A published version never changes; without one named the next free one is taken."""
    out = str(place / "models")
    assert 1 == main(words(place, "shells.keras", "--out", out, "--version", "1"))
    assert "is already there" in capsys.readouterr().err
    assert 0 == main(words(place, "shells.keras", "--out", out))
    assert (folder.parent / "2" / "bundle.json").exists()


def test_dropout_that_is_called_with_training_is_converted(place: Path, tmp_path: Path) -> None:
    """`Dropout(0.5)(x, training=True)` is dropout like any other, batch statistics stay frozen."""
    model = always_on(trained=False)
    model.save(tmp_path / "on.keras")
    assert 0 == main(words(place, str(tmp_path / "on.keras"), "--out", str(tmp_path)))
    engine = bundle.load(tmp_path / "on" / "1").engine
    converted = from_bytes((tmp_path / "on" / "1" / "model.keras").read_bytes())
    features, _ = rows(5, 7)
    assert np.abs(inert(converted, features) - engine.predict(features)).max() < 1e-6
    for ours, theirs in zip(converted.weights, model.weights, strict=True):
        assert np.asarray(theirs).tobytes() == np.asarray(ours).tobytes()


def test_a_bundles_own_network_is_converted_again(
    place: Path, folder: Path, tmp_path: Path
) -> None:
    """A network that has Monte-Carlo layers already is taken as it is, byte for byte."""
    network = (folder / "model.keras").read_bytes()
    (tmp_path / "again.keras").write_bytes(network)
    assert 0 == main(words(place, str(tmp_path / "again.keras"), "--out", str(tmp_path)))
    assert network == (tmp_path / "again" / "1" / "model.keras").read_bytes()


def test_labelled_rows_add_sets_and_decisions(place: Path, folder: Path, tmp_path: Path) -> None:
    """With --calibrate the weights stay; --temperature divides the last layer's alone."""
    labelled = write_rows(tmp_path / "labelled.csv", *rows(300, 2))
    common = ["--target", "size", "--calibrate", str(labelled)]
    kept = made(place, tmp_path / "kept", *common)
    tempered = made(place, tmp_path / "tempered", *common, "--temperature")
    assert folder.joinpath("model.keras").read_bytes() == kept.joinpath("model.keras").read_bytes()
    before, after = (bundle.load(at) for at in (kept, tempered))
    assert before.manifest.calibration is not None
    assert after.manifest.calibration is not None
    features = rows(20, 3)[0]
    logits = [np.log(one.engine.predict(features)) for one in (before, after)]
    ratio = np.ptp(logits[0], axis=1) / np.ptp(logits[1], axis=1)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)
    with serving(str(tempered)) as service:
        answer = asked(service, "/predict/mc", features)[0]
    assert answer["prediction_set"] is not None
    assert answer["decision"] is not None
    card = (kept / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert ("rows exchangeable with these rows" in card, "loan" in card) == (True, False)


def made(place: Path, out: Path, *more: str) -> Path:
    told = io.StringIO()
    with redirect_stdout(told):
        assert 0 == main(words(place, "shells.keras", *more, "--out", str(out), "--json"))
    return Path(json.loads(told.getvalue())["bundle"])


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (["--calibrate", "x.csv"], "--calibrate needs --target"),
        (["--temperature"], "--temperature needs --calibrate"),
    ],
)
def test_calibration_flags_need_each_other(
    place: Path, more: list[str], fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing is said in one sentence, with exit code 2."""
    assert 2 == main(words(place, "shells.keras", *more))
    assert fault in capsys.readouterr().err


def test_a_converted_network_is_evaluated(
    folder: Path, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`dubito evaluate` asks it about labelled rows of its own; loans are not assumed."""
    page = tmp_path / "page.html"
    words = ["--data", str(place / "shells.csv"), "--passes", "20", "--out", str(page)]
    assert 0 == main(["evaluate", str(folder), *words, "--target", "size"])
    out = capsys.readouterr().out
    assert "all 300 rows of shells.csv" in out
    assert "length × 3: AUROC" in out
    assert page.exists()
    assert 1 == main(["evaluate", str(folder), *words])
    assert "--target" in capsys.readouterr().err


def sigmoid_files(folder: Path) -> list[str]:
    """A network with one sigmoid unit and rows whose target is 0 or 1: the words to convert it."""
    middle = (layers.Dense(16, activation="relu"), layers.Dropout(0.2))
    model = keras.Sequential(
        [keras.Input((6,)), *middle, layers.Dense(1, activation="sigmoid", name="risk")]
    )
    model.compile(optimizer=keras.optimizers.AdamW(0.01), loss="binary_crossentropy")
    features, labels = rows(300, 1)
    is_large = (labels > 0).astype(int)
    model.fit(features.astype(np.float32), is_large, epochs=10, batch_size=16, verbose=0)
    model.save(folder / "risk.keras")
    lines = [
        ";".join([*(repr(float(value)).replace(".", ",") for value in row), str(label)])
        for row, label in zip(features, is_large, strict=True)
    ]
    text = "\r\n".join([";".join([*NAMES, "default"]), *lines, ";" * 6, ""])
    (folder / "risk.csv").write_bytes(text.encode("utf-8-sig"))
    (folder / "features.json").write_bytes(json.dumps(DESCRIPTION).encode("utf-8-sig"))
    files = ["--features", str(folder / "features.json"), "--data", str(folder / "risk.csv")]
    more = ["--target", "default", "--calibrate", str(folder / "risk.csv"), "--temperature"]
    classes = ["--classes", "paid,default", "--out", str(folder / "models")]
    return ["convert", str(folder / "risk.keras"), *files, *more, *classes]


def test_one_sigmoid_unit_is_served_as_two_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a file as Excel writes it, calibrated, its temperature in the unit, graded over HTTP."""
    keras.utils.set_random_seed(3)
    assert 0 == main(sigmoid_files(tmp_path))
    out, err = capsys.readouterr()
    assert "risk.csv: CSV, UTF-8 with a byte order mark, columns separated by semicolons" in err
    assert "risk.csv: in default, 0 is read as paid and 1 as default" in err
    assert "one sigmoid unit gives the probability of default, and 1 minus it that of paid" in err
    assert float(out.partition("accuracy ")[2].partition(",")[0]) > 0.75
    folder = tmp_path / "models" / "risk" / "1"
    engine = bundle.load(folder).engine
    features, _ = rows(5, 6)
    (summary,) = engine.summarise([Query(features, 100, 9)])
    with serving(str(folder)) as service:
        answers = asked(service, "/predict/mc?seed=9", features)
        plain = asked(service, "/predict", features)
    for row, answer in enumerate(answers):
        assert summary.mean[row].tolist() == [answer["mean"]["paid"], answer["mean"]["default"]]
        assert abs(1 - sum(answer["mean"].values())) < 1e-15
        assert answer["prediction_set"]["grades"]
    for answer in plain:
        assert answer["probabilities"]["paid"] == 1 - answer["probabilities"]["default"]


def test_names_are_composed(place: Path, tmp_path: Path) -> None:
    """Korean names described on a Mac are the bundle's in the form that others type."""
    decomposed = unicodedata.normalize("NFD", "길이")
    described(tmp_path, aliases=[decomposed])
    text = (place / "shells.csv").read_text().replace("length", decomposed, 1)
    (tmp_path / "shells.csv").write_text(text)
    (tmp_path / "shells.keras").write_bytes((place / "shells.keras").read_bytes())
    assert 0 == main(words(tmp_path, "shells.keras", "--out", str(tmp_path), "--name", "own"))
    manifest = bundle.load(tmp_path / "own" / "1").manifest
    assert ("길이",) == manifest.features[0].aliases
