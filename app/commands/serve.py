"""Serve a bundle over HTTP."""

import argparse
import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import fields

from app.commands.reference import add_bundle, flags_of
from app.errors import SettingsError
from app.network.catalog import find
from app.network.inspection.archive import inspect
from app.settings import Settings, read_settings, unknown_variables, variable

log = logging.getLogger("dubito")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A flag for every setting."""
    add_bundle(parser)
    add_settings(parser, [known.name for known in fields(Settings)])


def add_settings(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Flags for some settings, with their meaning and variable."""
    for known in fields(Settings):
        if known.name in names:
            default = "" if known.default is None else f"default {known.default}, "
            text = f"{known.metadata['text']} ({default}{variable(known.name)})"
            flag = f"--{known.name.replace('_', '-')}"
            parser.add_argument(flag, metavar="VALUE", help=text.replace("%", "%%"))


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Settings from the environment, the flags, and the bundle that is named."""
    given = {known.name: getattr(arguments, known.name, None) for known in fields(Settings)}
    named = {name: text for name, text in flags_of(arguments.bundle).items() if text is not None}
    return read_settings(os.environ, {**given, **named})


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Serve until SIGINT or SIGTERM; what was accepted is answered first."""
    if rest:
        raise SettingsError(f"serve does not know {rest[0]}")
    settings = settings_of(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    if settings.log_requests:
        logging.getLogger("dubito.access").setLevel(logging.DEBUG)
    for name in unknown_variables(os.environ):
        log.warning("%s is no setting and is ignored", name)
    # What files alone can show is found before TensorFlow is imported.
    inspect(find(settings.models, settings.model, settings.version), pinned=settings.digest)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings))
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The fastest event loop that is installed."""
    import uvicorn

    return uvicorn.Config("app.main:create_app").get_loop_factory()


async def _serve(settings: Settings) -> None:
    import uvicorn

    from app.main import create_app

    app = create_app(settings)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        # Nothing here asks where a request came from.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=30,
    )
    async with app.router.lifespan_context(app):
        listening = _listen(settings.host, settings.port)
        host, port = listening.getsockname()[:2]
        identity = app.state.identity
        log.info("serving %s/%d, %s", identity.name, identity.version, identity.digest)
        log.info("http://%s:%d - documentation at /docs", host, port)
        # uvicorn raises the signal again once it has stopped; by then there is nothing left to end.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        await uvicorn.Server(config).serve(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """The port, opened only now that the bundle is known to be good.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it: head and body of an answer are not held back.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind(address)
    except OSError as error:
        raise SettingsError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return listening
