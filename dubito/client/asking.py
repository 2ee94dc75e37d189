"""What both clients share: where questions go, and which there are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
                there. Requests have idempotency keys: none is computed or recorded twice.
            timeout: seconds of one attempt.
            headers: sent with each request.
        """
        self.url = url.rstrip("/")
        self.model = model
        self._retries, self._timeout = retries, timeout
        self._headers = {**AGENT, **(headers or {})}
        self._place = "" if model is None else f"/models/{model}"

    def _patience(self, deadline: float | None) -> Patience:
        return Patience(self._retries, self._timeout, deadline)

    def _plain(
        self, rows: "Sequence[ClientRow] | DataFrame", reference: str | None, deadline: float | None
    ) -> Iterator[Question]:
        return questions(f"{self._place}/predict", rows, {}, reference, deadline)

    def _monte_carlo(
        self,
        rows: "Sequence[ClientRow] | DataFrame",
        options: Mapping[str, Any],
        reference: str | None,
        deadline: float | None,
    ) -> Iterator[Question]:
        return questions(f"{self._place}/predict/mc", rows, options, reference, deadline)

    def _about(self) -> Question:
        return Question("GET", self._place or "/model")
