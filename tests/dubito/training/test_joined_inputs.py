"""Networks of several named inputs, words among them: answers are those of Keras.

The oracle is the file as it was saved, read by Keras with its lookup layers.
"""

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.utils import FeatureSpace

from dubito.engine.backends.native.engine import NativeEngine
from dubito.engine.compiler.compiler import engine_of
from dubito.errors import NetworkError
from dubito.features import Category
from dubito.layout import Column
from dubito.targets import ClassTarget
from dubito.training.import_keras import adopt
from dubito.training.joined_inputs import Inputs
from dubito.types import Floats

layers = keras.layers
TARGET = ClassTarget(("a", "b", "c"))
WORDS = ("own", "rent", "mortgage", "none at all")
TERMS = (36, 60)
UNKNOWN, MISSING = 4.0, 5.0
"""Places of a home that is not in the list, and of one that is missing."""


@pytest.fixture(autouse=True)
def _weights() -> None:
    """Weights are the same at every run."""
    keras.utils.set_random_seed(2)


def categories(names: Sequence[str]) -> tuple[Category, ...]:
    return tuple(Category(name, ()) for name in names)


HOME = Column(name="home", kind="category", categories=categories(WORDS))
OPEN_HOME = Column(
    name="home",
    kind="category",
    categories=categories(WORDS),
    takes_unknown=True,
    nullable=True,
    imputed=MISSING,
)
AMOUNT = Column(name="amount", minimum=0, maximum=1e6)
TERM = Column(name="term", kind="integer", minimum=0, maximum=100)


def text(name: str = "home") -> Any:
    return keras.Input((1,), dtype="string", name=name)


def number(name: str = "amount", dtype: str = "float32") -> Any:
    return keras.Input((1,), dtype=dtype, name=name)


def lookup(**settings: Any) -> Any:
    """A lookup whose vocabulary lacks a word and is learnt, so that it is an asset of the file."""
    layer = layers.StringLookup(**settings)
    layer.adapt(tf.constant([["own"], ["rent"], ["rent"], ["mortgage"]]))
    return layer


def integers(**settings: Any) -> Any:
    layer = layers.IntegerLookup(**settings)
    layer.adapt(tf.constant([[36], [36], [60]], "int64"))
    return layer


def bins(**settings: Any) -> Any:
    layer = layers.Discretization(num_bins=4, **settings)
    layer.adapt(np.arange(1_000.0)[:, None])
    return layer


def answered(inputs: Any, *found: Any) -> Any:
    """The model of what is made of the inputs: plain dropout, then three classes."""
    joined = layers.Concatenate()(list(found)) if len(found) > 1 else found[0]
    hidden = layers.Dropout(0.3)(layers.Dense(8, activation="tanh")(joined))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(hidden))


def embedded() -> Any:
    """A word as an embedding, money scaled and in bins, as Keras' guides have it."""
    home, amount, term = text(), number(), number("term", "int64")
    words = lookup()
    table = layers.Flatten()(layers.Embedding(words.vocabulary_size(), 3)(words(home)))
    scaling = layers.Normalization()
    scaling.adapt(np.arange(1_000.0)[:, None])
    slots = layers.CategoryEncoding(num_tokens=4, output_mode="one_hot")(bins()(amount))
    known = integers(output_mode="one_hot")(term)
    found = (table, scaling(amount), slots, known)
    return answered({"home": home, "amount": amount, "term": term}, *found)


def of_words(make: Callable[[Any], Any]) -> Callable[[], Any]:
    def made() -> Any:
        home = text()
        return answered([home], make(home))

    return made


def of_terms(make: Callable[[Any], Any]) -> Callable[[], Any]:
    def made() -> Any:
        term = number("term", "int32")
        return answered([term], make(term))

    return made


def of_amounts(make: Callable[[Any], Any]) -> Callable[[], Any]:
    def made() -> Any:
        amount = number()
        return answered([amount], make(amount))

    return made


def table_of(indices: Any, rows: int = 8) -> Any:
    return layers.Reshape((2,))(layers.Embedding(rows, 2)(indices))


def literal(**settings: Any) -> Any:
    return layers.StringLookup(vocabulary=list(WORDS), **settings)


def shared() -> Any:
    """One lookup and one embedding for two features."""
    first, second = text("home"), text("other")
    words, table = lookup(), layers.Embedding(4, 3)
    found = [layers.Flatten()(table(words(given))) for given in (first, second)]
    return answered([first, second], *found)


