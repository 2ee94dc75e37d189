"""Where the bundles of a service are: those of its models, and the candidates beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.settings import Settings

Role = Literal["served", "canary", "shadow"]
"""Purpose of a bundle: to answer, to answer a share of the requests, or to compute what another has
answered."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A bundle that is to be opened for a model."""

    settings: Settings
    """The settings of the service, whose model, version and digest are this one's alone."""
    fault: str | None = None
    """Why it must not be served, a sentence; None if its files show no fault."""
    role: Role = "served"
    share: float = 1.0
    """Part of the requests that a candidate gets."""


def model_sources(settings: Settings) -> list[ModelSource]:
    """Return the sources of all models and then of the candidates; nobody has checked them yet."""
    found = [ModelSource(one) for one in settings.for_each_model()]
    canaries = settings.for_each_candidate("canary")
    found += [ModelSource(one, None, "canary", share) for one, share in canaries]
    shadows = settings.for_each_candidate("shadow")
    return found + [ModelSource(one, None, "shadow", share) for one, share in shadows]


def of_role(sources: Sequence[ModelSource], *roles: Role) -> list[ModelSource]:
    """Return the sources of some roles."""
    return [one for one in sources if one.role in roles]
