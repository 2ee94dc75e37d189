"""Messages between a supervisor and its workers, over a pipe.

A bundle is replaced in two steps, so that either all workers serve it or none does: each prepares
it and says so, and then all let it take over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.settings import Settings
from dubito.types import Identity


@dataclass(frozen=True, slots=True)
class Serving:
    """A worker serves."""

    identities: Sequence[Identity]


@dataclass(frozen=True, slots=True)
class LoadAsked:
    """A worker was asked to load a model anew."""

    ticket: int
    """Number that the answer has, too."""
    name: str


@dataclass(frozen=True, slots=True)
class EndAsked:
    """A worker was asked to end a model's canary."""

    ticket: int
    """Number that the answer has, too."""
    name: str


@dataclass(frozen=True, slots=True)
class Done:
    """Answer to `LoadAsked` and `EndAsked`."""

    ticket: int
    fault: str | None = None
    """Why the bundle must not be served, a sentence; None if all workers have done it."""


@dataclass(frozen=True, slots=True)
class EndCanary:
    """Workers are to end a model's canary."""

    name: str


@dataclass(frozen=True, slots=True)
class CanaryEnded:
    """A worker has ended it."""

    name: str


@dataclass(frozen=True, slots=True)
class Prepare:
    """Workers are to open a bundle beside the one that they serve."""

    attempt: int
    """Number of the swap, which no other has, whether it succeeds or not."""
    settings: Settings
    """Name, version, digest and backend of the bundle."""
    contents: bytes | None
    """Contents of the bundle, which has been checked, see `Checked.contents`."""


@dataclass(frozen=True, slots=True)
class BundlePrepared:
    """A worker has opened the bundle, or cannot serve it."""

    attempt: int
    fault: str | None


@dataclass(frozen=True, slots=True)
class TakeOver:
    """All workers have opened the bundle, which takes over."""

    attempt: int
    generation: int
    """Number of bundles that have been replaced then."""


@dataclass(frozen=True, slots=True)
class TookOver:
    """The bundle answers all requests of a worker from now on."""

    attempt: int
    has_ended_canary: bool
    """Whether the model's canary has ended, as it does not fit to the bundle."""


@dataclass(frozen=True, slots=True)
class Discard:
    """A worker could not serve the bundle, which the others close."""

    attempt: int