def several() -> Any:
    """An input of two features beside one of words."""
    home, numbers = text(), keras.Input((2,), name="numbers")
    return answered([home, numbers], lookup(output_mode="multi_hot")(home), numbers)


def operated() -> Any:
    """Columns of one array by slices, cast to whole numbers, with axes put in and taken out."""
    rows = keras.Input((3,))
    place = keras.ops.cast(rows[:, 0:1], "int32")
    found = keras.ops.squeeze(layers.Embedding(4, 2)(place), axis=1)
    again = layers.Flatten()(keras.ops.expand_dims(rows[:, 1:2], axis=-1))
    small = (layers.Rescaling(1e-3)(part) for part in (rows[:, ::-1], again))
    return answered(rows, found, *small)


def space() -> Any:
    """What `keras.utils.FeatureSpace` makes of a table."""
    made = FeatureSpace(
        {
            "home": FeatureSpace.string_categorical(num_oov_indices=1),
            "term": FeatureSpace.integer_categorical(),
            "amount": FeatureSpace.float_discretized(num_bins=5),
        },
        output_mode="concat",
    )
    table = {"home": list(WORDS), "term": [36, 60, 36, 36], "amount": [1.0, 20.0, 300.0, 4000.0]}
    made.adapt(tf.data.Dataset.from_tensor_slices(table))
    return answered(made.get_inputs(), made.get_encoded_features())


MODES = ("one_hot", "multi_hot", "count")
NETWORKS: dict[str, tuple[Callable[[], Any], tuple[Column, ...]]] = {
    "embedded": (embedded, (AMOUNT, OPEN_HOME, TERM)),
    "shared": (shared, (HOME, Column(name="other", kind="category", categories=categories(WORDS)))),
    "several": (several, (AMOUNT, HOME, TERM)),
    "space": (space, (HOME, TERM, AMOUNT)),
    "operated": (operated, (HOME, AMOUNT, TERM)),
    "masked": (of_words(lambda x: table_of(lookup(mask_token="")(x))), (OPEN_HOME,)),
    "mask in slots": (of_words(lookup(mask_token="", output_mode="one_hot")), (OPEN_HOME,)),
    "mask with a name": (
        of_words(literal(mask_token="[M]", output_mode="count")),  # noqa: S106 - no secret
        (OPEN_HOME,),
    ),
    "padded": (
        of_words(lookup(max_tokens=9, pad_to_max_tokens=True, output_mode="multi_hot")),
        (OPEN_HOME,),
    ),
    "several unknown": (of_words(lookup(num_oov_indices=3, output_mode="one_hot")), (HOME,)),
    "none unknown": (of_words(literal(num_oov_indices=0, output_mode="one_hot")), (HOME,)),
    "hashed words": (of_words(lambda x: table_of(layers.Hashing(8)(x))), (HOME,)),
    "salted": (
        of_words(layers.Hashing(5, salt=[3, 4], mask_value="own", output_mode="one_hot")),
        (HOME,),
    ),
    "numbers": (of_terms(lambda x: table_of(integers(mask_token=0)(x))), (TERM,)),
    "hashed numbers": (of_terms(layers.Hashing(8, output_mode="one_hot")), (TERM,)),
    "known numbers": (
        of_terms(lambda x: table_of(layers.IntegerLookup(vocabulary=[60, 36, 9])(x))),
        (Column(name="term", kind="category", categories=categories(["36", "60", "7"])),),
    ),
    **{f"slots, {mode}": (of_words(lookup(output_mode=mode)), (OPEN_HOME,)) for mode in MODES},
    **{f"bins, {mode}": (of_amounts(bins(output_mode=mode)), (AMOUNT,)) for mode in MODES},
}
GROUPS = {"several": {"numbers": ("amount", "term")}}
"""Features of inputs that take several."""


def saved(model: Any, folder: Path) -> Path:
    path = folder / "net.keras"
    model.save(path)
    return path


def rows_of(columns: Sequence[Column], count: int = 60) -> Floats:
    """Rows `(N, F)`, with unknown and missing categories where they may be."""
    random = np.random.default_rng(4)
    found = []
    for column in columns:
        if column.kind == "category":
            drawn = random.integers(0, int(column.limits[1]) + 1, count).astype(float)
            drawn[::7] = np.nan if column.nullable else drawn[::7]
        elif column.kind == "integer":
            drawn = random.choice([36.0, 60.0, 48.0, 1.0, 100.0], count)
        else:
            drawn = random.uniform(0, 1_000, count).astype(np.float32).astype(float)
        found.append(drawn)
    return np.column_stack(found)


