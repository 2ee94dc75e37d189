"""Measures early stopping, batch normalisation, and the search for hyperparameters."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.lessons.line import SEED, Line, trained
from dubito.loans.columns import LAYOUT
from dubito.training.architecture import Architecture
from dubito.training.data import Table, read_table
from dubito.training.recipe import Recipe
from dubito.training.trials import SearchTerms, Trial
from dubito.training.tune import search

EPOCHS = 60
PATIENCE = 5
ROWS = 1000
TRIALS, TRIAL_EPOCHS = 6, 3
FREE = Architecture(widths=(128, 128), rate=0.01, placement="output")
"""Network with enough degrees of freedom to memorise the fitted rows."""
NORMALIZED = Architecture(widths=(128, 128), rate=0.01, placement="output", batch_norm=True)


def lines() -> Iterator[Line]:
    """Yield the lines of the study's first section."""
    free, normalized = _losses(FREE, EPOCHS), _losses(NORMALIZED, EPOCHS)
    stopped = _losses(FREE, PATIENCE)
    yield Line(
        "Early stopping is the best of the regularisers known before.",
        f"{ROWS:,} loans, {FREE.widths[0]} units twice, hardly any dropout: {_course(free)}; with "
        f"patience {PATIENCE} it stops after {len(stopped)} epochs, and keeps {min(stopped):.3f}",
        ("test_study.py::test_early_stopping_keeps_the_best_weights",),
    )
    yield Line(
        "Batch normalisation is a partial one.", f"the same network with it: {_course(normalized)}"
    )
    yield _searched()


def _losses(shape: Architecture, patience: int) -> list[float]:
    """Return the validation losses `(E,)` of a training on few rows."""
    recipe = Recipe(
        architecture=shape, learning_rate=3e-3, batch=64, epochs=EPOCHS, patience=patience
    )
    return trained(recipe, most=ROWS).curves["val_loss"]


def _course(losses: list[float]) -> str:
    best = int(np.argmin(losses))
    return (
        f"validation loss {losses[best]:.3f} at best, in epoch {best + 1}, and {losses[-1]:.3f} in "
        f"epoch {len(losses)}"
    )


def _searched() -> Line:
    table = read_table(None, LAYOUT)
    first, at, best = _trials(table)
    chosen = ", ".join(f"{name} {value}" for name, value in best.choices.items())
    return Line(
        "Hyper-parameters are tuned with Keras Tuner (`dubito tune`).",
        f"of {TRIALS} trials of {TRIAL_EPOCHS} epochs the best is trial {at + 1}, validation NLL "
        f"{best.val_loss:.3f} (the study's own recipe: {first.val_loss:.3f}): {chosen}",
        ("training/test_search.py", "commands/test_tune.py"),
    )


def _trials(table: Table) -> tuple[Trial, int, Trial]:
    """Return the first trial, the best trial's number, and the best trial."""
    terms = SearchTerms(table.digest, SEED, SEED, TRIAL_EPOCHS)
    with TemporaryDirectory() as folder:
        _, first = search(table, LAYOUT, terms, 1, Path(folder), lambda _: None)
        return first, *search(table, LAYOUT, terms, TRIALS, Path(folder), lambda _: None)
