"""Trains a recipe with several seeds and computes the spread of the held-out metrics."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from dubito.bundles.manifest import Manifest
from dubito.training.data import Rows
from dubito.training.pipeline import TrainingOptions, publish

Metrics = Mapping[str, Mapping[str, float]]
"""Metrics by path, `mc` or `deterministic`, then by the metric's name."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation of a metric over `K` seeds."""

    mean: float
    sd: float
    """Sample standard deviation, `ddof=1`."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """Metrics of one recipe and split, trained with `K` seeds."""

    seeds: tuple[int, ...]
    metrics: tuple[Metrics, ...]
    """Held-out metrics of each seed, in the order of `seeds`."""

    def spread(self, path: str) -> dict[str, Spread]:
        """Compute mean and spread of every held-out metric of path `mc` or `deterministic`."""
        return {name: _spread([each[path][name] for each in self.metrics]) for name in self._names}

    @property
    def _names(self) -> Sequence[str]:
        return list(self.metrics[0]["mc"])


def publish_seeds(job: TrainingOptions, rows: Rows, count: int) -> tuple[Path, Manifest, Seeds]:
    """Publish the bundle of `job.seed`, and train `count` - 1 more seeds for their metrics.

    The other seeds are published too, but to a temporary folder.

    Raises:
        BundleError: this version exists already.
        DataError: there are too few rows to split.
    """
    folder, manifest = publish(job, rows)
    # An ensemble takes as many seeds as it has members.
    seeds = tuple(range(job.seed, job.seed + count * job.members, job.members))
    others = [_figures(replace(job, seed=seed), rows) for seed in seeds[1:]]
    return folder, manifest, Seeds(seeds, (manifest.metrics, *others))


def _figures(job: TrainingOptions, rows: Rows) -> Metrics:
    with TemporaryDirectory() as folder:
        _, manifest = publish(replace(job, out=Path(folder)), rows)
    return manifest.metrics


def _spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.fmean(values), statistics.stdev(values))
