"""Bundles of three networks, of classes and of a number, trained here on made-up flats."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from dubito.domains import chosen_domain
from dubito.layout import Layout
from dubito.training.data import Rows, read_table
from dubito.training.described import described_domain
from dubito.training.pipeline import TrainingOptions, publish
from dubito.training.recipe import TABLE_RECIPE, Recipe
from dubito.training.rows import read_layout
from tests.made import made
from tests.rents import rows, write_table

MEMBERS, SEED, PASSES = 3, 4, 60
Kind = Literal["classes", "number"]
KINDS: tuple[Kind, ...] = ("classes", "number")
RENTS = """
features = [
    {name = "space", unit = "m²", minimum = 0, imputed = 60.0},
    {name = "floor", kind = "integer", minimum = -2, maximum = 200},
    {name = "lift", kind = "boolean", imputed = false},
    {name = "heating", kind = "category", categories = ["gas", "oil, old", "district:heat",
        "electric"], takes_unknown = true, imputed = 5.0},
    {name = "area", kind = "category", categories = ["north", "south", "west", "east"]},
]
target = {name = "rent", aliases = ["월세"], unit = "€", head = "normal"}
"""


@cache
def table(kind: Kind) -> tuple[Rows, Layout, Recipe]:
    """The rows to train on, what their columns are, and the recipe."""
    if kind == "classes":
        layout = chosen_domain(None).layout
        return read_table(None, layout).where(np.arange(600)), layout, Recipe(epochs=1)
    with TemporaryDirectory() as work:
        described, flats = Path(work) / "columns.toml", Path(work) / "flats.csv"
        described.write_text(RENTS, encoding="utf-8")
        layout = described_domain(described).layout
        found = read_layout(write_table(flats, *rows(1_500)), layout)
    return found, layout, replace(TABLE_RECIPE, epochs=2)


def options(out: Path, kind: Kind, members: int = MEMBERS, seed: int = SEED) -> TrainingOptions:
    """The job that trains the bundle; one of a single member's seed trains that alone."""
    _, layout, recipe = table(kind)
    return TrainingOptions(
        recipe=replace(recipe, passes=PASSES, calibrated=True),
        layout=layout,
        out=out,
        name="flat-rent" if kind == "number" else "loan-grade",
        version=1,
        seed=seed,
        split_seed=0,
        command="test",
        verbose=0,
        members=members,
    )


@cache
def ensemble_bundle(kind: Kind, members: int = MEMBERS, seed: int = SEED) -> Path:
    """The bundle's folder, below one that has no other."""

    def make(work: Path) -> Path:
        return publish(options(work, kind, members, seed), table(kind)[0])[0]

    return made(f"ensemble-{kind}-{members}-{seed}", make)
