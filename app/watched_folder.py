"""The folder of bundles, looked at from time to time for what was published or replaced.

It is looked at rather than watched by the kernel, which says nothing of what another machine writes
into a folder of the network.
"""

from collections.abc import Iterator, Mapping

from app.settings import Settings
from dubito.bundles.repository import find_version
from dubito.errors import BundleError

WATCH_SECONDS = 2.0
"""Seconds between two looks."""

Look = tuple[str, ...]
"""Version of a bundle, and the names, sizes and times of its files."""


class WatchedFolder:
    """The bundles that the settings name, as they were when they were last loaded."""

    def __init__(self, settings: Settings, served: Mapping[str, int]) -> None:
        """Look for the first time.

        Args:
            settings: the settings.
            served: versions that are served, by name.
        """
        self._models = settings.for_each_model()
        looks = {one.model: _look(one) for one in self._models}
        self._last = {name: look for name, look in looks.items() if look is not None}
        self._told = {
            name: look for name, look in self._last.items() if look[0] == str(served.get(name))
        }

    def changed(self) -> Iterator[str]:
        """Yield the models whose bundle is another one, and has been still since the last look.

        A bundle that cannot be served is told once, and again when its files are others.

        Yields:
            Names of models.
        """
        for settings in self._models:
            name, look = settings.model, _look(settings)
            if look is not None and look == self._last.get(name) != self._told.get(name):
                self._told[name] = look
                yield name
            if look is not None:
                self._last[name] = look


def _look(settings: Settings) -> Look | None:
    """Look at the bundle that the settings name; None if there is none that can be read."""
    try:
        folder = find_version(settings.models, settings.model, settings.version)
        found = sorted((file.name, file.stat()) for file in folder.iterdir())
    except (BundleError, OSError):
        return None
    files = (f"{name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}" for name, stat in found)
    return (folder.name, *files)
