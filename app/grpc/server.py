"""The gRPC server of a worker: it runs on the event loop of the HTTP server."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from app.errors import StartError
from app.grpc.calls import SERVICE, Calls
from app.serving.readiness import Readiness
from app.settings import Settings

MOST_STREAMS = 256
"""Maximum calls of one connection at a time."""
LOOK_SECONDS = 1.0
"""Seconds between two looks at the readiness, for those who watch it."""

log = logging.getLogger("dubito")


@asynccontextmanager
async def serving_grpc(
    calls: Calls, readiness: Readiness, settings: Settings
) -> AsyncIterator[None]:
    """Serve the calls within the block, on the settings' port.

    Raises:
        StartError: the port is taken.
    """
    server = grpc.aio.server(
        handlers=[calls.handlers()],
        options=[
            ("grpc.max_receive_message_length", settings.max_body_bytes),
            ("grpc.max_metadata_size", settings.max_header_bytes),
            ("grpc.max_concurrent_streams", MOST_STREAMS),
            ("grpc.so_reuseport", int(settings.workers > 1)),
        ],
        maximum_concurrent_rpcs=settings.max_connections,
    )
    checks = Health(readiness)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    address = f"{_bracketed(settings.host)}:{settings.grpc_port}"
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise StartError(f"gRPC cannot listen on {address} (DUBITO_GRPC_PORT)") from error
    await server.start()
    log.info("gRPC: %s:%d", _bracketed(settings.host), port)
    watching = asyncio.create_task(checks.watch())
    try:
        yield
    finally:
        watching.cancel()
        stopping = asyncio.create_task(server.stop(settings.drain_seconds))
        # Who watches the health, or asks for the description, would hold up the end.
        await calls.finish(settings.drain_seconds)
        await server.stop(None)
        await stopping


class Health(health.aio.HealthServicer):
    """gRPC's own health service, for the server and the inference service alike."""

    def __init__(self, readiness: Readiness) -> None:
        """Keep what tells whether the service is ready."""
        super().__init__()
        self._readiness = readiness

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Tell whether the service is ready now."""
        await self._update()
        return await super().Check(request, context)

    async def watch(self) -> None:
        """Look at the readiness from time to time, for those who watch it."""
        while True:
            await self._update()
            await asyncio.sleep(LOOK_SECONDS)

    async def _update(self) -> None:
        kind = "SERVING" if self._readiness.reason is None else "NOT_SERVING"
        status = health_pb2.HealthCheckResponse.ServingStatus.Value(kind)
        for name in ("", SERVICE):
            await self.set(name, status)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
