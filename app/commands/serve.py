"""`dubito serve`: serve a bundle over HTTP."""

import argparse
import logging
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial

from app.commands.settings_flags import add_settings, settings_of
from app.errors import SettingsError
from app.monitoring.multiprocess_dir import keep_none
from app.processes.logs import configure_logs, tell_start
from app.processes.port import bound
from app.server.supervisor import supervise
from app.settings import Settings, unknown_variables
from dubito.bundles.program import read_program
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.cli.reference import add_bundle
from dubito.engine.backends.choice import choose
from dubito.types import Identity

Started = Callable[[Identity], None]

log = logging.getLogger("dubito")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every setting."""
    add_bundle(parser)
    add_settings(parser, tuple(Settings.model_fields))


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Serve until SIGINT, SIGTERM or SIGHUP; accepted requests are answered first."""
    if rest:
        raise SettingsError(f"serve does not know {rest[0]}")
    settings = settings_of(arguments)
    configure_logs(settings)
    for name in unknown_variables(os.environ):
        log.warning("%s is not a setting and is ignored", name)
    settings, told = _pinned(settings)
    _share_threads(settings)
    with bound(settings.host, settings.port) as opened:
        started = partial(tell_start, settings, opened, told)
        if settings.workers > 1:
            supervise(settings, opened, started)
        else:
            _serve(settings, opened, started)
    return 0


def _pinned(settings: Settings) -> tuple[Settings, str]:
    """Pin the settings to the version and digest of the bundle that exists now, and its backend.

    Each process opens the bundle itself, a replaced worker much later, when another bundle may have
    taken its place. Faults that the files alone show are found here, before any process starts.

    Returns:
        The settings, and a clause about the backend for the log.
    """
    folder = find_version(settings.models, settings.model, settings.version)
    inspected = inspect(folder, pinned=settings.digest)
    manifest = inspected.manifest
    chosen = choose(read_program(inspected.checked), settings.backend)
    because = "" if chosen.why is None else f" ({chosen.why})"
    only = {
        "version": manifest.version,
        "digest": manifest.identity.digest,
        "backend": chosen.backend,
    }
    return settings.model_copy(update=only), f"computed by {chosen.backend}{because}"


def _share_threads(settings: Settings) -> None:
    """Limit TensorFlow's threads in each engine, so that all engines share the cores."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, str(settings.threads))


def _serve(settings: Settings, opened: socket.socket, started: Started) -> None:
    """Serve with this process as the only worker."""
    # Imported late: the supervisor of several workers does not need these modules.
    from app.processes.subprocesses import start_children

    keep_none()
    with start_children(settings) as children:
        from app.server.server import serve

        serve(settings, opened, children, started)
