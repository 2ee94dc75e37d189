"""Serves the trivial route under uvicorn with this project's connections: `python ours.py PORT`."""

import asyncio
import sys
from functools import partial

import uvicorn
from plain import app

from app.server.connections import ConnectionLimits, Connections
from app.server.protocol import Connection
from app.settings import Settings


async def main(port: int) -> None:
    """Serve until a signal stops the process."""
    connections = Connections(ConnectionLimits.of(Settings()))
    config = uvicorn.Config(app, port=port, access_log=False, log_level="warning")
    config.http = partial(Connection, connections=connections)
    watching = asyncio.create_task(connections.watch())
    await uvicorn.Server(config).serve()
    watching.cancel()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
