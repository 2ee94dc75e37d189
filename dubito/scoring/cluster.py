"""Scores chunks on a Ray cluster, by Ray Data: each node reads the table and writes the answers."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np

# Before its import: what Ray itself logs is for those who run it, in its own files.
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")

import ray
from msgspec import json
from ray.data import ActorPoolStrategy, DataContext, from_items
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dubito.errors import DataError, DubitoError, UsageError
from dubito.scoring.chunk import Chunk, ChunkPlace
from dubito.scoring.counts import TableCounts
from dubito.scoring.pool import Alone, Work, opened_scorer

HERE = ""
"""Address that stands for a cluster of this machine alone, made for the run."""


class RayScorers:
    """Scores chunks with the processors of a cluster."""

    def __init__(self, work: Work) -> None:
        """Take what is scored, and how.

        Raises:
            UsageError: the numerical environments of the nodes differ.
        """
        self._work = work
        self._places: list[ChunkPlace] = []
        self._fingerprint = common_fingerprint(work)

    def fingerprint(self) -> str:
        """Return the numerical environment of all nodes."""
        return self._fingerprint

    def score(self, chunk: Chunk) -> Iterator[TableCounts]:
        """Take note of where a chunk is; it is scored later."""
        whole = asdict(chunk)
        del whole["content"]
        self._places.append(ChunkPlace(**whole))
        yield from ()

    def rest(self) -> Iterator[TableCounts]:
        """Score all chunks; yield their counts as they come.

        Raises:
            DataError: a chunk cannot be scored.
        """
        if not self._places:
            return
        processors = max(1, int(ray.cluster_resources().get("CPU", 1)))
        found = from_items([asdict(place) for place in self._places]).map_batches(
            NodeScorer,
            fn_constructor_args=(self._work,),
            batch_size=1,
            num_cpus=1,
            compute=ActorPoolStrategy(min_size=1, max_size=processors),
        )
        try:
            for row in found.iter_rows():
                yield json.decode(row["counts"], type=TableCounts)
        except DataError:
            raise
        except (ray.exceptions.RayError, OSError) as error:
            raise _cause(error) from error


class NodeScorer:
    """Scores chunks in a process of a node."""

    def __init__(self, work: Work) -> None:
        """Open the bundle, which the node finds at the same path."""
        self._work = work
        self._scorer = Alone(work)

    def __call__(self, batch: dict[str, "np.ndarray[Any, Any]"]) -> dict[str, list[bytes]]:
        """Score the chunks at some places; return their counts as JSON."""
        names, columns = list(batch), [values.tolist() for values in batch.values()]
        places = [
            ChunkPlace(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)
        ]
        chunks = (self._work.table.chunks.at(place) for place in places)
        counts = (one for chunk in chunks for one in self._scorer.score(chunk))
        return {"counts": [json.encode(one) for one in counts]}


@contextmanager
def cluster(work: Work, address: str) -> Iterator[RayScorers]:
    """Use a cluster for the duration of the block.

    Args:
        work: what is scored, and how.
        address: address of the cluster; `HERE` for one that is made here.

    Raises:
        UsageError: there is no cluster, or its nodes differ.
    """
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(f"--ray: there is no cluster at {address}") from error
    DataContext.get_current().enable_progress_bars = False
    DataContext.get_current().raise_original_map_exception = True
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield RayScorers(work)
    finally:
        ray.shutdown()


def common_fingerprint(work: Work) -> str:
    """Return the numerical environment that all nodes with processors have.

    Raises:
        UsageError: two nodes have another one; names the fact.
    """
    nodes = [one for one in ray.nodes() if one["Alive"] and one["Resources"].get("CPU")]
    asked = [
        _environment.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(work)
        for node in nodes
    ]
    try:
        found: list[tuple[str, dict[str, str]]] = ray.get(asked)
    except ray.exceptions.RayError as error:
        raise _cause(error) from error
    names = [node["NodeManagerAddress"] for node in nodes]
    (first, known), *_ = found
    for name, (fingerprint, facts) in zip(names, found, strict=True):
        if fingerprint != first:
            raise UsageError(f"--ray: node {name} {difference(facts, known, names[0])}")
    return first


def difference(facts: dict[str, str], others: dict[str, str], name: str) -> str:
    """Return the first fact in which a node differs from another one, as the end of a sentence."""
    every = sorted(facts.keys() | others.keys())
    fact = next(one for one in every if facts.get(one) != others.get(one))
    theirs, ours = facts.get(fact, "none"), others.get(fact, "none")
    return f"computes with {fact} {theirs}, but {name} with {ours}"


@ray.remote(num_cpus=1)  # type: ignore[untyped-decorator]
def _environment(work: Work) -> tuple[str, dict[str, str]]:
    environment = opened_scorer(work).bundle.environment
    return environment.fingerprint, environment.facts


def _cause(error: Exception) -> DubitoError:
    """Return the sentence of what a node could not do."""
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, DubitoError):
        return cause
    return DataError(f"a node failed ({type(cause).__name__}): start again, to go on")
