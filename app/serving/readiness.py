"""Readiness: whether the service can grade requests now, as far as known without waiting."""

from collections.abc import Callable

from app.errors import NotReady

TroubleProbe = Callable[[], str | None]
"""Function that returns, without waiting, a sentence on why requests cannot be graded now, or
None."""


STOPPING = "the service is stopping"


class Readiness:
    """Readiness of everything a grade needs: the engine, and the record store if recording is on.

    A full queue is no trouble: it drains, and requests that find it full get a 503 of their own.
    """

    def __init__(
        self, *troubles: TroubleProbe, is_serving: Callable[[], bool] = lambda: True
    ) -> None:
        """Keep the functions that report trouble, in order of importance.

        Args:
            *troubles: the functions.
            is_serving: whether the service is not stopping; requests that come nevertheless are
                answered.
        """
        self._troubles = troubles
        self.is_serving = is_serving

    @property
    def reason(self) -> str | None:
        """Why requests should go elsewhere now; None if they should come."""
        return self.trouble if self.is_serving() else STOPPING

    @property
    def trouble(self) -> str | None:
        """The first reason why requests cannot be graded now; None if they can."""
        return next((told for ask in self._troubles if (told := ask()) is not None), None)

    def check(self) -> None:
        """Check that requests can be graded now.

        Raises:
            NotReady: the service reports trouble.
        """
        for ask in self._troubles:
            if (told := ask()) is not None:
                raise NotReady(told)
