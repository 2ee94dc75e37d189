"""A job: a table, a bundle and options, which together fix every byte of the answers."""

from pathlib import Path
from typing import Any

from msgspec import Struct

from dubito.bundle import Bundle, load
from dubito.inputs.options import MonteCarloOptions, monte_carlo_options
from dubito.scoring.part import AnswerFormat
from dubito.types import Backend

FORMAT = 1
"""Version of the files in a job's folder."""


class ScoringJob(Struct, frozen=True, kw_only=True):
    """What a job's folder is for: another job never goes on in it."""

    format: int = FORMAT
    table: str
    """Name of the table's file."""
    bytes: int
    """Size of the file."""
    told: str
    """Form of the table."""
    key: str | None
    truth: tuple[str, ...]
    """Names of the column of the truth; none without one."""
    model: str
    version: int
    digest: str
    fingerprint: str
    """Numerical environment: parts from two of them would not be of one table."""
    options: dict[str, Any]
    """Options of each answer, complete with the bundle's defaults."""
    answers: AnswerFormat
    rows: int
    """Most rows of a part."""
    arrow: str
    """Version of the library that reads and writes the parts."""

    def difference(self, other: "ScoringJob") -> str | None:
        """Return the name of what differs from another job; None if nothing does."""
        names = self.__struct_fields__
        return next((one for one in names if getattr(self, one) != getattr(other, one)), None)


class BundleOpening(Struct, frozen=True):
    """How a process opens the bundle of a job."""

    folder: Path
    digest: str
    backend: Backend
    options: dict[str, Any]

    def opened(self) -> tuple[Bundle, MonteCarloOptions]:
        """Check and load the bundle.

        Raises:
            BundleError: the bundle is another one now, or must not be used.
        """
        bundle = load(self.folder, pinned=self.digest, backend=self.backend)
        manifest = bundle.manifest
        model = monte_carlo_options(
            manifest.target,
            manifest.passes,
            MOST_SCORED_PASSES,
            manifest.calibration,
            members=manifest.members,
        )
        return bundle, model.model_construct(**self.options)


MOST_SCORED_PASSES = 1_000_000
"""Most passes a row that may be asked for."""
