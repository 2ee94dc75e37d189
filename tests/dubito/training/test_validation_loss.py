"""The loss of a search: scikit-learn's and SciPy's figures of the same predictions."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import log_loss, mean_pinball_loss, root_mean_squared_error

from dubito.features import FeatureStats
from dubito.layout import Layout, NumberColumn
from dubito.targets import ClassTarget, NumberHead, NumberTarget
from dubito.training.data import NumberRows, Table
from dubito.training.feature_stats import number_stats
from dubito.training.validation_loss import guess_loss, loss_name, validation_loss
from dubito.types import Summary

LEVELS = (0.05, 0.5, 0.9)
RNG = np.random.default_rng(0)
VALUES = RNG.normal(50, 10, 40)
SEEN: FeatureStats = number_stats(VALUES, "float")


def target(head: NumberHead) -> NumberTarget:
    levels = LEVELS if head == "quantiles" else ()
    return NumberTarget("rent", "rent", (), "", head, levels, float(VALUES.std()), SEEN)


def rows(values: np.ndarray) -> NumberRows:
    return NumberRows(np.zeros((len(values), 1)), values, "made", "")


def summary(mean: np.ndarray, std: np.ndarray) -> Summary:
    return Summary(mean, std, *(np.zeros(len(mean)),) * 4)


def pinball(quantiles: np.ndarray) -> float:
    columns = zip(LEVELS, quantiles.T, strict=True)
    return float(np.mean([mean_pinball_loss(VALUES, each, alpha=level) for level, each in columns]))


def test_classes_are_judged_by_their_likelihood() -> None:
    """As scikit-learn computes it; a guess is uniform."""
    probabilities, labels = RNG.dirichlet([1, 1, 1], 40), RNG.integers(0, 3, 40)
    classes, table = ClassTarget(("a", "b", "c")), Table(np.zeros((40, 1)), labels, "made", "")
    found = validation_loss(classes, summary(probabilities, probabilities * 0), table)
    assert log_loss(labels, probabilities, labels=[0, 1, 2]) == pytest.approx(found, rel=1e-6)
    assert math.log(3) == guess_loss(classes, table, table)


def test_a_value_alone_is_judged_by_its_error() -> None:
    """Root of the mean squared error of the mean over passes; a guess is the mean."""
    mean = VALUES[:, None] + RNG.normal(size=(40, 1))
    found = validation_loss(target("point"), summary(mean, np.ones_like(mean)), rows(VALUES))
    assert root_mean_squared_error(VALUES, mean[:, 0]) == pytest.approx(found)
    guess = guess_loss(target("point"), rows(VALUES), rows(VALUES))
    assert VALUES.std() == pytest.approx(guess)


def test_a_normal_head_is_judged_by_its_density() -> None:
    """With both variances, as SciPy's normal distribution has it; a guess has the fit rows'."""
    mean, variance, std = VALUES + 1, RNG.uniform(1, 4, 40), RNG.uniform(1, 2, 40)
    outputs = np.stack([mean, variance], axis=1)
    spread = np.stack([std, std], axis=1)
    found = validation_loss(target("normal"), summary(outputs, spread), rows(VALUES))
    scale = np.sqrt(variance + std**2)
    assert -np.mean(stats.norm.logpdf(VALUES, mean, scale)) == pytest.approx(found)
    guess = guess_loss(target("normal"), rows(VALUES), rows(VALUES))
    expected = -np.mean(stats.norm.logpdf(VALUES, VALUES.mean(), VALUES.std()))
    assert expected == pytest.approx(guess)


def test_quantiles_are_judged_by_the_pinball_loss() -> None:
    """The mean over the three levels, as scikit-learn has it; a guess has the fit rows'."""
    quantiles = VALUES[:, None] + np.array([-10.0, 0.5, 9.0])
    found = validation_loss(target("quantiles"), summary(quantiles, quantiles * 0), rows(VALUES))
    assert pinball(quantiles) == pytest.approx(found)
    guess = guess_loss(target("quantiles"), rows(VALUES), rows(VALUES))
    assert pinball(np.tile(np.quantile(VALUES, LEVELS), (40, 1))) == pytest.approx(guess)


@pytest.mark.parametrize(
    ("head", "name"), [("point", "RMSE"), ("normal", "NLL"), ("quantiles", "pinball loss")]
)
def test_the_loss_is_named_by_the_target(head: NumberHead, name: str) -> None:
    """People see what a figure is."""
    levels = LEVELS if head == "quantiles" else ()
    column = NumberColumn(name="rent", head=head, levels=levels)
    assert name == loss_name(Layout((), ("rent",), (), number=column))
    assert loss_name(Layout((), ("grade",), ("A", "B"))) == "NLL"
