"""The bundle of a model as its files are now: which version, content and backend it has."""

from dataclasses import replace
from typing import NamedTuple

from app.checked_bundle import CheckedBundle
from app.model_source import ModelSource
from dubito.bundles.program import read_programs
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.engine.backends.choice import choose


class PinnedModel(NamedTuple):
    """The bundle of a model as it is now, and what is known of it."""

    source: ModelSource
    computed: str
    """Clause about the backend for the log; empty if the bundle must not be served."""
    checked: CheckedBundle


def pin_model(source: ModelSource) -> PinnedModel:
    """Pin a model to the version and digest of the bundle that exists now, and its backend.

    Raises:
        BundleError: its files alone show that it must not be served.
    """
    settings = source.settings
    folder = find_version(settings.models, settings.model, settings.version)
    inspected = inspect(folder, pinned=settings.digest)
    manifest = inspected.manifest
    chosen = choose(read_programs(inspected.checked), settings.backend)
    because = "" if chosen.why is None else f" ({chosen.why})"
    only = {
        "version": manifest.version,
        "digest": manifest.identity.digest,
        "backend": chosen.backend,
    }
    pinned = replace(source, settings=settings.model_copy(update=only))
    return PinnedModel(pinned, f"computed by {chosen.backend}{because}", CheckedBundle(inspected))