def given(model: Any, columns: Sequence[Column], rows: Floats, groups: Any) -> Any:
    """The rows as Keras' model takes them: a tensor for each of its inputs."""
    if len(model.inputs) == 1 and model.inputs[0].shape[1] == len(columns) > 1:
        return tf.constant(rows, "float32")
    places = {column.name: at for at, column in enumerate(columns)}
    made = {}
    for entry in model.inputs:
        names = groups.get(entry.name, (entry.name,))
        values = [
            _values(columns[places[name]], rows[:, places[name]], entry.dtype) for name in names
        ]
        made[entry.name] = tf.constant(np.column_stack(values).tolist(), entry.dtype)
    return made


def _values(column: Column, numbers: Floats, dtype: str) -> list[Any]:
    """A column's values: words, or numbers; none is in the file of a word that it does not know."""
    if column.kind != "category":
        return [int(each) if "int" in dtype else float(each) for each in numbers]
    names = [category.name for category in column.categories]
    known: dict[float, str] = {float(at): name for at, name in enumerate(names)}
    known[UNKNOWN] = "a word of its own"
    texts = [MASK if np.isnan(each) else known[each] for each in numbers]
    return texts if dtype == "string" else [int(each) for each in texts]


MASK = ""


@pytest.mark.parametrize("name", NETWORKS)
def test_the_answers_are_those_of_keras(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without dropout, row by row, for every word, number, gap and unknown; on the fast path."""
    if name == "mask with a name":
        monkeypatch.setattr(__name__ + ".MASK", "[M]")
    make, columns = NETWORKS[name]
    groups, path = GROUPS.get(name, {}), saved(make(), tmp_path)
    model, _ = adopt(path, Inputs(columns, groups), TARGET)
    engine, rows = engine_of(model), rows_of(columns)
    assert isinstance(engine, NativeEngine)
    theirs = keras.saving.load_model(path)
    expected = np.asarray(theirs(given(theirs, columns, rows, groups)))
    assert len(np.unique(expected.round(5), axis=0)) > 1
    np.testing.assert_allclose(engine.predict(rows), expected, atol=1e-6)


def test_people_are_told_of_the_inputs(tmp_path: Path) -> None:
    """Which inputs became columns of one row; nothing is said of a network of one array."""
    make, columns = NETWORKS["embedded"]
    _, notes = adopt(saved(make(), tmp_path), Inputs(columns), TARGET)
    assert notes == ("its inputs amount, home, term are taken from one row of numbers",)
    make, columns = NETWORKS["operated"]
    assert adopt(saved(make(), tmp_path), Inputs(columns), TARGET).notes == ()


def nested() -> Any:
    """Words looked up in a model inside of the model."""
    home = text()
    inner = keras.Model(home, lookup(output_mode="one_hot")(home), name="preparation")
    other = text()
    return answered([other], inner(other))


def scalar() -> Any:
    amount = keras.Input((), name="amount")
    return answered([amount, text()], keras.ops.expand_dims(amount, -1))


def unlike(**settings: Any) -> Callable[[], Any]:
    return of_words(lambda x: lookup(output_mode="one_hot", **settings)(x))


@pytest.mark.parametrize(
    ("make", "columns", "sentence"),
    [
        (embedded, (AMOUNT, HOME), "input term takes features that are not described"),
        (
            embedded,
            (AMOUNT, HOME, TERM, Column(name="age")),
            "no input of it takes the feature age",
        ),
        (several, (AMOUNT, HOME, TERM), "input numbers takes features that are not described"),
        (embedded, (AMOUNT, Column(name="home"), TERM), "describe home as a category"),
        (
            of_terms(integers(output_mode="one_hot")),
            (Column(name="term", minimum=0, maximum=9),),
            "takes tokens: describe term as a category or an integer",
        ),
        (
            of_terms(layers.Hashing(8, output_mode="one_hot")),
            (Column(name="term", kind="integer"),),
            "needs to know each value of term: describe minimum and maximum",
        ),
        (
            of_terms(integers(output_mode="one_hot")),
            (Column(name="term", kind="category", categories=categories(["short", "long"])),),
            "takes whole numbers, which categories of term are not",
        ),
        (
            of_terms(lambda x: layers.Rescaling(0.1)(x)),
            (Column(name="term", kind="category", categories=categories(["36", "60"])),),
            "would get the places of the categories of term, not these numbers",
        ),
        (
            unlike(num_oov_indices=2),
            (OPEN_HOME,),
            "has several indices for what it does not know, but home one slot",
        ),
        (of_words(lookup(num_oov_indices=0, output_mode="one_hot")), (HOME,), "does not know all"),
        (of_words(layers.Hashing(5, output_mode="one_hot")), (OPEN_HOME,), "has several indices"),
        (
            of_words(lambda x: table_of(lookup()(x), rows=3)),
            (HOME,),
            "has rows for 0 to 2, but may",
        ),
        (nested, (HOME,), "gives text to a model inside of it: save one model"),
        (scalar, (AMOUNT, HOME), "takes no numbers along one axis: give it a shape such as (1,)"),
        (
            of_words(
                lambda x: layers.GlobalAveragePooling1D()(
                    layers.Embedding(8, 2, mask_zero=True)(lookup()(x))
                )
            ),
            (HOME,),
            "hides index 0 from GlobalAveragePooling1D",
        ),
        (
            lambda: answered((x := keras.Input((3,))), keras.ops.expand_dims(x[:, 1], -1)),
            (HOME, AMOUNT, TERM),
            "takes a part of a row: write it as x[:, 2:3]",
        ),
        (
            lambda: answered(
                (x := keras.Input((3,))),
                layers.CategoryEncoding(num_tokens=4, output_mode="multi_hot")(x),
            ),
            (HOME, AMOUNT, TERM),
            "a CategoryEncoding, encodes several values of a row at once",
        ),
    ],
)
def test_what_cannot_be_joined_is_refused_by_name(
    make: Callable[[], Any], columns: tuple[Column, ...], sentence: str, tmp_path: Path
) -> None:
    """The sentence names the input or the layer, and says what to do."""
    with pytest.raises(NetworkError) as refused:
        adopt(saved(make(), tmp_path), Inputs(columns), TARGET)
    assert sentence in str(refused.value)


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The file with other members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    path.write_bytes(packed.getvalue())
    return path


ASSET = "assets/layers/string_lookup/vocabulary.txt"


def with_vocabulary(content: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda members: members.update({ASSET: content})


def configured(**settings: Any) -> Callable[[dict[str, bytes]], None]:
    """The lookup layer with other settings."""

    def change(members: dict[str, bytes]) -> None:
        config = json.loads(members["config.json"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "StringLookup":
                layer["config"].update(settings)
        members["config.json"] = json.dumps(config).encode()

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (configured(vocabulary="/etc/passwd"), "reads its vocabulary from a path, which is not"),
        (configured(vocabulary=["a", 1]), "is not a network as Keras writes it"),
        (configured(vocabulary={"a": 1}), "is not a network as Keras writes it"),
        (configured(vocabulary=[]), "is not a network as Keras writes it"),
        (configured(max_tokens=10**9, pad_to_max_tokens=True), "has more than 100000 slots"),
        (configured(max_tokens="9"), "is not a network as Keras writes it"),
        (
            configured(vocabulary=["a", "a"]),
            "has a vocabulary or settings that Keras does not take",
        ),
        (configured(vocabulary=["w"] * 100_001), "knows more than 100000 tokens"),
        (configured(output_mode="tf_idf"), "weighs words by their frequency"),
        (configured(invert=True), "has invert=True, which is not served"),
        (configured(sparse=True), "has sparse=True, which is not served"),
        (configured(num_oov_indices="1"), "has a vocabulary or settings that Keras does not take"),
        (lambda members: members.pop(ASSET), "has no vocabulary: adapt it first"),
        (with_vocabulary(b"own\nown\nrent"), "has a vocabulary or settings that Keras does not"),
        (with_vocabulary(b"\xff\xfe"), "is not UTF-8"),
        (with_vocabulary(b"w" * (4 * 2**20 + 1)), "more than the 4194304 allowed"),
        (
            lambda members: members.update({"assets/layers/string_lookup/other.txt": b""}),
            "has the member 'assets/layers/string_lookup/other.txt'",
        ),
        (
            lambda members: members.update({"assets/../vocabulary.txt/../x": b""}),
            "which is not known",
        ),
    ],
)
def test_a_vocabulary_that_is_no_list_of_words_is_refused(
    change: Callable[[dict[str, bytes]], Any], sentence: str, tmp_path: Path
) -> None:
    """Before Keras reads the file; no path in it is opened (CVE-2025-12058)."""
    path = rewritten(saved(of_words(lookup(output_mode="one_hot"))(), tmp_path), change)
    with pytest.raises(NetworkError) as refused:
        adopt(path, Inputs((HOME,)), TARGET)
    assert sentence in str(refused.value)
    assert "/etc/passwd" not in str(refused.value)
