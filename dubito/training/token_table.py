"""Tables of a lookup layer: which index each value of a feature gets, as Keras itself computes it.

Text never enters a bundle's network. Where a foreign network looks words up, its bundle looks up
the numbers that stand for them, in a literal list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dubito.bundles.validation.own_layers import MOST_SLOTS, NO_INDEX
from dubito.errors import NetworkError
from dubito.layout import Column

Token = str | int

SETTINGS = {
    "StringLookup": (
        "max_tokens num_oov_indices mask_token oov_token output_mode pad_to_max_tokens oov_method"
        " salt encoding"
    ),
    "IntegerLookup": (
        "max_tokens num_oov_indices mask_token oov_token output_mode pad_to_max_tokens oov_method"
        " salt vocabulary_dtype"
    ),
    "Hashing": "num_bins mask_value salt output_mode",
}
"""Settings of the layers that take tokens, which their tables depend on; by class name."""
MASKS = ("mask_token", "mask_value")
OFF = ("invert", "sparse")
"""Settings that change what such a layer gives, and are not served."""
MOST_EXACT = 2**24
"""Greatest whole number up to which all are float32."""
CHUNK = 256
"""Tokens that are looked up at a time: each may be encoded in as many numbers as slots."""
NO_WORD = "\0"
"""Text that no vocabulary has, as files of them end no line with it."""


@dataclass(frozen=True, slots=True)
class TokenTable:
    """Indices of the numbers that stand for a feature's values."""

    keys: tuple[int, ...]
    """`(K,)` numbers, ascending."""
    indices: tuple[int, ...]
    """`(K,)` index of each, −1 for one that is encoded as no slot."""
    unknown: int
    """Index of any other number."""
    depth: int | None
    """Number of slots if the layer encodes its indices one-hot; None if it gives them."""


@dataclass(frozen=True, slots=True)
class TokenLayer:
    """A layer of a foreign file that takes words or whole numbers."""

    kind: str
    name: str
    settings: dict[str, Any]
    vocabulary: list[Token] | None
    """Literal list of known tokens; None for hashing."""

    @property
    def takes_text(self) -> bool:
        """Whether tokens are words; hashing takes both."""
        return self.kind == "StringLookup"

    @property
    def several_unknown(self) -> bool:
        """Whether tokens that it does not know have several indices."""
        return self.kind == "Hashing" or self.settings.get("num_oov_indices", 1) > 1

    def table(self, column: Column, *, is_text: bool) -> TokenTable:
        """Compute the table for the values of a feature.

        Args:
            column: the feature.
            is_text: whether the network's input is of text.

        Raises:
            NetworkError: the layer does not suit the feature.
        """
        self._check()
        if column.kind == "category":
            return self._of_categories(column, is_text=is_text)
        if is_text or column.kind == "float":
            wanted = "category" if is_text else "category or an integer"
            raise self._fault(f"takes tokens: describe {column.name} as a {wanted}")
        return self._of_integers(column)

    def _check(self) -> None:
        for name in OFF:
            if self.settings.get(name):
                raise self._fault(f"has {name}=True, which is not served")
        if self.settings.get("output_mode") in ("tf_idf", "tf-idf"):
            raise self._fault("weighs words by their frequency, which is not served")
        slots = (self.settings.get("num_bins"), self.settings.get("max_tokens"))
        if any(count is not None and not count <= MOST_SLOTS for count in slots):
            raise self._fault(f"has more than {MOST_SLOTS} slots")

    def _of_categories(self, column: Column, *, is_text: bool) -> TokenTable:
        names = [category.name for category in column.categories]
        tokens: list[Token] = list(names)
        if not is_text:
            if not all(name.lstrip("-").isdecimal() for name in names):
                raise self._fault(f"takes whole numbers, which categories of {column.name} are not")
            tokens = [int(name) for name in names]
        if column.takes_unknown:
            if self.several_unknown:
                told = f"has several indices for what it does not know, but {column.name} one"
                raise self._fault(f"{told} slot: leave out takes_unknown")
            tokens.append(self._unknown(is_text=is_text))
        if column.imputed == len(tokens):
            tokens.append(self._missing(is_text=is_text))
        indices, depth = self._indices(tokens, column)
        return TokenTable(tuple(range(len(tokens))), indices, indices[0], depth)

    def _of_integers(self, column: Column) -> TokenTable:
        least, most = (int(limit) for limit in column.limits)
        given = () if column.imputed is None else (int(column.imputed),)
        known = sorted({int(token) for token in self.vocabulary or ()} | set(given))
        if self.several_unknown or self.settings.get("num_oov_indices") == 0:
            if most - least >= MOST_SLOTS:
                told = f"needs to know each value of {column.name}: describe minimum and maximum"
                raise self._fault(told)
            known = sorted({*range(least, most + 1), *given})
        if max(map(abs, known)) > MOST_EXACT:
            raise self._fault(f"has keys above {MOST_EXACT}: describe {column.name} as a category")
        others: list[Token] = [] if self.several_unknown else [self._unknown(is_text=False)]
        if self.settings.get("num_oov_indices") == 0:
            others = []
        indices, depth = self._indices([*known, *others], column)
        return TokenTable(tuple(known), indices[: len(known)], indices[-1], depth)

    def _unknown(self, *, is_text: bool) -> Token:
        if is_text:
            return NO_WORD
        reserved = {*(self.vocabulary or ()), self.settings.get("mask_token")}
        return next(number for number in range(MOST_EXACT) if number not in reserved)

    def _missing(self, *, is_text: bool) -> Token:
        """Return the token of a missing value: the layer's mask, or else none that it knows."""
        mask = next((self.settings[name] for name in MASKS if name in self.settings), None)
        if type(mask) is (str if is_text else int):
            return mask
        return "" if is_text else self._unknown(is_text=False)

    def _indices(
        self, tokens: Sequence[Token], column: Column
    ) -> tuple[tuple[int, ...], int | None]:
        """Let Keras' own layer look tokens up; returns their indices and the number of slots."""
        named = SETTINGS[self.kind].split()
        given = {name: value for name, value in self.settings.items() if name in named}
        if self.vocabulary is not None:
            given["vocabulary"] = self.vocabulary
        dtype = "string" if isinstance(tokens[0], str) else "int64"
        parts = [tokens[at : at + CHUNK] for at in range(0, len(tokens), CHUNK)]
        is_encoded = self.settings.get("output_mode", "int") != "int"
        indices: list[int] = []
        try:
            layer = getattr(keras.layers, self.kind)(**given)
            for part in parts:
                found = np.asarray(layer(tf.constant([[token] for token in part], dtype)))
                indices += _slots(found) if is_encoded else found.ravel().astype(int).tolist()
        except (ValueError, TypeError, OverflowError) as error:
            raise self._fault("has a vocabulary or settings that Keras does not take") from error
        except tf.errors.OpError as error:
            raise self._fault(f"does not know all values of {column.name}") from error
        return tuple(indices), found.shape[-1] if is_encoded else None

    def _fault(self, told: str) -> NetworkError:
        return NetworkError(f"layer {self.name} {told}")


