"""The folder of bundles, as the protocol's extension `model_repository` shows it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from app.errors import Conflict, NotFound
from app.inference.model import ServedModels
from app.problem_codes import ProblemCode
from dubito.bundles.repository import versions
from dubito.errors import Fault, FieldCode, InvalidInput


def no_parameters() -> InvalidInput:
    """Create the error about a load that would change a bundle: published ones never change."""
    message = "are not taken: a bundle is loaded as it was published"
    return InvalidInput([Fault(("parameters",), FieldCode.UNKNOWN, message)])


Loads = Callable[[str], Awaitable[None]]
"""Function that loads the bundle of a model anew."""
READY, UNAVAILABLE = "READY", "UNAVAILABLE"


class RepositoryEntry(NamedTuple):
    """One version of a bundle."""

    name: str
    version: str
    state: str
    reason: str


class Repository:
    """The bundles that there are, and which of them are served."""

    def __init__(
        self,
        folder: Path,
        models: ServedModels,
        loads: Loads,
        pinned: Mapping[str, int | None],
    ) -> None:
        """Set the folder and the served models.

        Args:
            folder: the folder.
            models: the models that are served.
            loads: loads a model anew.
            pinned: version that the settings name for each model; None for the highest.
        """
        self._folder = folder
        self._models = models
        self._loads = loads
        self._pinned = pinned

    async def index(self, *, ready: bool = False) -> list[RepositoryEntry]:
        """List the versions of all bundles, only those that are served if `ready`."""
        found = await asyncio.to_thread(self._entries)
        return [entry for entry in found if entry.state == READY or not ready]

    async def load(self, name: str) -> None:
        """Serve a model's bundle as its files are now, in the version that the settings name.

        Raises:
            NotFound: there is no bundle of this name.
            Conflict: it is none of this service's models, or its bundle must not be served.
        """
        if name not in self._models.by_name and name not in self._models.unserved:
            await self._check_served(name)
        await self._loads(name)

    async def unload(self, name: str) -> None:
        """Refuse to end a model: a service serves those that its settings name.

        Raises:
            NotFound: there is no bundle of this name.
            Conflict: it is, or is not, served.
        """
        await self._check_served(name)
        sentence = "a model that the service was started with is not unloaded"
        raise Conflict(ProblemCode.NOT_UNLOADED, sentence)

    async def _check_served(self, name: str) -> None:
        entries = [entry for entry in await self.index() if entry.name == name]
        if not entries:
            raise NotFound(ProblemCode.NO_SUCH_MODEL, "there is no bundle of this name")
        if not any(entry.state == READY for entry in entries):
            sentence = "this bundle is not one that the service was started with (DUBITO_MODEL)"
            raise Conflict(ProblemCode.NOT_LOADED, sentence)

    def _entries(self) -> list[RepositoryEntry]:
        return list(self._listed())

    def _listed(self) -> Iterator[RepositoryEntry]:
        served = {(model.name, model.version): model for model in self._models.served}
        there = [(name, str(one)) for name in self._names() for one in versions(self._folder, name)]
        tried = {name: str(self._pinned[name] or "") for name in self._models.unserved}
        for name, version in there:
            if name in tried and self._pinned[name] is None:
                # Versions are listed in ascending order, and the highest was tried.
                tried[name] = version
        for name, version in dict.fromkeys([*there, *served, *tried.items()]):
            model = served.get((name, version))
            reason = "" if model is None else model.readiness.reason or ""
            is_ready = model is not None and not reason
            if tried.get(name) == version:
                reason = self._models.unserved[name]
            yield RepositoryEntry(name, version, READY if is_ready else UNAVAILABLE, reason)

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self._folder.iterdir() if path.is_dir())
        except OSError:
            # What is served is served, whether its folder can be read or not.
            return []
