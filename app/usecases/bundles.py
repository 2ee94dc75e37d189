"""What use cases need of open bundles: the served one, and older ones for replays."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from app.serving.caller import Caller
from app.serving.predictor import Predictor
from dubito.prediction import AnswerBuilder
from dubito.types import Environment, Identity, Signature


@dataclass(frozen=True, slots=True)
class Served:
    """An open bundle with its predictor and its answer builder."""

    identity: Identity
    signature: Signature
    environment: Environment
    predictor: Predictor
    answers: AnswerBuilder


class Bundles(Protocol):
    """Source of open bundles."""

    def of(self, model: Identity, caller: Caller) -> AbstractAsyncContextManager[Served]:
        """Lend the bundle that a record names for the duration of the block, opening it if needed.

        Raises:
            Conflict: the bundle is no longer available, or its content has changed.
            TooManyWaiting: too many requests wait for bundles to be opened.
        """
