"""Bundles that answer: the one that is served, and those that answered before it."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from app.serving.caller import Caller
from app.serving.predictor import Predictor
from dubito.prediction import AnswerBuilder
from dubito.types import Environment, Identity, Signature


@dataclass(frozen=True, slots=True)
class Served:
    """A bundle that is open, and what answers for it."""

    identity: Identity
    signature: Signature
    environment: Environment
    predictor: Predictor
    answers: AnswerBuilder


class Bundles(Protocol):
    """Where bundles are had."""

    def of(self, model: Identity, caller: Caller) -> AbstractAsyncContextManager[Served]:
        """The bundle that a record names, for the length of a block; a caller waits for it.

        Raises:
            Conflict: it is no longer available, or is not what it was.
            TooManyWaiting: too many wait for bundles.
        """
