"""Measures Monte-Carlo dropout on the study's own network."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from benchmarks.lessons.line import SEED, Line, imputed, listed, parts, trained
from dubito.engine.compiler.compiler import engine_of
from dubito.layers.impute import Impute
from dubito.loans.columns import LAYOUT
from dubito.training.architecture import Architecture, build
from dubito.training.curves import curves
from dubito.training.evaluation.probability_metrics import score
from dubito.training.heads import ClassHead
from dubito.training.monte_carlo import with_monte_carlo
from dubito.training.recipe import Recipe
from dubito.types import Query

PASSES = 100


def lines() -> Iterator[Line]:
    """Yield the lines of the study's fourth section."""
    yield _tokens()
    with TemporaryDirectory() as folder:
        model = trained(Recipe(), curves(Path(folder), SEED)).model
        accuracies, losses = (_read(Path(folder), name) for name in ("accuracy", "loss"))
    yield Line(
        "The study's network: validation accuracy went 0.373, 0.381, 0.393, 0.392, …; loss 1.47 to "
        "1.44 (its own 96,294 rows).",
        f"on 10,000 loans, read from TensorBoard's files: accuracy {listed(accuracies)}; loss "
        f"{losses[0]:.2f} to {losses[-1]:.2f}",
        ("training/test_logs.py",),
    )
    yield from _predictions(model)
    yield _statistics()


def _tokens() -> Line:
    texts = [LAYOUT.classes[label] for label in parts()[0].labels]
    lookup = keras.layers.StringLookup(num_oov_indices=0)
    lookup.adapt(texts)
    found = np.asarray(lookup(texts))
    return Line(
        "The target is looked up as strings: seven tokens, none out of vocabulary, by frequency.",
        f"{', '.join(map(str, lookup.get_vocabulary()))}; {int((found < 0).sum())} of "
        f"{len(texts):,} out of vocabulary. A bundle states its own order, "
        f"{', '.join(LAYOUT.classes)}",
        ("test_study.py::test_labels_map_as_string_lookup_maps_them",),
    )


def _read(folder: Path, name: str) -> list[float]:
    """Read a validation curve `(E,)` with TensorBoard's own reader."""
    (run,) = folder.iterdir()
    events = EventAccumulator(str(run / "validation"), size_guidance={TENSORS: 0})
    events.Reload()
    return [float(make_ndarray(each.tensor_proto)) for each in events.Tensors(f"epoch_{name}")]


def _predictions(model: Any) -> Iterator[Line]:
    engine, (_, _, held_out) = engine_of(model), parts()
    grades = np.argmax(engine.predict(held_out.features[:100]), axis=1)
    counts = np.bincount(grades, minlength=len(LAYOUT.classes))
    yield Line(
        "Ordinary prediction: argmax over 100 rows.",
        ", ".join(f"{name} {count}" for name, count in zip(LAYOUT.classes, counts, strict=True)),
        ("test_study.py::test_the_ordinary_prediction_over_a_hundred_rows",),
    )
    draws = engine.draws(Query(held_out.features[:1], PASSES, SEED))
    yield Line(
        "MC prediction: T = 100 passes of one row, stacked to (100, 1, 7); mean and std over them.",
        f"{draws.shape}; mean {listed(draws.mean(axis=0)[0])}; std {listed(draws.std(axis=0)[0])}",
        ("test_study.py::test_a_hundred_passes_of_one_row",),
    )
    (summary,) = engine.summarise([Query(held_out.features, PASSES, SEED)])
    answers = {"deterministic pass": engine.predict(held_out.features), "mean of 100": summary.mean}
    found = {name: score(each, held_out.labels, LAYOUT.classes) for name, each in answers.items()}
    yield Line(
        "Monte-Carlo dropout works like an ensemble: T predictions are averaged.",
        "; ".join(
            f"{name}: NLL {figures['nll']:.4f}, accuracy {figures['accuracy']:.4f}, "
            f"calibration error {figures['ece']:.4f}"
            for name, figures in found.items()
        )
        + f" ({len(held_out.labels):,} held-out rows)",
        ("test_study.py::test_a_hundred_passes_of_one_row",),
    )


def _statistics() -> Line:
    rows = parts()[0].features[:64]
    head = ClassHead(len(LAYOUT.classes))
    plain = build(Architecture(batch_norm=True), rows, [Impute(imputed())], head)
    ours = with_monte_carlo(plain)
    before = _moving(plain)
    engine_of(ours).summarise([Query(rows, PASSES, SEED)])
    plain(rows.astype(np.float32), training=True)
    moved, kept = (_largest_change(before, _moving(model)) for model in (plain, ours))
    return Line(
        "With BatchNormalization `training=True` must not be used, since it adapts; dropout layers "
        "that are always on do not.",
        f"largest change of its statistics: one call with `training=True` {moved:.3f}, "
        f"{PASSES} passes of {len(rows)} rows with ours {kept:g}",
        (
            "test_study.py::test_training_mode_moves_batch_normalization",
            "test_study.py::test_requests_leave_batch_normalization_alone",
        ),
    )


def _largest_change(before: list[np.ndarray], after: list[np.ndarray]) -> float:
    changes = [np.abs(now - then).max() for now, then in zip(after, before, strict=True)]
    return float(max(changes))


def _moving(model: Any) -> list[np.ndarray]:
    return [np.asarray(each).copy() for each in model.variables if "moving" in each.path]
