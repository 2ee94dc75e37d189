"""Bundles that answer: the one that is served, and those that answered before it."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from app.api.answers import Answers
from app.serving.client import Client
from app.serving.predictor import Predictor
from app.values import Environment, Identity, Signature


@dataclass(frozen=True, slots=True)
class Served:
    """A bundle that is open, and what answers for it."""

    identity: Identity
    signature: Signature
    environment: Environment
    predictor: Predictor
    answers: Answers


class Bundles(Protocol):
    """Where bundles are had."""

    def of(self, model: Mapping[str, Any], client: Client) -> AbstractAsyncContextManager[Served]:
        """The bundle that a record names, for the length of a block; a client waits for it.

        Raises:
            Conflict: it is not there any more, or is not what it was.
            Overloaded: too many wait for bundles.
        """
