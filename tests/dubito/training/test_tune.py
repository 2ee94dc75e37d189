"""The search: the same suggestions whether interrupted or not, and nothing lost by a kill."""

import fcntl
import json
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dubito.errors import DataError, UsageError
from dubito.loans.columns import LAYOUT
from dubito.training import tune as searching
from dubito.training.data import Table, read_table
from dubito.training.recipe import Recipe
from dubito.training.search_space import SPACES, SearchSpace, flags_of, recipe_of, rounded
from dubito.training.trials import SearchTerms, Trial
from dubito.training.tune import DRAWN_AT_RANDOM, search

TERMS = SearchTerms("sha256:0", seed=0, split_seed=0, epochs=1)
ALL = DRAWN_AT_RANDOM + 1
"""Two suggestions are of the Gaussian process."""


class Killed(BaseException):
    """What ends a process, as an interrupt does."""


@pytest.fixture(scope="module")
def table() -> Table:
    return read_table(None, LAYOUT).where(np.arange(400))


class Objective:
    """A stand-in that needs no training; it is killed when `left` trials are done."""

    def __init__(self) -> None:
        self.left = -1

    def __call__(self, _: object, recipe: Recipe) -> float:
        if self.left == 0:
            raise Killed
        self.left -= 1
        shape = recipe.architecture
        return abs(math.log(recipe.learning_rate / 3e-3)) + shape.rate + len(shape.widths) / 10


@pytest.fixture
def objective(monkeypatch: pytest.MonkeyPatch) -> Objective:
    stand_in = Objective()
    monkeypatch.setattr(
        searching._Objective,  # noqa: SLF001 - only the training itself is left out
        "__call__",
        lambda self, recipe: stand_in(self, recipe),
    )
    return stand_in


def searched(table: Table, folder: Path, trials: int = ALL) -> tuple[int, Trial, list[str]]:
    said: list[str] = []
    best, trial = search(table, LAYOUT, TERMS, trials, folder, said.append)
    return best, trial, said


def choices(folder: Path) -> list[object]:
    paths = sorted((folder / "trials").iterdir(), key=lambda path: int(path.stem))
    return [json.loads(path.read_text()) for path in paths]


def test_an_interrupted_search_goes_on_as_if_it_had_not_been(
    table: Table, tmp_path: Path, objective: Objective
) -> None:
    """Killed in two places, the trials and the best one are those of a search in one go."""
    expected = searched(table, tmp_path / "whole")
    for left in (3, DRAWN_AT_RANDOM - 3):
        objective.left = left
        with pytest.raises(Killed):
            searched(table, tmp_path / "parts")
    objective.left = -1
    *found, said = searched(table, tmp_path / "parts")

    assert f"{DRAWN_AT_RANDOM} of {ALL} trials are done" == said[0]
    assert [*expected[:2]] == found
    assert choices(tmp_path / "whole") == choices(tmp_path / "parts")
    assert ALL == len({json.dumps(each) for each in choices(tmp_path / "whole")})


def test_the_first_trial_is_the_studys_recipe(
    table: Table, tmp_path: Path, objective: Objective
) -> None:
    """So that what a search finds is no worse, where it was judged."""
    at, best, _ = searched(table, tmp_path, 1)
    assert 0 == at
    assert Recipe(epochs=1) == recipe_of(best.choices, 1, Recipe())


def test_more_trials_go_on_and_finished_ones_do_not_train(
    table: Table, tmp_path: Path, objective: Objective
) -> None:
    """The same folder with a larger number adds to it; with the same number nothing is trained."""
    searched(table, tmp_path, 2)
    objective.left = 1
    *_, said = searched(table, tmp_path, 3)
    objective.left = 0
    *_, again = searched(table, tmp_path, 3)
    assert "2 of 3 trials are done" == said[0]
    assert ["3 of 3 trials are done"] == again


def test_another_seed_searches_elsewhere(
    table: Table, tmp_path: Path, objective: Objective
) -> None:
    """The seed, 0 too, is what the suggestions come from."""
    searched(table, tmp_path / "0", 3)
    search(table, LAYOUT, replace(TERMS, seed=1), 3, tmp_path / "1", lambda _: None)
    assert choices(tmp_path / "0")[0] == choices(tmp_path / "1")[0]
    assert choices(tmp_path / "0")[1:] != choices(tmp_path / "1")[1:]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"data_digest": "sha256:1"}, "data digest"),
        ({"seed": 1}, "seed"),
        ({"epochs": 2}, "epochs"),
        ({"architecture": "table"}, "architecture"),
        ({"loss": "RMSE"}, "loss"),
    ],
)
def test_a_folder_with_another_search_is_refused(
    table: Table, tmp_path: Path, objective: Objective, change: dict[str, object], named: str
) -> None:
    """Figures of other data, seeds or epochs do not compare."""
    searched(table, tmp_path, 1)
    other = replace(TERMS, **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=f"holds a search with another {named}"):
        search(table, LAYOUT, other, 1, tmp_path, lambda _: None)


def test_a_folder_in_use_is_refused(table: Table, tmp_path: Path, objective: Objective) -> None:
    """Two processes do not write one search."""
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another search is running"):
            searched(table, tmp_path, 1)
    finally:
        os.close(lock)


@pytest.mark.parametrize("content", ["", "{}", '{"choices": 1, "val_loss": 1}', "[]"])
def test_a_damaged_trial_is_named(
    table: Table, tmp_path: Path, objective: Objective, content: str
) -> None:
    """A person decides what becomes of it."""
    searched(table, tmp_path, 1)
    (tmp_path / "trials" / "0.json").write_text(content)
    with pytest.raises(DataError, match=r"0\.json"):
        searched(table, tmp_path, 1)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_the_defaults_of_a_space_are_its_recipe(space: SearchSpace) -> None:
    """So the first trial is what `dubito train` does by itself."""
    defaults = {each.name: each.default for each in space.hyperparameters().space}
    assert space.base == recipe_of(defaults, space.base.epochs, space.base)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_choices_are_flags_and_a_recipe(space: SearchSpace) -> None:
    """Each name is a flag of `dubito train`, with numbers that can be typed."""
    drawn = {each.name: each.default for each in space.hyperparameters().space}
    found = rounded(drawn | {"rate": 0.123456, "layers": 4})
    flags, width = flags_of(found, 4), found["width"]
    recipe = recipe_of(found, 4, space.base)
    assert (0.123, (width,) * 4, 4) == (flags["rate"], flags["widths"], flags["epochs"])
    assert (0.123, (width,) * 4) == (recipe.architecture.rate, recipe.architecture.widths)
    assert (4, found["batch"]) == (recipe.epochs, recipe.batch)
    assert space.base.encoded == recipe.encoded


def test_a_training_that_diverged_is_as_good_as_a_guess(table: Table) -> None:
    """Weights that are no numbers are judged as a uniform guess, ln 7."""
    objective = searching._Objective(table, LAYOUT, TERMS)  # noqa: SLF001 - judged by itself
    recipe = Recipe(epochs=1, learning_rate=1e30, optimizer="sgd")
    assert math.log(7) == objective(recipe)
    assert objective(Recipe(epochs=1)) > 0
