"""The synchronous client of a service."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import httpx
from msgspec import json

from dubito.answer import AnyMonteCarloAnswer, AnyPlainAnswer
from dubito.client.asking import Asking, passing_time
from dubito.client.exchange import RETRIES, Attempt, Lost, Patience, Question, ServiceReply
from dubito.client.question import ClientRow, predictions_of
from dubito.errors import UsageError

if TYPE_CHECKING:
    from pandas import DataFrame


class Client(Asking):
    """Asks a service; a context manager that keeps connections open."""

    def __init__(
        self,
        url: str,
        model: str | None = None,
        *,
        retries: int = RETRIES,
        timeout: float | None = 30.0,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Set where to ask; see `Asking`. Another transport is for tests."""
        super().__init__(url, model, retries=retries, timeout=timeout, headers=headers)
        self._http = httpx.Client(base_url=self.url, headers=self._headers, transport=transport)

    def __enter__(self) -> Self:
        """Keep connections open for the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def predict(
        self,
        rows: "Sequence[ClientRow] | DataFrame",
        *,
        reference: str | None = None,
        deadline: float | None = None,
    ) -> list[AnyPlainAnswer]:
        """Ask for deterministic predictions; see `predict_mc`.

        Raises:
            RequestRefused: the service refused the rows; names each wrong field.
            RequestUnanswered: there was no answer, or none in time.
        """
        end = passing_time(deadline)
        found: Any = self._answers(self._plain(rows, reference, end), end)
        answers: list[AnyPlainAnswer] = found
        return answers

    def predict_mc(
        self,
        rows: "Sequence[ClientRow] | DataFrame",
        passes: int | Literal["auto"] | None = None,
        seed: int | None = None,
        *,
        tolerance: float | None = None,
        max_passes: int | None = None,
        coverage: float | None = None,
        method: str | None = None,
        class_conditional: bool | None = None,
        target: float | None = None,
        reference: str | None = None,
        deadline: float | None = None,
    ) -> list[AnyMonteCarloAnswer]:
        """Ask for Monte-Carlo predictions, as `Bundle.predict_mc` computes them.

        Args:
            rows: `N` mappings from features to values, None where one is missing; or a data frame.
            passes: stochastic passes a row, or `auto`; this and what follows have the bundle's
                defaults.
            seed: from 0 to 2**53 − 1; drawn anew for each request if None, of which each has at
                most 500 rows.
            tolerance: half-width to reach with `auto`.
            max_passes: most passes a row with `auto`.
            coverage: share of rows whose set or interval contains the truth.
            method: nonconformity score.
            class_conditional: whether the coverage holds among the rows of each class.
            target: largest share of wrong answers promised among automated rows.
            reference: name of the case in the records.
            deadline: seconds after which the answers are useless, retries included.

        Returns:
            `N` answers, in the order of the rows.

        Raises:
            RequestRefused: the service refused the rows or the options; names each wrong field.
            RequestUnanswered: there was no answer, or none in time.
        """
        options = {
            "passes": passes,
            "seed": seed,
            "tolerance": tolerance,
            "max_passes": max_passes,
            "coverage": coverage,
            "method": method,
            "class_conditional": class_conditional,
            "target": target,
        }
        end = passing_time(deadline)
        asked = self._monte_carlo(rows, options, reference, end)
        found: Any = self._answers(asked, end)
        answers: list[AnyMonteCarloAnswer] = found
        return answers

    def describe(self) -> Mapping[str, object]:
        """Ask what the model is: its features, target, figures and environment."""
        reply = self._reply(self._about(), self._patience(None))
        found: Mapping[str, object] = json.decode(reply.content)
        return found

    def _answers(self, asked: Iterator[Question], end: float | None) -> list[Any]:
        found: list[Any] = []
        for question in asked:
            found += predictions_of(self._reply(question, self._patience(end)))
        return found

    def _reply(self, question: Question, patience: Patience) -> ServiceReply:
        """Do what the steps of the exchange say."""
        steps = patience.steps()
        step, came = next(steps), None
        while True:
            if isinstance(step, Attempt):
                came = self._attempt(question, step)
            else:
                time.sleep(step.seconds)
            try:
                step = steps.send(came)
            except StopIteration as end:
                reply: ServiceReply = end.value
                return reply

    def _attempt(self, question: Question, step: Attempt) -> ServiceReply | Lost:
        try:
            answer = self._http.request(
                question.method,
                question.path,
                params=question.parameters,
                headers=question.headers,
                content=question.content,
                timeout=step.timeout,
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise UsageError(f"{self.url} cannot be asked: {error}") from error
        except httpx.RequestError as error:
            return Lost(str(error) or type(error).__name__)
        return ServiceReply(answer.status_code, answer.headers, answer.content)
