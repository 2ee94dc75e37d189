"""Logs for TensorBoard: loss and accuracy of the training and validation part per epoch."""

from itertools import count
from pathlib import Path

import keras

from dubito.errors import UsageError


def curves(folder: Path | None, seed: int) -> list[keras.callbacks.Callback]:
    """Return the callbacks that log a training for TensorBoard; none without a folder.

    Every training is a run of its own, `<folder>/run-<K>-seed-<seed>/{train,validation}/`, with
    the scalars `epoch_loss` and `epoch_accuracy`. The callbacks draw no random numbers, so the
    weights are the same with and without them.

    Raises:
        UsageError: the folder is not writable.
    """
    if folder is None:
        return []
    try:
        run = _fresh(folder, seed)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from error
    return [keras.callbacks.TensorBoard(log_dir=str(run), write_graph=False)]


def _fresh(folder: Path, seed: int) -> Path:
    """Create the folder of the next run, so that no two trainings write to the same curve."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        if not any(folder.glob(f"run-{number}-*")):
            break
    run = folder / f"run-{number}-seed-{seed}"
    run.mkdir()
    return run
