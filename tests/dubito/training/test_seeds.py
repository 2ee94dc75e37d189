"""Several seeds: the first one's bundle, and figures whose spread is the sample's."""

import statistics
from pathlib import Path

import numpy as np

from dubito.loans.columns import LAYOUT
from dubito.training.data import read_table
from dubito.training.pipeline import TrainingOptions, publish
from dubito.training.recipe import Recipe
from dubito.training.seeds import Seeds, Spread, publish_seeds


def job(out: Path, seed: int) -> TrainingOptions:
    return TrainingOptions(
        Recipe(epochs=1), LAYOUT, out, "loan-grade", None, seed, 0, "test", verbose=0
    )


def test_only_the_first_seeds_bundle_is_kept(tmp_path: Path) -> None:
    """It is the bundle of that seed alone; every seed's figures are those it publishes with."""
    table = read_table(None, LAYOUT).where(np.arange(400))
    folder, manifest, seeds = publish_seeds(job(tmp_path / "some", 3), table, 2)
    alone, first = publish(job(tmp_path / "one", 3), table)
    _, second = publish(job(tmp_path / "two", 4), table)

    assert [folder] == list((tmp_path / "some" / "loan-grade").iterdir())
    assert (alone / "model.keras").read_bytes() == (folder / "model.keras").read_bytes()
    assert first == manifest
    assert Seeds((3, 4), (first.metrics, second.metrics)) == seeds
    assert first.metrics != second.metrics


def test_the_spread_is_the_samples() -> None:
    """Mean and standard deviation with `ddof=1`, path by path."""
    values = [0.5, 0.25, 1.0]
    metrics = tuple({"mc": {"nll": value}, "deterministic": {"nll": 2 * value}} for value in values)
    seeds = Seeds((0, 1, 2), metrics)
    assert {"nll": Spread(statistics.fmean(values), statistics.stdev(values))} == seeds.spread("mc")
    assert statistics.stdev([1, 0.5, 2]) == seeds.spread("deterministic")["nll"].sd
