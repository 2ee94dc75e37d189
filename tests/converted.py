"""Networks that plain Keras builds and trains, for tests of what `dubito convert` makes of them.

Each is a function of nothing that returns a `Foreign`: nothing of it knows Dubito.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.losses import SparseCategoricalCrossentropy
from sklearn.datasets import load_digits

layers = keras.layers
Rows = list[dict[str, Any]]

HOMES = ("own", "rent", "mortgage")
TERMS = (36, 60)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A trained network with plain dropout, and what a person says of it."""

    model: Any
    description: dict[str, Any]
    rows: Rows
    """Rows like those that it was trained on, by the names of the features."""
    given: Callable[[Rows], Any]
    """What Keras' model takes for rows."""
    classes: tuple[str, ...]
    flags: tuple[str, ...] = ()
    """Further flags of the command that converts it."""

    @property
    def is_of_tensors(self) -> bool:
        return self.description["features"][0].get("kind") == "tensor"

    def probabilities(self, outputs: Any) -> np.ndarray:
        """What Dubito answers `(N, C)` where Keras answers `outputs`."""
        if "--logits" in self.flags:
            outputs = keras.activations.softmax(outputs)
        found = np.asarray(outputs, np.float64)
        return np.hstack([1 - found, found]) if found.shape[1] == 1 else found


def trained(model: Any, given: Any, truth: Any, epochs: int = 3) -> Any:
    """The model after a few epochs."""
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.fit(given, truth, epochs=epochs, batch_size=32, verbose=0)
    return model


def applications(count: int = 400) -> tuple[Rows, np.ndarray]:
    """Applications with words and whole numbers in them, and which of them were paid back."""
    random = np.random.default_rng(1)
    rows: Rows = [
        {
            "amount": round(float(random.lognormal(9, 0.6)), 2),
            "home": str(random.choice([*HOMES, "boat"], p=(0.4, 0.35, 0.2, 0.05))),
            "term": int(random.choice(TERMS)),
            "age": int(random.integers(18, 75)),
            "income": round(float(random.lognormal(10.5, 0.4)), 2),
        }
        for _ in range(count)
    ]
    risk = [
        row["amount"] / row["income"] + (row["home"] == "rent") / 3 + (row["term"] == 60) / 4
        for row in rows
    ]
    return rows, (np.array(risk) + random.normal(0, 0.2, count) > 0.55).astype(np.int64)


def structured() -> Foreign:
    """An input for each column and one for two of them, as Keras' guides build it."""
    keras.utils.set_random_seed(3)
    rows, truth = applications()
    amount, term = keras.Input((1,), name="amount"), keras.Input((1,), dtype="int64", name="term")
    home, others = keras.Input((1,), dtype="string", name="home"), keras.Input((2,), name="others")
    columns = _structured(rows)
    words = layers.StringLookup(mask_token="")
    words.adapt(tf.constant([[name] for name in HOMES]))
    scaling, spread = layers.Normalization(), layers.Normalization()
    scaling.adapt(columns["amount"])
    spread.adapt(columns["others"])
    bins = layers.Discretization(num_bins=5)
    bins.adapt(np.asarray(columns["amount"]))
    parts = [
        layers.Flatten()(layers.Embedding(words.vocabulary_size(), 3)(words(home))),
        layers.IntegerLookup(vocabulary=list(TERMS), output_mode="one_hot")(term),
        layers.CategoryEncoding(num_tokens=5, output_mode="one_hot")(bins(amount)),
        scaling(amount),
        spread(others),
    ]
    hidden = layers.Dense(24, activation="relu")(layers.Concatenate()(parts))
    hidden = layers.Dense(12, activation="relu")(layers.Dropout(0.3)(hidden))
    outputs = layers.Dense(2, activation="softmax")(layers.Dropout(0.2)(hidden))
    inputs = {"amount": amount, "home": home, "term": term, "others": others}
    model = trained(keras.Model(inputs, outputs), columns, truth)
    description = {
        "features": [
            {"name": "amount", "minimum": 0},
            {
                "name": "home",
                "kind": "category",
                "categories": list(HOMES),
                "takes_unknown": True,
                "imputed": 4,
            },
            {"name": "term", "kind": "integer", "minimum": 1, "maximum": 120},
            {"name": "age", "kind": "integer", "minimum": 18, "maximum": 120},
            {"name": "income", "minimum": 0},
        ],
        "inputs": {"others": ["age", "income"]},
    }
    return Foreign(model, description, rows, _structured, ("paid", "late"))


def _structured(rows: Rows) -> dict[str, Any]:
    def column(*names: str, dtype: str = "float32") -> Any:
        return tf.constant([[row[name] for name in names] for row in rows], dtype)

    return {
        "amount": column("amount"),
        "home": tf.constant([["" if row["home"] is None else row["home"]] for row in rows]),
        "term": column("term", dtype="int64"),
        "others": column("age", "income"),
    }


