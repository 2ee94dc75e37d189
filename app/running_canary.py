"""A canary of a service's model, and everything that answers for it."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

from starlette.routing import BaseRoute

from app.bundle_loader import OpenCandidate
from app.http.canary import CanarySplit, CandidateDescription
from app.http.route import LeanRoute
from app.inference.model import OtherVersion
from app.model_service import ModelService
from app.monitoring.prediction_metrics import MONTE_CARLO, PLAIN
from app.serving.users import Users
from app.settings import Settings
from app.usecases.canary import Canary, canary_key


class RunningCanary(NamedTuple):
    """A canary, and everything that answers for it."""

    choice: Canary
    model: ModelService
    stack: AsyncExitStack
    """Closes its bundle."""

    @property
    def other(self) -> OtherVersion:
        """What the Open Inference Protocol knows of it."""
        return OtherVersion(self.choice, self.model.inference)

    def describe(self) -> CandidateDescription:
        """Describe it."""
        identity = self.model.manifest.identity
        return CandidateDescription(
            version=identity.version, digest=identity.digest, share=self.choice.share
        )

    def split(self, routes: Sequence[BaseRoute], users: Users, settings: Settings) -> None:
        """Have the routes of the served version give it its share of the requests."""
        found = (route for router in self.model.routers() for route in router.routes)
        own = {
            one.path: one
            for one in found
            if isinstance(one, LeanRoute) and one.path in (PLAIN, MONTE_CARLO)
        }
        for route in routes:
            if isinstance(route, LeanRoute) and route.path in own:
                route.split = CanarySplit(self.choice, own[route.path], users, settings)


def run_canary(candidate: OpenCandidate, model: ModelService, secret: bytes) -> RunningCanary:
    """Make a canary of an open bundle and what answers for it."""
    identity = candidate.bundle.manifest.identity
    key = canary_key(secret, identity.name, identity.digest)
    choice = Canary(candidate.source.share, key, lambda: model.served.predictor.trouble is None)
    return RunningCanary(choice, model, candidate.stack)
