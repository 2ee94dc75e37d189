"""What use cases need of open bundles: the served one, and older ones for replays."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from app.serving.caller import Caller
from app.serving.predictor import Predictor
from app.serving.users import Users
from dubito.engine.backends.choice import backend_of
from dubito.prediction import AnswerBuilder
from dubito.types import Backend, Environment, Identity, Signature


@dataclass(frozen=True, slots=True)
class Served:
    """An open bundle with its predictor and its answer builder."""

    identity: Identity
    signature: Signature
    environment: Environment
    predictor: Predictor
    answers: AnswerBuilder
    users: Users = field(default_factory=Users)
    """Requests that use the bundle: it is closed after the last of them."""

    @property
    def backend(self) -> Backend | None:
        """Backend that computes the bundle; None if unknown."""
        return backend_of(self.environment.facts.get("engine", ""))


class Bundles(Protocol):
    """Source of open bundles."""

    def of(
        self, model: Identity, caller: Caller, backend: Backend | None = None
    ) -> AbstractAsyncContextManager[Served]:
        """Lend the bundle that a record names for the duration of the block, opening it if needed.

        Args:
            model: the bundle.
            caller: deadline and disconnection of the caller.
            backend: the backend that computes it where this machine has it; any if None.

        Raises:
            Conflict: the bundle is no longer available, or its content has changed.
            TooManyWaiting: too many requests wait for bundles to be opened.
        """
