"""Readiness: whether the service can grade requests now, as far as known without waiting."""

from collections.abc import Callable

from app.errors import NotReady

TroubleProbe = Callable[[], str | None]
"""Function that returns, without waiting, a sentence on why requests cannot be graded now, or
None."""


class Readiness:
    """Readiness of everything a grade needs: the engine, and the record store if recording is on.

    A full queue is no trouble: it drains, and requests that find it full get a 503 of their own.
    """

    def __init__(self, *troubles: TroubleProbe) -> None:
        """Keep the functions that report trouble, in order of importance."""
        self._troubles = troubles
        self.is_serving: Callable[[], bool] = lambda: True
        """Whether the service is not stopping: requests that come nevertheless are answered."""

    @property
    def reason(self) -> str | None:
        """Why requests should go elsewhere now; None if they should come."""
        return self.trouble if self.is_serving() else "the service is stopping"

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