def _tensors(name: str) -> Callable[[Rows], Any]:
    """What Keras' model takes for rows that are tensors of this name."""
    return lambda rows: np.array([row[name] for row in rows], np.float32)


def _described(name: str, shape: tuple[int, ...], **bounds: float) -> dict[str, Any]:
    return {"features": [{"name": name, "kind": "tensor", "shape": shape, **bounds}]}


def digits() -> Foreign:
    """scikit-learn's handwritten digits as images, and whether each is an even one, by logits."""
    keras.utils.set_random_seed(4)
    images, truth = load_digits(return_X_y=True)
    images = images[:600].reshape(-1, 8, 8, 1)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(12, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.SpatialDropout2D(0.2),
            layers.Conv2D(16, 3, activation="relu"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, truth[:600], epochs=12, batch_size=32, verbose=0)
    rows: Rows = [{"image": image.tolist()} for image in images]
    described = _described("image", (8, 8, 1), minimum=0, maximum=16)
    names = tuple("0123456789")
    return Foreign(model, described, rows, _tensors("image"), names, ("--logits",))


def waves(count: int = 400) -> tuple[Rows, np.ndarray]:
    """Series of two channels, and whether their wave is the faster one."""
    random = np.random.default_rng(6)
    truth = random.integers(0, 2, count)
    steps = np.arange(12) * (0.5 + 0.35 * truth[:, None]) + random.uniform(0, 6, (count, 1))
    series = np.stack([np.sin(steps), np.cos(steps)], axis=2)
    series += random.normal(0, 0.6, series.shape)
    return [{"wave": one.round(4).tolist()} for one in series], truth


def recurrent(kind: Any, units: int, activation: str) -> Foreign:
    """A recurrent network of waves, with dropout of the inputs and of the states."""
    keras.utils.set_random_seed(5)
    rows, truth = waves()
    model = keras.Sequential(
        [
            keras.Input((12, 2)),
            kind(10, dropout=0.15, recurrent_dropout=0.25, return_sequences=True),
            kind(6, dropout=0.2),
            layers.Dense(units, activation=activation),
        ]
    )
    given = _tensors("wave")
    loss = "binary_crossentropy" if units == 1 else "sparse_categorical_crossentropy"
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
    model.fit(given(rows), truth, epochs=6, batch_size=32, verbose=0)
    return Foreign(model, _described("wave", (12, 2)), rows, given, ("slow", "fast"))


@keras.saving.register_keras_serializable("mine")
class Always(keras.layers.Dropout):
    """Dropout that somebody has put on for good, as the study has."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        return super().call(inputs, training=True)


def always() -> Foreign:
    """A network whose dropout is a subclass of Keras' own."""
    keras.utils.set_random_seed(7)
    rows, truth = waves()
    model = keras.Sequential(
        [
            keras.Input((12, 2)),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            Always(0.3),
            layers.Dense(2, activation="softmax"),
        ]
    )
    given = _tensors("wave")
    described, flags = _described("wave", (12, 2)), ("--as", "Always=Dropout")
    model = trained(model, given(rows), truth)
    return Foreign(model, described, rows, given, ("slow", "fast"), flags)


def attention() -> Foreign:
    """A small encoder of waves: steps alike, attention with dropout, noise in training."""
    keras.utils.set_random_seed(9)
    rows, truth = waves()
    inputs = keras.Input((12, 2))
    steps = layers.TimeDistributed(layers.Dense(8, activation="relu"))(inputs)
    steps = layers.TimeDistributed(layers.Dropout(0.1))(layers.GaussianNoise(0.1)(steps))
    heads = layers.MultiHeadAttention(2, 4, dropout=0.3)
    steps = layers.LayerNormalization()(layers.Add()([steps, heads(steps, steps, key=steps)]))
    late = layers.MultiHeadAttention(1, 4, dropout=0.2, use_bias=False)
    steps = late(query=steps, value=inputs, use_causal_mask=True)
    outputs = layers.Dense(2, activation="softmax")(layers.Flatten()(steps))
    given = _tensors("wave")
    model = trained(keras.Model(inputs, outputs), given(rows), truth, epochs=8)
    return Foreign(model, _described("wave", (12, 2)), rows, given, ("slow", "fast"))


NETWORKS: dict[str, Callable[[], Foreign]] = {
    "structured": structured,
    "digits": digits,
    "lstm": lambda: recurrent(layers.LSTM, 2, "softmax"),
    "gru": lambda: recurrent(layers.GRU, 1, "sigmoid"),
    "own dropout": always,
    "attention": attention,
}
