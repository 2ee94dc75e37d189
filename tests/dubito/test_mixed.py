"""A bundle with features of all kinds, from its table to predictions, as a library."""

import csv
import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dubito import load
from dubito.bundle import Bundle
from dubito.bundles.manifest import format_of
from dubito.bundles.manifest_parser import parse_manifest
from dubito.errors import BundleError, DataError, InvalidInput
from dubito.features import Category, FeatureValue
from dubito.layout import Column
from dubito.targets import ClassTarget
from dubito.training.columns import column_numbers
from dubito.training.feature_stats import imputed_number
from dubito.training.rows import column_of, read_questions, read_rows
from dubito.types import Calibration, Notice
from tests.mixed import (
    AREAS,
    CLASSES,
    FLAT,
    HEATING,
    MISSING_SLOT,
    UNKNOWN_SLOT,
    mixed_bundle,
    rows,
)
from tests.mixed import write_table as write
from tests.service import command_here


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(mixed_bundle())


def test_it_is_of_format_2_and_canonical() -> None:
    """Read and written it has the same bytes, the target has a kind of its own."""
    data = (mixed_bundle() / "bundle.json").read_bytes()
    manifest = parse_manifest(data)
    assert manifest.to_bytes() == data
    content = json.loads(data)
    assert 2 == content["format"] == manifest.format
    assert {"kind": "classes", "classes": ["cheap", "fair", "dear"]} == content["target"]
    kinds = ["float", "integer", "boolean", "category", "category"]
    assert kinds == [feature["kind"] for feature in content["features"]]


def test_classes_may_have_no_order() -> None:
    """The manifest says so, and has no scores of neighbours; in order, they may not be absent."""
    manifest = load(mixed_bundle()).manifest
    calibration = manifest.calibration
    assert isinstance(calibration, Calibration)
    scores = {name: one for name, one in calibration.scores.items() if name != "adjacent"}
    without = replace(calibration, scores=scores)
    unordered = ClassTarget(CLASSES, is_ordered=False)
    made = replace(manifest, target=unordered, calibration=without)
    assert False is json.loads(made.to_bytes())["target"]["ordered"]
    assert made == parse_manifest(made.to_bytes())
    with pytest.raises(BundleError, match="scores has more than lac, aps, raps"):
        parse_manifest(replace(made, calibration=calibration).to_bytes())
    with pytest.raises(BundleError, match="scores has no adjacent"):
        parse_manifest(replace(manifest, calibration=without).to_bytes())
    assert 2 == format_of((), unordered)


def test_what_training_saw_is_counted() -> None:
    """Each value, what is in no list, and gaps."""
    features, _ = rows(500, 1)
    heating = load(mixed_bundle()).signature.features[3].seen
    column = features[:, 3]
    counts = tuple(int((column == place).sum()) for place in range(4))
    assert (counts, int((column == UNKNOWN_SLOT).sum()), int(np.isnan(column).sum())) == (
        heating.counts,  # type: ignore[union-attr]
        heating.unknown,  # type: ignore[union-attr]
        heating.missing,
    )


@pytest.mark.parametrize(
    ("changes", "column", "number", "kinds"),
    [
        ({}, 3, 0.0, []),
        ({"heating": "oil, old"}, 3, 1.0, []),
        ({"heating": "전기"}, 3, 3.0, []),
        ({"heating": "power"}, 3, 3.0, []),
        ({"heating": "wood"}, 3, UNKNOWN_SLOT, ["unknown_category"]),
        ({"heating": ""}, 3, UNKNOWN_SLOT, ["unknown_category"]),
        ({"heating": None}, 3, np.nan, ["missing"]),
        ({"lift": False}, 2, 0.0, []),
        ({"lift": None}, 2, np.nan, ["missing"]),
        ({"area": "west"}, 4, 2.0, []),
        ({"area": "east"}, 4, 3.0, ["unknown_category"]),
        ({"space": 900}, 0, 900.0, ["out_of_range"]),
    ],
)
def test_a_value_stands_as_a_number(
    bundle: Bundle, changes: dict[str, FeatureValue], column: int, number: float, kinds: list[str]
) -> None:
    """A category as its place, an unknown one as the next; what training did not see refers."""
    prediction = bundle.predict_mc([FLAT | changes], seed=1)
    assert np.array_equal(prediction.query.features[0, column], number, equal_nan=True)
    assert kinds == [notice.kind for notice in prediction.notices[0]]
    assert prediction.judgement is not None
    reasons = prediction.judgement.decisions[0].reasons
    assert set(kinds) <= set(reasons)


