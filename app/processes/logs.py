"""Log format: one line for each event on stderr, never with callers' data.

Example: `2026-01-31T09:30:00.123Z ERROR dubito.records[17] …`: time in UTC, level, logger, process
identifier, message.
"""

import logging
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from app.error_location import locate_error
from app.processes.port import address

if TYPE_CHECKING:
    from app.settings import Settings
    from dubito.types import Identity

FORMAT = "%(asctime)s %(levelname)s %(name)s[%(process)d] %(message)s"

log = logging.getLogger("dubito")


class LineFormatter(logging.Formatter):
    """Formats a record as one line, with an error's class and location but not its message."""

    converter = time.gmtime  # type: ignore[assignment]
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """Format a record, discarding error text that other formatters have cached."""
        record.exc_text = record.stack_info = None
        return ": ".join(super().format(record).split("\n"))

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        """Return the class and location of an error."""
        error = ei[1] if isinstance(ei, tuple) else None
        return "an error" if error is None else locate_error(error)


def configure_logs(*, log_requests: bool = False) -> None:
    """Configure log lines on stderr, for uncaught errors as well.

    Args:
        log_requests: whether each request is logged.
    """
    root = logging.getLogger()
    if not root.handlers:
        logging.basicConfig(level=logging.INFO)
    for handler in root.handlers:
        handler.setFormatter(LineFormatter(FORMAT))
    sys.excepthook = _told
    threading.excepthook = _told_of_thread
    # Alembic logs every plugin, which would bury important lines.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if log_requests:
        logging.getLogger("dubito.access").setLevel(logging.DEBUG)


def tell_start(
    settings: "Settings",
    opened: socket.socket,
    computed: Mapping[str, str],
    identities: "Sequence[Identity]",
) -> None:
    """Log the served bundles, the addresses of page and API, and the location of the records.

    Args:
        settings: the settings.
        opened: the socket that listens.
        computed: clause about the backend, by the name of the bundle.
        identities: the bundles.
    """
    for identity in identities:
        name, version, digest = identity.name, identity.version, identity.digest
        log.info("serving %s/%d, %s, %s", name, version, digest, computed[name])
    place = address(opened)
    log.info("%s/ - the page; %s/docs - the API; records: %s", place, place, _records(settings))


def tell_swap(generation: int, identity: "Identity") -> None:
    """Log which bundle is served from now on."""
    name, version, digest = identity.name, identity.version, identity.digest
    log.info("generation %d: serving %s/%d, %s", generation, name, version, digest)


def _records(settings: "Settings") -> str:
    if settings.records == "off":
        return "none are kept"
    # Importing the records takes time that a service without them does not need to spend.
    from app.records.address import database_at, url_of

    return database_at(url_of(settings.records_url, settings.state)).name


def _told(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        log.critical("ended by an unexpected error: %s", locate_error(error))


def _told_of_thread(caught: threading.ExceptHookArgs) -> None:
    if caught.exc_value is not None:
        log.critical("a thread ended by an unexpected error: %s", locate_error(caught.exc_value))
