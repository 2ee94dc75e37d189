"""`dubito serve`: serve bundles over HTTP."""

import argparse
import gc
import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from app.checked_bundle import CheckedBundle
from app.commands.settings_flags import add_settings, settings_of
from app.errors import SettingsError
from app.model_source import model_sources, of_role
from app.monitoring.multiprocess_dir import keep_none
from app.pinned_model import PinnedModel, pin_model
from app.processes.logs import configure_logs, tell_start
from app.processes.port import Started, bound
from app.server.supervisor import supervise
from app.settings import Settings, unknown_variables
from dubito.cli.reference import add_bundle
from dubito.errors import BundleError

log = logging.getLogger("dubito")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every setting."""
    add_bundle(parser)
    add_settings(parser, tuple(Settings.model_fields))


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Serve until SIGINT or SIGTERM; accepted requests are answered first."""
    if rest:
        raise SettingsError(f"serve does not know {rest[0]}")
    settings = settings_of(arguments)
    configure_logs(log_requests=settings.log_requests)
    for name in unknown_variables(os.environ):
        log.warning("%s is not a setting and is ignored", name)
    _share_threads(settings)
    if settings.workers > 1:
        _supervise(settings)
        return 0
    # What a start makes stays, so that looking for garbage in it finds none.
    gc.disable()
    try:
        _serve(settings)
    finally:
        gc.enable()
    return 0


def _pinned(settings: Settings) -> list[PinnedModel]:
    """Pin each model to the version and digest of the bundle that exists now, and its backend.

    Several workers open the bundles themselves, a replaced one much later, when another bundle may
    have taken its place. Faults that the files alone show are found here, before records are
    opened.

    Raises:
        BundleError: a bundle must not be served, or none of several may be.
    """
    found, faults = list[PinnedModel](), list[BundleError]()
    sources = model_sources(settings)
    models = len(of_role(sources, "served"))
    for one in sources:
        try:
            found.append(pin_model(one))
        except BundleError as error:
            faults.append(error)
            if settings.strict_start or (one.role == "served" and len(faults) == models):
                for fault in faults[:-1]:
                    log.error("%s", fault)  # noqa: TRY400 - the sentence says all
                raise
            found.append(PinnedModel(replace(one, fault=str(error)), "", CheckedBundle()))
    return found


def _teller(settings: Settings, opened: socket.socket, models: Sequence[PinnedModel]) -> Started:
    """Return the function that logs the start."""
    served = [one for one in models if one.source.role == "served"]
    return partial(
        tell_start, settings, opened, {one.source.settings.model: one.computed for one in served}
    )


def _share_threads(settings: Settings) -> None:
    """Limit TensorFlow's threads in each engine, so that all engines share the cores."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, str(settings.threads))


def _supervise(settings: Settings) -> None:
    """Serve with workers in processes of their own."""
    models = _pinned(settings)
    with bound(settings.host, settings.port) as opened:
        sources = [one.source for one in models]
        supervise(settings, sources, opened, _teller(settings, opened, models))


def _serve(settings: Settings) -> None:
    """Serve with this process as the only worker."""
    # Imported late: the supervisor of several workers does not need these modules.
    from app.processes.subprocesses import early_recorder, start_children

    keep_none()
    with early_recorder(settings) as recorder:
        models = _pinned(settings)
        sources = [one.source for one in models]
        with (
            bound(settings.host, settings.port) as opened,
            start_children(settings, sources, recorder) as children,
        ):
            from app.server.server import serve

            started = _teller(settings, opened, models)
            checked = {
                one.source.settings.model: one.checked
                for one in models
                if one.source.role == "served"
            }
            serve(settings, sources, opened, children, started, checked)
