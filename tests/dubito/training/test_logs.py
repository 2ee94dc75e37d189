"""Curves: TensorBoard's own reader finds them, and the weights do not change for them."""

from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import (
    TENSORS,
    EventAccumulator,
)
from tensorboard.util.tensor_util import make_ndarray

from dubito.errors import UsageError
from dubito.loans.columns import LAYOUT
from dubito.training.curves import curves
from dubito.training.data import read_table
from dubito.training.fit import fit
from dubito.training.heads import ClassHead
from dubito.training.recipe import Recipe

EPOCHS = 2


def weights(logs: Path | None) -> list[bytes]:
    """Of the study's network, trained on 400 loans."""
    table = read_table(None, LAYOUT)
    fitted, watched = table.where(np.arange(400)), table.where(np.arange(400, 500))
    imputed = [17.6 if column.nullable else None for column in LAYOUT.features]
    recipe = Recipe(epochs=EPOCHS)
    model = fit(
        recipe, fitted, watched, imputed, ClassHead(7), 5, verbose=0, callbacks=curves(logs, 5)
    )
    return [weight.tobytes() for weight in model.get_weights()]


def test_tensorboards_reader_finds_the_curves(tmp_path: Path) -> None:
    """Loss and accuracy of both parts, a value an epoch; the weights are those without curves."""
    assert weights(None) == weights(tmp_path)
    for part in ("train", "validation"):
        events = EventAccumulator(str(tmp_path / "run-1-seed-5" / part), size_guidance={TENSORS: 0})
        events.Reload()
        for name in ("epoch_loss", "epoch_accuracy"):
            found = events.Tensors(name)
            assert list(range(EPOCHS)) == [event.step for event in found]
            values = [float(make_ndarray(event.tensor_proto)) for event in found]
            assert all(0 < value < 10 for value in values)


def test_every_training_has_a_run_of_its_own(tmp_path: Path) -> None:
    """Two trainings into one folder do not share a curve; without a folder there is none."""
    curves(tmp_path / "logs", 5)
    curves(tmp_path / "logs", 5)
    curves(tmp_path / "logs", 6)
    assert [] == curves(None, 5)
    found = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert ["run-1-seed-5", "run-2-seed-5", "run-3-seed-6"] == found


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """It is found out before training, and named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file/logs cannot be written"):
        curves(tmp_path / "file" / "logs", 0)
