"""Work that a service repeats as long as it runs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from app.error_location import locate_error
from dubito.errors import DubitoError

log = logging.getLogger("dubito")


async def repeat(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Repeat `work` every `seconds` seconds; a failure is logged and the next run may succeed."""
    while True:
        try:
            await work()
        except DubitoError as error:
            log.warning("%s", error)
        except Exception as error:  # noqa: BLE001 - alarms must not end in silence
            what = "alarms, counts, erasure or loads"
            log.error("a periodic task failed (%s): %s", what, locate_error(error))  # noqa: TRY400
        await asyncio.sleep(seconds)