def test_a_notice_of_a_list_has_no_range(bundle: Bundle) -> None:
    """Neither the number of a category nor the range of such numbers means anything."""
    found = bundle.predict([FLAT | {"area": "east"}]).notices
    assert [[Notice("unknown_category", "area", None, None, None, refers=True)]] == found


def test_each_slot_is_another_input(bundle: Bundle) -> None:
    """No two categories, nor unknown and missing, are the same to the network."""
    values: list[FeatureValue] = [*HEATING, "wood", None]
    mean = bundle.predict_mc([FLAT | {"heating": value} for value in values], seed=1).mean
    assert all((first != second).any() for first, second in pairwise(mean))


def test_missing_is_the_slot_of_its_own(bundle: Bundle) -> None:
    """The network imputes its number, which no request can send."""
    missing = bundle.predict_mc([FLAT | {"heating": None}], seed=1)
    given = np.array([[71.5, 3.0, 1.0, MISSING_SLOT, 1.0]])
    (summary,) = bundle.engine.summarise([type(missing.query)(given, 50, 1)])
    assert np.array_equal(summary.mean, missing.mean)
    with pytest.raises(InvalidInput, match="at most 4"):
        bundle.predict(given)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"area": "centre"}, "area must be one of the categories (north, south, west, east)"),
        ({"area": "South"}, "area must be one of the categories (north, south, west, east)"),
        ({"area": 1}, "area must be a text"),
        ({"area": True}, "area must be a text"),
        ({"area": None}, "area must be a text"),
        ({"heating": 0}, "heating must be a text"),
        ({"heating": ["gas"]}, "heating must be a text"),
        ({"lift": 1}, "lift must be true or false"),
        ({"lift": "true"}, "lift must be true or false"),
        ({"floor": True}, "floor must be a number"),
        ({"floor": "3"}, "floor must be a number"),
    ],
)
def test_another_type_or_category_is_refused(
    bundle: Bundle, changes: dict[str, Any], fault: str
) -> None:
    """By the feature's name and what it takes; nothing of the value is repeated."""
    with pytest.raises(InvalidInput) as caught:
        bundle.predict([FLAT | changes])
    assert [fault] == [f"{one.field} {one.message}" for one in caught.value.faults]


def test_tables_are_read(bundle: Bundle, tmp_path: Path) -> None:
    """CSV and Parquet, with aliases, give the numbers of the rows, gaps and unknown ones too."""
    import pyarrow.csv
    import pyarrow.parquet

    features, _ = rows(200, 7)
    file = write(tmp_path / "rows.csv", features)
    asked = bundle.signature.features
    found = read_questions(file.read_bytes(), "rows.csv", asked, 1_000)
    assert np.array_equal(features, found, equal_nan=True)
    table = pyarrow.csv.read_csv(file, convert_options=_strings())
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    again = read_questions((tmp_path / "rows.parquet").read_bytes(), "rows.parquet", asked, 1_000)
    assert np.array_equal(features, again, equal_nan=True)


def _strings() -> Any:
    from pyarrow.csv import ConvertOptions

    return ConvertOptions(strings_can_be_null=True, null_values=[""])


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        (("area", "centre"), "area is not one of the categories (north, south, west, east) in row"),
        (("area", ""), "area has no value in row"),
        (("lift", "maybe"), "lift is neither true nor false in row"),
        (("floor", "third"), "floor is not a number in row"),
    ],
)
def test_a_cell_that_does_not_fit_is_refused(
    tmp_path: Path, cell: tuple[str, str], sentence: str
) -> None:
    """By column and row; the cell is not repeated."""
    name, text = cell
    with write(tmp_path / "rows.csv", rows(3, 1)[0]).open() as file:
        lines = list(csv.DictReader(file))
    lines[1][name] = text
    with (tmp_path / "rows.csv").open("w") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    ended = command_here("predict", str(mixed_bundle()), "--file", str(tmp_path / "rows.csv"))
    assert ended.returncode == 1
    assert f"{sentence} 2" in ended.stderr.decode()
    assert not text or text not in ended.stderr.decode()


def test_flags_are_read() -> None:
    """A category is text as it stands, a truth and a number are JSON, null is a gap."""
    flags = ["--space", "71.5", "--floor=3", "--lift", "true", "--난방", "power", "--area", "south"]
    ended = command_here("predict", str(mixed_bundle()), *flags, "--seed", "1", "--json")
    given = json.loads(ended.stdout)
    flat = load(mixed_bundle()).predict_mc([FLAT | {"heating": "electric"}], seed=1)
    assert flat.mean[0].tolist() == list(given["mean"].values())
    flags[6:7] = ["null"]
    ended = command_here("predict", str(mixed_bundle()), *flags)
    assert "warning: heating is missing" in ended.stdout.decode()
    flags[6:7] = ["wood"]
    ended = command_here("predict", str(mixed_bundle()), *flags)
    said = ended.stdout.decode()
    assert "warning: heating is a category that training did not see" in said
    assert "decision: refer: unknown_category" in said


