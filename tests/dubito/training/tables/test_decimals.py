"""The decimal mark of a table: shown by some number, or refused by column and row."""

from collections.abc import Sequence

import pytest

from tests.dubito.training.tables.houses import read, refusal

TWO_WAYS = (
    "area (면적) in row 1 can be read in two ways: with a decimal {}, or with a separator of "
    "thousands; no other number of the table decides"
)
SEPARATED = "{} has a thousands separator: write numbers without"


def written(cells: Sequence[str], separator: str = ";", prices: Sequence[str] = ()) -> bytes:
    others = prices or ["1"] * len(cells)
    rows = [f'"{cell}"{separator}"{price}"{separator}flat' for cell, price in zip(cells, others)]  # noqa: B905
    return "\n".join([separator.join(["area", "price", "kind"]), *rows]).encode()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["24,47", "1,234"], [24.47, 1.234]),
        (["0,125"], [0.125]),
        ([",5", "-1,234"], [0.5, -1.234]),
        (["1,234", "12000"], [1.234, 12000]),
        (["1,234", "1234,5"], [1.234, 1234.5]),
        (["1,234e2"], [123.4]),
        (["24.47", "1.234"], [24.47, 1.234]),
        (["1.", "1.234"], [1, 1.234]),
        (["12", "7"], [12, 7]),
    ],
)
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_one_number_decides_for_all(
    cells: list[str], expected: list[float], separator: str
) -> None:
    """Digits other than three, a leading zero, an exponent, or thousands that are not separated."""
    assert expected == read(written(cells, separator)).numbers[:, 0].tolist()


def test_another_column_decides() -> None:
    """The mark is the table's: a price shows what the area's comma is."""
    numbers = read(written(["1,234"], prices=["0,5"])).numbers
    assert [[1.234, 0.5]] == numbers.tolist()
    # But whether thousands are separated is a column's own.
    assert refusal(written(["1,234"], prices=["12000"])) == TWO_WAYS.format("comma")


@pytest.mark.parametrize(
    ("cells", "separator", "sentence"),
    [
        (["1,234"], ";", TWO_WAYS.format("comma")),
        (["1,234"], ",", TWO_WAYS.format("comma")),
        (["1.234", "2"], ";", TWO_WAYS.format("point")),
        (["1.234"], "\t", TWO_WAYS.format("point")),
        (["1.5", "1,234"], ";", SEPARATED.format("area (면적) in row 2")),
        (["1,5", "1.234"], ";", SEPARATED.format("area (면적) in row 2")),
        (["1", "1,234,567"], ",", SEPARATED.format("area (면적) in row 2")),
        (["1", "1.234.567"], ";", SEPARATED.format("area (면적) in row 2")),
        (["1", "1.234,5"], ";", SEPARATED.format("area (면적) in row 2")),
        (["1", "1,234.5"], ",", SEPARATED.format("area (면적) in row 2")),
        (["1", "12 500"], ",", SEPARATED.format("area (면적) in row 2")),
        (["1", "12\u00a0500,5"], ";", SEPARATED.format("area (면적) in row 2")),
        (["1", "12'500"], ";", SEPARATED.format("area (면적) in row 2")),
        (
            ["1.5", "2", "1,5"],
            ";",
            "area (면적) in row 3 has a decimal comma, but area (면적) in row 1 a decimal point",
        ),
    ],
)
def test_what_nothing_decides_is_refused(cells: list[str], separator: str, sentence: str) -> None:
    """The sentence has the column and the row, and no value."""
    assert sentence == refusal(written(cells, separator))


def test_points_between_commas_are_decimal() -> None:
    """Who separates thousands by points has decimal commas, and does not separate by commas."""
    assert [[1.234, 2.0]] == read(b"area,price,kind\n1.234,2,flat\n").numbers.tolist()


def test_texts_keep_their_commas() -> None:
    """Only columns of numbers are read with the table's mark."""
    assert ["1,5"] == read(b"area;price;kind\n1,5;2;1,5\n").kinds
