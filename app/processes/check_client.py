"""The service's side of the process that checks a bundle."""

import asyncio
from contextlib import ExitStack
from typing import Any

from app.errors import StartError
from app.processes.channel import PICKLED, Channel
from app.processes.engine_messages import CannotStart, Checked
from app.processes.subprocesses import child, end_of
from app.settings import Settings
from dubito.errors import BundleError


async def check_bundle(settings: Settings) -> Checked:
    """Check the bundle that the settings name, in a process of its own.

    Raises:
        BundleError: the bundle must not be served.
        StartError: the process ended.
    """
    said: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def hear(message: Any) -> None:
        if not said.done():
            said.set_result(message)

    stack, channel = ExitStack(), None
    try:
        checker = stack.enter_context(child("check"))
        # Whoever asks may have gone: nobody waits for the end of a check then.
        stack.callback(checker.process.kill)
        channel = await Channel.opened(checker.line, PICKLED, hear, lambda: hear(None))
        channel.send(settings)
        found = await said
        if found is None:
            end = await asyncio.to_thread(end_of, checker)
            raise StartError(f"the process that checks the bundle {end}")
    finally:
        if channel is not None:
            channel.close()
        # The end of a process of low priority takes a while, which nobody waits for.
        asyncio.get_running_loop().run_in_executor(None, stack.close)
    if isinstance(found, CannotStart):
        raise BundleError(found.sentence)
    checked: Checked = found
    return checked
