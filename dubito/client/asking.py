"""What both clients share: where questions go, and which there are."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dubito.client.exchange import RETRIES, Patience, Question
from dubito.client.question import ClientRow, questions

if TYPE_CHECKING:
    from pandas import DataFrame

AGENT = {"User-Agent": "dubito-client", "Accept": "application/json"}


class Asking:
    """Builds the questions about one model of a service."""

    def __init__(
        self,
        url: str,
        model: str | None = None,
        *,
        retries: int = RETRIES,
        timeout: float | None = 30.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Set where to ask, and how long to go on.

        Args:
            url: address of the service.
            model: name of the model; the first of the service if None.
            retries: attempts after the first, where a service is not ready, is full, or is not
                there. Requests have idempotency keys: none is recorded twice.
            timeout: seconds for which an attempt waits for a connection, and for each part of an
                answer.
            headers: sent with each request.
        """
        self.url = url.rstrip("/")
        self.model = model
        self._retries, self._timeout = retries, timeout
        self._headers = {**AGENT, **(headers or {})}
        self._place = "" if model is None else f"/models/{quote(model, safe='')}"

    def _patience(self, end: float | None) -> Patience:
        left = None if end is None else end - time.monotonic()
        return Patience(self._retries, self._timeout, left)

    def _plain(
        self, rows: "Sequence[ClientRow] | DataFrame", reference: str | None, end: float | None
    ) -> Iterator[Question]:
        return questions(f"{self._place}/predict", rows, {}, reference, end)

    def _monte_carlo(
        self,
        rows: "Sequence[ClientRow] | DataFrame",
        options: Mapping[str, Any],
        reference: str | None,
        end: float | None,
    ) -> Iterator[Question]:
        return questions(f"{self._place}/predict/mc", rows, options, reference, end)

    def _about(self) -> Question:
        return Question("GET", self._place or "/model")


def passing_time(deadline: float | None) -> float | None:
    """Return when a deadline passes, as `time.monotonic` tells it; None without one."""
    return None if deadline is None else time.monotonic() + deadline