def _slots(encoded: NDArray[Any]) -> Iterator[int]:
    """Yield the slot that is set in each row, −1 where none is."""
    for row in encoded:
        yield int(row.argmax()) if row.any() else NO_INDEX


def token_layer(layer: dict[str, Any], asset: bytes | None) -> TokenLayer:
    """Read a layer that takes tokens from a file's configuration.

    Args:
        layer: members of the layer in `config.json`.
        asset: the vocabulary of an adapted layer; None for one that has none in the file.

    Raises:
        NetworkError: its vocabulary is a path, is missing, or is not what its kind looks up.
        TypeError: Keras did not write this.
    """
    kind, settings = layer["class_name"], layer["config"]
    if kind == "Hashing":
        return TokenLayer(kind, settings["name"], settings, None)
    listed = settings.get("vocabulary")
    if isinstance(listed, str):
        told = "reads its vocabulary from a path, which is not opened: save the model again"
        raise NetworkError(f"layer {settings['name']} {told}")
    if listed is None:
        if asset is None:
            raise NetworkError(f"layer {settings['name']} has no vocabulary: adapt it first")
        listed = _words(asset, settings["name"])
        if kind == "IntegerLookup":
            listed = [_whole(word, settings["name"]) for word in listed]
    expected = str if kind == "StringLookup" else int
    if (
        not listed
        or not isinstance(listed, list)
        or not all(type(token) is expected for token in listed)
    ):
        raise TypeError("a vocabulary is no list of tokens")
    if len(listed) > MOST_SLOTS:
        raise NetworkError(f"layer {settings['name']} knows more than {MOST_SLOTS} tokens")
    return TokenLayer(kind, settings["name"], settings, listed)


def _words(asset: bytes, name: str) -> list[Any]:
    """Read the lines of a vocabulary as Keras does."""
    try:
        lines = asset.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise NetworkError(f"the vocabulary of layer {name} is not UTF-8") from error
    while lines and lines[-1] == "":
        lines.pop()
    return lines


def _whole(word: str, name: str) -> int:
    try:
        return int(word)
    except ValueError as error:
        raise NetworkError(f"the vocabulary of layer {name} is not whole numbers") from error
