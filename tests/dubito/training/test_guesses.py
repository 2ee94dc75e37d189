"""What columns seem to be: kinds, gaps and notations, and which columns are left out."""

import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubito.features import FeatureKind
from dubito.notation import PLAIN, Notation
from dubito.training.guesses import Guess, guess

OTHER_WAY = "it can be read in another way"


def told(found: Guess) -> tuple[object, ...]:
    """A guess as values that can be compared."""
    values = tuple(found.values.tolist())
    return found.kind, found.reason, found.notation, found.is_nullable, values, found.texts


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "3", "3", "-7"], "integer"),
        (["1", "3.0", "3", "7"], "integer"),
        (["1", "3", "3.5", "7"], "float"),
        (["0", "1", "1", "0"], "boolean"),
        (["0", "1", "2", "0"], "integer"),
        (["true", "FALSE", "True"], "boolean"),
        (["yes", "no", "yes", "no"], "category"),
        (["1", "1", "b", "b"], "category"),
    ],
)
def test_a_kind_is_what_every_cell_can_be(cells: list[str], kind: FeatureKind) -> None:
    """Whole numbers, numbers, truths and repeated texts are told apart; one text decides."""
    found = guess("column", cells)
    assert found.kind == kind
    assert found.name == "column"
    assert not found.is_nullable
    assert found.notation == PLAIN


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([], "it has no value"),
        (["", "NA", "n/a", None], "it has no value"),
        (["7", "7.0", "7", ""], "every row has the same value"),
        (["3", "1", "2", "4"], "it numbers the rows"),
        (["1001", "1002", "1003"], "it numbers the rows"),
        (["a cat", "a dog", "a hen"], "3 different texts in 3 rows"),
        ([f"text {at % 101}" for at in range(1_000)], "101 different texts in 1,000 rows"),
    ],
)
def test_a_column_that_tells_nothing_is_left_out(cells: list[object], reason: str) -> None:
    """Columns that are empty, constant, a row number or free text have no kind, but a reason."""
    found = guess("column", cells)
    assert (found.kind, found.reason) == (None, reason)


def test_texts_are_listed_once() -> None:
    """A category has its different texts, sorted, without gaps; case counts."""
    found = guess("column", ["b", "a", "", "B", "a", "b", "B", "null"])
    assert found.texts == ("B", "a", "b")
    assert found.is_nullable
    assert not len(found.values)


@given(cells=st.lists(st.sampled_from(["2", "3.5", "80", "", "NaN", "null"]), min_size=1))
def test_values_are_those_of_the_rows_that_have_one(cells: list[str]) -> None:
    """The numbers stand in the order of the rows, and a gap makes the column nullable."""
    found = guess("column", cells)
    numbers = [float(cell) for cell in cells if cell not in ("", "NaN", "null")]
    if found.kind is not None:
        assert found.values.tolist() == numbers
        assert found.is_nullable == (len(numbers) < len(cells))
    else:
        assert len(set(numbers)) < 2


@pytest.mark.parametrize(
    ("cells", "missing"),
    [
        (["1", "2", "2", "-999", "-999"], ("-999",)),
        (["10", "20.5", "30", "-1", "-1", "-99", "-99"], ("-1", "-99")),
        (["1", "2", "4", "4", "9999", "9999"], ("9999",)),
        (["$1.5", "$2", "$-9", "$-9"], ("-9",)),
    ],
)
def test_a_number_far_from_all_others_is_a_gap(cells: list[str], missing: tuple[str, ...]) -> None:
    """Repeated sentinels outside the range of the others are declared and not among the values."""
    found = guess("column", cells)
    assert found.notation.missing == missing
    assert found.is_nullable
    assert set(missing).isdisjoint(f"{value:g}" for value in found.values)
    assert len(found.values) == len(cells) - 2 * len(missing)


@pytest.mark.parametrize(
    "cells",
    [
        ["-1", "-1", "-5", "-3", "-3"],
        ["1", "2", "2", "-999"],
        ["-20", "35", "35", "-9", "-9"],
        ["500", "700", "800", "999", "999"],
    ],
)
def test_a_number_among_others_is_none(cells: list[str]) -> None:
    """A usual sentinel that stands once, or where others are as low or as high, is a number."""
    found = guess("column", cells)
    assert found.notation.missing == ()
    assert not found.is_nullable
    assert found.values.tolist() == [float(cell) for cell in cells]


@pytest.mark.parametrize(
    ("cells", "notation", "values"),
    [
        (["13.5%", "7 %", "9%"], Notation(suffix="%"), [13.5, 7, 9]),
        (["36 months", "60 months", "36 months"], Notation(suffix="months"), [36, 60, 36]),
        (["1,234,567", "5", "8"], Notation(".", ","), [1_234_567, 5, 8]),
        (["1,234.5", "6", "7"], Notation(".", ","), [1_234.5, 6, 7]),
        (["1.234,5", "2,5", "3"], Notation(",", "."), [1_234.5, 2.5, 3]),
        (["1,5", "2,25", "3"], Notation(","), [1.5, 2.25, 3]),
        (["1 234,5", "2,5", "3"], Notation(",", " "), [1_234.5, 2.5, 3]),
        (["€ 1.234.567", "€ 5"], Notation(",", ".", "€"), [1_234_567, 5]),
    ],
)
def test_a_notation_is_the_only_one_that_fits(
    cells: list[str], notation: Notation, values: list[float]
) -> None:
    """Marks, units and currencies are found, and numbers read by them; there is no doubt."""
    found = guess("column", cells)
    assert found.notation == notation
    assert found.values.tolist() == values
    assert OTHER_WAY not in found.reason


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1,234", "5,678", "5,678"], [1_234, 5_678, 5_678]),
        (["1.234", "5.678", "5.678"], [1.234, 5.678, 5.678]),
        (["1,234%", "5,678%", "5,678%"], [1_234, 5_678, 5_678]),
    ],
)
def test_a_doubtful_notation_is_told(cells: list[str], values: list[float]) -> None:
    """A single mark before three digits in every row has a reading, and a warning of the other."""
    found = guess("column", cells)
    assert found.values.tolist() == values
    assert OTHER_WAY in found.reason


@pytest.mark.parametrize(
    ("typed", "texts"),
    [
        ([1, 3, 3, None], ["1", "3", "3", ""]),
        ([1.5, 3.0, math.nan], ["1.5", "3", ""]),
        ([1.0, 3.0, 3.0], ["1", "3", "3"]),
        ([True, False, None, True], ["true", "false", "", "true"]),
        ([1, 0, None, 1], ["1", "0", "", "1"]),
        ([Decimal("1.50"), Decimal(3)], ["1.50", "3"]),
        ([np.int64(1), np.float32(2.5), np.float32("nan")], ["1", "2.5", "nan"]),
        (["x", "x", 1.0, 1, None], ["x", "x", "1", "1", ""]),
        ([-999, 1, -999, 4, 4], ["-999", "1", "-999", "4", "4"]),
        ([" cafe\u0301", "cafe\u0301", "tee", "tee"], ["caf\u00e9", "caf\u00e9", "tee", "tee"]),
    ],
)
def test_typed_cells_are_guessed_like_their_texts(
    typed: Sequence[object], texts: list[str]
) -> None:
    """A table with types gives the guess that it gives as text."""
    assert told(guess("column", typed)) == told(guess("column", texts))
    assert guess("column", typed).kind is not None
