"""Stores the trials of a search on disk: its terms, and a file for every finished trial.

Files are replaced atomically, so a search may be killed at any moment.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dubito.domains import STUDY
from dubito.errors import DataError, UsageError
from dubito.training.search_space import Choices
from dubito.training.validation_loss import NLL


@dataclass(frozen=True, slots=True)
class SearchTerms:
    """Conditions, besides the hyperparameters, that the losses of a search depend on."""

    data_digest: str
    seed: int
    split_seed: int
    epochs: int
    architecture: str = STUDY
    """Name of the recipe whose hyperparameters are searched."""
    loss: str = NLL
    """Name of the loss, see `dubito.training.validation_loss`."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Result of a finished trial."""

    choices: Choices
    val_loss: float
    """Loss of the mean over passes on the validation rows."""


class TrialStore:
    """The folder of a search: `search.json` and `trials/<number>.json`, from 0."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def opened(self, terms: SearchTerms) -> Iterator[None]:
        """Lock the folder against other processes, for a search on these terms.

        Raises:
            UsageError: the folder is not writable, is in use, or contains a search on other terms.
        """
        lock = FileLock(self.folder / "lock", blocking=False, preserve_lock_file=True)
        try:
            (self.folder / "trials").mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise UsageError(f"another search is running in {self.folder}") from error
        except OSError as error:
            raise UsageError(f"{self.folder} cannot be written: {error.strerror}") from error
        try:
            self._agree(terms)
            yield
        finally:
            lock.release()

    def finished(self) -> list[Trial]:
        """Read the finished trials, in order.

        Raises:
            DataError: a file is damaged.
        """
        found: list[Trial] = []
        while (path := self._path(len(found))).exists():
            content = _read(path)
            try:
                found.append(Trial(dict(content["choices"]), float(content["val_loss"])))
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(f"{path.name} of {self.folder} is not a trial") from error
        return found

    def add(self, number: int, trial: Trial) -> None:
        """Write a trial that has just finished."""
        _write(self._path(number), asdict(trial))

    def _path(self, number: int) -> Path:
        return self.folder / "trials" / f"{number}.json"

    def _agree(self, terms: SearchTerms) -> None:
        path, wanted = self.folder / "search.json", asdict(terms)
        if not path.exists():
            _write(path, wanted)
        found = _read(path)
        differing = [name for name, value in wanted.items() if found.get(name) != value]
        if differing:
            name = differing[0].replace("_", " ")
            raise UsageError(f"{self.folder} holds a search with another {name}")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read") from error
    return content if isinstance(content, dict) else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    whole = path.with_suffix(".new")
    whole.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    whole.replace(path)
