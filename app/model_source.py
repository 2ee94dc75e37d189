"""Where the bundle of each model of a service is."""

from dataclasses import dataclass

from app.settings import Settings


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
