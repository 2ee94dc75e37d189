"""Readiness: whether a grade would be given now, as far as is known without asking anyone."""

from collections.abc import Callable

from app.errors import NotReady

Trouble = Callable[[], str | None]
"""Says at once, from memory, why no grade would be given now: a sentence, or None."""


class Readiness:
    """What must be well for a grade to be given: the engine, and the records where they are on.

    A full queue is no trouble: it empties by itself, and whoever comes too late is told so.
    """

    def __init__(self, *troubles: Trouble) -> None:
        """Take what is asked, in order."""
        self._troubles = troubles

    @property
    def trouble(self) -> str | None:
        """The first reason why no grade would be given now."""
        return next((told for ask in self._troubles if (told := ask()) is not None), None)

    def check(self) -> None:
        """Let a request pass.

        Raises:
            NotReady: no grade would be given now.
        """
        for ask in self._troubles:
            if (told := ask()) is not None:
                raise NotReady(told)
