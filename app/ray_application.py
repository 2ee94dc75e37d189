"""Dubito as an application of Ray Serve, configured by the `DUBITO_*` variables of its replicas.

`serve run app.ray_application:application`, or a file such as `deploy/ray/serve.yaml`.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from httpx import ASGITransport, AsyncClient
from ray import serve

from app.main import create_app
from app.records.key import path_of
from app.settings import read_settings

LIVE = "http://127.0.0.1/health/live"
HTTP_OK = 200


@serve.deployment(
    # A replica computes on one processor: more wait in its queue, whose length is the figure that
    # replicas are added by.
    autoscaling_config={"min_replicas": 1, "max_replicas": 8, "target_ongoing_requests": 8},
    max_ongoing_requests=64,
    health_check_period_s=10,
    graceful_shutdown_timeout_s=60,
    ray_actor_options={"num_cpus": 1},
)
@serve.ingress()
class Dubito:
    """A replica: a whole service in one process, that shares its records with the others."""

    def __serve_build_asgi_app__(self) -> Any:
        """Create the service of this replica; Ray Serve runs its start and its end."""
        # Only the records outlive a replica, and they are in PostgreSQL.
        self._state = TemporaryDirectory(prefix="dubito-")
        self._app = create_app(read_settings(_variables(self._state.name), {}))
        return self._app

    async def check_health(self) -> None:
        """Raise an error if the service does not answer, whereupon Ray Serve replaces the replica.

        A database that is away is not cured by that: requests are refused with 503 meanwhile.
        """
        async with AsyncClient(transport=ASGITransport(self._app)) as client:
            answer = await client.get(LIVE)
        if answer.status_code != HTTP_OK:
            raise RuntimeError(f"no sign of life: {answer.status_code}")


def _variables(state: str) -> dict[str, str]:
    """Return the variables, with a folder for the state of this replica alone."""
    given = dict(os.environ)
    key = path_of(None, Path(given.get("DUBITO_STATE", "var")))
    given.setdefault("DUBITO_RECORDS_KEY_FILE", str(key))
    return {**given, "DUBITO_STATE": state}


application = Dubito.bind()  # type: ignore[attr-defined]
