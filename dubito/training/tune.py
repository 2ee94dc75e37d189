"""Searches for a recipe with Keras Tuner: Bayesian optimisation of the validation loss.

A suggestion depends only on the seed and on the earlier trials, so a search resumes as if it had
not been interrupted (Keras Tuner's own reload would restart its random numbers). The finished
trials are replayed to the tuner from their files.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.compiler.compiler import engine_of
from dubito.layout import Layout
from dubito.training.data import Rows
from dubito.training.preparation import prepare
from dubito.training.recipe import Recipe
from dubito.training.search_space import SPACES, Choices, recipe_of, rounded
from dubito.training.trials import SearchTerms, Trial, TrialStore
from dubito.training.validation_loss import guess_loss, validation_loss
from dubito.types import Query

OBJECTIVE = "val_loss"
DRAWN_AT_RANDOM = 10
"""Number of trials before the first suggestion of the Gaussian process."""
PASSES_SEED = 0
PROJECT = "keras-tuner"
"""Folder of Keras Tuner's own files, overwritten at every start and never read."""


def search(
    rows: Rows,
    layout: Layout,
    terms: SearchTerms,
    trials: int,
    folder: Path,
    say: Callable[[str], None],
) -> tuple[int, Trial]:
    """Try recipes until there are `trials`; returns the best trial's number, from 0, and the trial.

    The first trial is the recipe itself. All are trained with one seed, and publishing the
    recipe of a trial with the same seed and split gives the network of that trial.

    Args:
        rows: all rows; only the fit and the validation part are used.
        layout: features and target of the rows.
        terms: the seeds, the epochs, the recipe and the digest of the rows.
        trials: total number of trials, including those finished earlier.
        folder: folder of the search, the only place written to.
        say: function that shows a sentence of progress, called for every trial.

    Raises:
        DataError: there are too few rows to split, or a file in the folder is damaged.
        UsageError: the folder cannot be used for this search.
    """
    kept = TrialStore(folder)
    with kept.opened(terms), _quiet():
        finished = kept.finished()[:trials]
        if finished:
            say(f"{len(finished)} of {trials} trials are done")
        tuner = _Tuner(_Objective(rows, layout, terms), kept, finished, trials, say)
        tuner.search(verbose=0)
    return tuner.best()


class _Objective:
    """Trains a recipe and computes its validation loss."""

    def __init__(self, rows: Rows, layout: Layout, terms: SearchTerms) -> None:
        pin_arithmetic()
        self.terms, self.space = terms, SPACES[terms.architecture]
        calibrated = self.space.base.calibrated
        self.prepared = prepare(rows, layout, terms.split_seed, calibrated=calibrated)
        self.target, self.watched = self.prepared.signature.target, self.prepared.watched

    def recipe(self, choices: Choices) -> Recipe:
        """Return the recipe of a trial."""
        return recipe_of(choices, self.terms.epochs, self.space.base)

    def __call__(self, recipe: Recipe) -> float:
        """Return the validation loss; that of a guess if training diverged."""
        model = self.prepared.fit(recipe, self.terms.seed, verbose=0)
        if not all(np.isfinite(weight).all() for weight in model.get_weights()):
            return guess_loss(self.target, self.prepared.fitted, self.watched)
        query = Query(self.watched.features, recipe.passes, PASSES_SEED)
        (summary,) = engine_of(model).summarise([query])
        return validation_loss(self.target, summary, self.watched)


class _Oracle(keras_tuner.oracles.BayesianOptimizationOracle):
    """Keras Tuner's Bayesian oracle, with a random state that depends on seed and trial alone."""

    def __init__(self, finished: Sequence[Trial], terms: SearchTerms, trials: int) -> None:
        # Plus 1, because Keras Tuner treats a seed of 0 as no seed.
        super().__init__(
            objective=keras_tuner.Objective(OBJECTIVE, "min"),
            max_trials=trials,
            num_initial_points=DRAWN_AT_RANDOM,
            seed=terms.seed + 1,
            hyperparameters=SPACES[terms.architecture].hyperparameters(),
            allow_new_entries=False,
        )
        self.finished = finished

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the hyperparameters of a trial: stored ones if it finished, else new ones."""
        at = int(trial_id)
        if at < len(self.finished):
            return _running(self.finished[at].choices)
        if at == 0:
            return _running({each.name: each.default for each in self.hyperparameters.space})
        state = int(np.random.SeedSequence([self.seed, at]).generate_state(1)[0])
        self._seed_state, self._random_state = state, np.random.RandomState(state)
        suggested = super().populate_space(trial_id)
        return _running(rounded(suggested["values"])) if suggested["values"] else suggested


class _Tuner(keras_tuner.engine.base_tuner.BaseTuner):
    """Runs the trials one after the other and writes each as soon as it is finished."""

    def __init__(
        self,
        objective: _Objective,
        kept: TrialStore,
        finished: Sequence[Trial],
        trials: int,
        say: Callable[[str], None],
    ) -> None:
        self.objective, self.kept, self.say, self.trials = objective, kept, say, trials
        self.done = list(finished)
        oracle = _Oracle(finished, objective.terms, trials)
        super().__init__(oracle, directory=str(kept.folder), project_name=PROJECT, overwrite=True)

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        """Train and evaluate the suggested recipe; any exception ends the search."""
        at = int(trial.trial_id)
        if at >= len(self.done):
            choices = dict(trial.hyperparameters.values)
            try:
                self._run(at, choices)
            except Exception as error:
                raise keras_tuner.errors.FatalError(f"trial {at + 1} failed") from error
        return {OBJECTIVE: self.done[at].val_loss}

    def best(self) -> tuple[int, Trial]:
        """Return the trial with the least loss, the first of equals, after its number from 0."""
        return min(enumerate(self.done), key=lambda each: each[1].val_loss)

    def _run(self, at: int, choices: dict[str, Any]) -> None:
        told = ", ".join(f"{name} {value}" for name, value in choices.items())
        self.say(f"trial {at + 1} of {self.trials}: {told}")
        value = self.objective(self.objective.recipe(choices))
        self.done.append(Trial(choices, value))
        self.kept.add(at, self.done[at])
        best, least = self.best()
        loss = self.objective.terms.loss
        self.say(f"  validation {loss} {value:.4f}; best {least.val_loss:.4f}, trial {best + 1}")


def _running(choices: Any) -> dict[str, Any]:
    return {"status": "RUNNING", "values": dict(choices)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Ignore warnings of Keras Tuner: its old thread API, and Gaussian processes at a bound."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "currentThread|getName", DeprecationWarning)
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        yield