def test_inspect_shows_the_kinds() -> None:
    """What training saw of each: a range, or the values that occurred."""
    said = command_here("inspect", str(mixed_bundle())).stdout.decode()
    assert "boolean, seen false, true, may be null" in said
    assert f"category, seen {', '.join(AREAS)}\n" in said
    assert "also 난방" in said


def test_the_card_tells_the_kinds() -> None:
    """Counts of each value, and what stands for a missing one."""
    card = (mixed_bundle() / "MODEL_CARD.md").read_text()
    assert "gas (" in card
    assert "a value of its own" in card
    assert "counts as false" in card


def test_it_is_evaluated(tmp_path: Path) -> None:
    """`dubito evaluate` reads the same table; mistakes are made in numbers alone."""
    table = write(tmp_path / "held.csv", *rows(300, 9))
    ended = command_here(
        "evaluate", str(mixed_bundle()), "--data", str(table), "--target", "price", "--json"
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert "area ×" not in ended.stdout.decode()


@pytest.mark.parametrize(
    "value", [b"gas", np.datetime64("2026-11-29"), object(), ("gas",), "\ud800gas"]
)
def test_what_is_no_text_is_no_unknown_category(bundle: Bundle, value: Any) -> None:
    """Only texts may be unknown; a surrogate alone is read as a letter that is none."""
    if isinstance(value, str):
        found = bundle.predict([FLAT | {"heating": value}]).notices[0]
        assert ["unknown_category"] == [notice.kind for notice in found]
        return
    with pytest.raises(InvalidInput, match="heating must be a text"):
        bundle.predict([FLAT | {"heating": value}])


@pytest.mark.parametrize(
    ("kind", "cells", "expected"),
    [
        ("category", ["1", 1, 1.0, 2.0], [0, 0, 0, 1]),
        ("category", [True, "true", False], [2, 2, 3]),
        ("boolean", [True, "TRUE", 1, "1.0", 0, "false"], [1, 1, 1, 1, 0, 0]),
    ],
)
def test_cells_of_other_types_are_read(kind: Any, cells: list[Any], expected: list[float]) -> None:
    """Whole numbers of a column with gaps, and truths, as which a category may be written."""
    names = ("1", "2", "true", "false") if kind == "category" else ()
    listed = tuple(Category(name, ()) for name in names)
    column = Column(name="x", kind=kind, categories=listed, takes_unknown=kind == "category")
    assert expected == column_numbers(cells, column).tolist()


@pytest.mark.parametrize("cell", [b"gas", date(2026, 11, 29), Decimal])
def test_a_cell_that_is_no_text_is_refused(cell: Any) -> None:
    """It does not become unknown without a word."""
    column = Column(
        name="x", kind="category", categories=(Category("gas", ()),), takes_unknown=True
    )
    with pytest.raises(DataError, match="in row 2"):
        column_numbers(["gas", cell], column)


def test_a_column_without_its_categories_is_refused(tmp_path: Path) -> None:
    """By its name, when the rows are read."""
    features, labels = rows(60, 1)
    features[:, 3] = UNKNOWN_SLOT
    columns = tuple(column_of(one) for one in load(mixed_bundle()).signature.features)
    with pytest.raises(DataError, match=r"heating .* has none of its categories in any row"):
        read_rows(write(tmp_path / "t.csv", features, labels), columns, CLASSES, "price")


def test_what_is_missing_is_imputed_by_kind() -> None:
    """The median of numbers, the more common truth, a category's own slot, or what is said."""
    values = np.array([1.0, 0.0, 1.0, np.nan])
    listed = (Category("a", ()), Category("b", ()))
    about: dict[str, Any] = {"name": "x", "nullable": True}
    assert imputed_number(Column(**about, kind="boolean"), values) == 1.0
    assert imputed_number(Column(**about), np.array([1.0, 2.0, np.nan])) == 1.5
    assert imputed_number(Column(**about, kind="category", categories=listed), values) == 2.0
    category = Column(**about, kind="category", categories=listed, takes_unknown=True)
    assert imputed_number(category, values) == 3.0
    assert imputed_number(Column(**about, imputed=7.0), values) == 7.0
    assert imputed_number(Column(name="x"), values) is None
