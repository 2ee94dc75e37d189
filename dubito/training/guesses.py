"""Guesses what the columns of a table are, for a person to check: kinds, gaps and notations.

A guess is only written down, with its reason; training reads what the description declares.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from dubito.features import FeatureKind
from dubito.notation import PLAIN, Notation
from dubito.training.columns import MISSING_WORDS, cell_text
from dubito.types import Floats

MOST_CATEGORIES = 100
"""Largest number of different texts that are taken for categories."""
LEAST_REPEATS = 2
"""Least mean number of rows of a category."""
SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, 999.0, 9999.0, 99999.0)
"""Numbers that often stand for a missing value."""
SAME = "every row has the same value"
FEWEST_NUMBERS = 20
"""Least number of different values of a target that is taken for a number."""
SUFFIXES = ("%", " months", " month", " years", " year", "개월", "년", "세", "원", "만원", "€", "$")
PREFIXES = ("$", "€", "£", "₩", "¥")


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column seems to be."""

    name: str
    kind: FeatureKind | None
    """Kind of the feature; None for a column that is left out."""
    reason: str
    """Why, for people; part of a sentence."""
    notation: Notation = PLAIN
    missing: int = 0
    """Number of rows without a value."""
    values: Floats = field(default_factory=lambda: np.array([]))
    """The numbers `(n,)` of the rows that have one; empty for texts."""
    texts: tuple[str, ...] = ()
    """The different texts in order; of numbers only if they could be classes."""

    @property
    def is_nullable(self) -> bool:
        """Whether some rows have no value."""
        return self.missing > 0


def guess(name: str, cells: Sequence[object]) -> Guess:
    """Guess what a column of cells `(N,)`, text or values, is."""
    try:
        texts = [_text(cell) for cell in cells]
    except TypeError:
        return Guess(name, None, "its cells are neither texts nor numbers")
    known = [text for text in texts if text.casefold() not in MISSING_WORDS]
    missing = len(texts) - len(known)
    if not known:
        return Guess(name, None, "it has no value", missing=missing)
    counts = Counter(known)
    fitting = list(_notations(list(counts)))
    if fitting:
        return _number(name, known, fitting, missing)
    return _words(name, counts, missing)


def _words(name: str, counts: Counter[str], missing: int) -> Guess:
    texts = tuple(sorted(counts))
    if len(texts) == 1:
        return Guess(name, None, SAME)
    if {text.casefold() for text in texts} <= {"true", "false"}:
        return Guess(name, "boolean", "true and false", PLAIN, missing, texts=texts)
    if len(texts) > MOST_CATEGORIES or len(texts) * LEAST_REPEATS > counts.total():
        return Guess(name, None, f"{len(texts):,} different texts in {counts.total():,} rows")
    return Guess(name, "category", f"{len(texts)} different texts", PLAIN, missing, texts=texts)


def _number(name: str, known: Sequence[str], fitting: Sequence[Notation], missing: int) -> Guess:
    notation, doubt = fitting[0], ""
    texts = tuple(sorted(set(known), key=notation.number))
    values = np.array([notation.number(text) for text in known])
    if any(other.number(text) != notation.number(text) for other in fitting for text in known):
        doubt = "; it can be read in another way: check decimal and thousands"
    sentinels = _sentinels(values)
    if sentinels:
        stand = tuple(f"{value:g}" for value in sentinels)
        notation = Notation(
            notation.decimal, notation.thousands, notation.prefix, notation.suffix, stand
        )
        values = values[~np.isin(values, sentinels)]
        missing += len(known) - len(values)
    distinct = np.unique(values)
    if len(distinct) == 1:
        return Guess(name, None, SAME)
    is_whole = bool((values == np.floor(values)).all())
    if is_whole and len(distinct) == len(values) and np.ptp(values) == len(values) - 1:
        return Guess(name, None, "it numbers the rows")
    about = (notation, missing, values, texts if len(texts) < FEWEST_NUMBERS else ())
    if notation.is_plain and set(distinct) == {0, 1}:
        return Guess(name, "boolean", "0 and 1", *about)
    kind: FeatureKind = "integer" if is_whole else "float"
    reason = f"{values.min():,.12g} to {values.max():,.12g}{doubt}"
    return Guess(name, kind, reason, *about)


def _notations(texts: Sequence[str]) -> Iterator[Notation]:
    """Yield the notations in which all texts are numbers, the plainest first."""
    for notation in _candidates(texts):
        try:
            for text in texts:
                notation.number(text)
        except ValueError:
            continue
        yield notation


def _candidates(texts: Sequence[str]) -> Iterator[Notation]:
    prefix = next((one for one in PREFIXES if texts[0].startswith(one)), "")
    longest = sorted(SUFFIXES, key=len, reverse=True)
    suffix = next((one.strip() for one in longest if texts[0].endswith(one)), "")
    for affixes in dict.fromkeys([("", ""), (prefix, suffix)]):
        yield Notation(".", "", *affixes)
        # Before a decimal comma: 1,234 in every row is a thousand more often than a fraction.
        yield Notation(".", ",", *affixes)
        yield Notation(",", "", *affixes)
        yield Notation(",", ".", *affixes)
        yield Notation(".", " ", *affixes)
        yield Notation(",", " ", *affixes)


def _sentinels(values: Floats) -> list[float]:
    """Return numbers that seem to stand for missing values: repeated, and far from all others."""
    found = []
    for sentinel in SENTINELS:
        others = values[~np.isin(values, SENTINELS)]
        count = int((values == sentinel).sum())
        if count < LEAST_REPEATS or len(others) < LEAST_REPEATS:
            continue
        below = sentinel < 0 <= others.min()
        above = sentinel > others.max() + 2 * np.ptp(others)
        if np.ptp(others) > 0 and (below or above):
            found.append(sentinel)
    return found


def _text(cell: object) -> str:
    """Return a cell as the text that a CSV would have."""
    is_whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell)) if is_whole else cell_text(cell)  # type: ignore[call-overload]
