"""Counts the requests that use something, so that it is closed after the last of them."""

import asyncio


class Users:
    """A number of users, of whom each is one for the length of a `with` block."""

    def __init__(self) -> None:
        self._count = 0
        self._is_free = asyncio.Event()
        self._is_free.set()

    def __enter__(self) -> None:
        """Add a user."""
        self._count += 1
        self._is_free.clear()

    def __exit__(self, *_: object) -> None:
        """Remove a user."""
        self._count -= 1
        if not self._count:
            self._is_free.set()

    async def gone(self) -> None:
        """Wait until there is none."""
        while self._count:
            await self._is_free.wait()
