"""Curves of a training for TensorBoard: loss and accuracy of both parts, epoch by epoch."""

from itertools import count
from pathlib import Path

import keras

from dubito.errors import UsageError


def curves(folder: Path | None, seed: int) -> list[keras.callbacks.Callback]:
    """What writes a training's curves; nothing without a folder.

    Every training has a run of its own, `<folder>/run-<K>-seed-<seed>/{train,validation}/`, with
    the scalars `epoch_loss` and `epoch_accuracy`. They draw no random numbers: the weights are the
    same with and without.

    Raises:
        UsageError: the folder cannot be written.
    """
    if folder is None:
        return []
    try:
        run = _fresh(folder, seed)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from error
    return [keras.callbacks.TensorBoard(log_dir=str(run), write_graph=False)]


def _fresh(folder: Path, seed: int) -> Path:
    """A new folder for the next run, so that no two trainings share a curve."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        if not any(folder.glob(f"run-{number}-*")):
            break
    run = folder / f"run-{number}-seed-{seed}"
    run.mkdir()
    return run
