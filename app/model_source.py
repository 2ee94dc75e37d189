"""Where the bundle of each model of a service is, and the opening of all of them."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from app.bundle_loader import LoadedBundle, Opening
from app.errors import StartError
from app.settings import Settings
from dubito.errors import BundleError

log = logging.getLogger("dubito")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """The bundle that is to answer for a model."""

    settings: Settings
    """The settings of the service, whose model, version and digest are this one's alone."""
    fault: str | None = None
    """Why it must not be served, a sentence; None if its files show no fault."""


def model_sources(settings: Settings) -> list[ModelSource]:
    """Return the sources of all models, which nobody has checked yet."""
    return [ModelSource(one) for one in settings.for_each_model()]


@asynccontextmanager
async def open_models(
    sources: Sequence[ModelSource], opening: Opening
) -> AsyncIterator[dict[str, LoadedBundle | str]]:
    """Open the bundles of all models for the duration of the block.

    Yields:
        Each model's bundle by name or, without a strict start, why it has none.

    Raises:
        BundleError: a bundle must not be served, or none of several can be.
        StartError: the same, found by its engine.
    """
    found: dict[str, LoadedBundle | str] = {}
    async with AsyncExitStack() as stack:
        for source in sources:
            name = source.settings.model
            try:
                found[name] = await _opened(stack, source, opening)
            except (BundleError, StartError) as error:
                if source.settings.strict_start or len(sources) == 1:
                    raise
                log.error("%s is not served: %s", name, error)  # noqa: TRY400 - the sentence says all
                found[name] = str(error)
        if all(isinstance(one, str) for one in found.values()):
            raise StartError("no model can be served: the log says why")
        yield found


async def _opened(stack: AsyncExitStack, source: ModelSource, opening: Opening) -> LoadedBundle:
    if source.fault is not None:
        raise BundleError(source.fault)
    return await stack.enter_async_context(opening(source.settings))
