"""Dubito as an application of Ray Serve, configured by the `DUBITO_*` variables of its replicas.

`serve run application:application` in this folder, or a config file such as `serve.yaml` beside it.
"""

import os
from pathlib import Path
from typing import Any

from httpx import ASGITransport, AsyncClient
from ray import serve

from app.main import create_app
from app.settings import read_settings

READY = "http://127.0.0.1/health/ready"
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
        self._app = create_app(read_settings(_variables(), {}))
        return self._app

    async def check_health(self) -> None:
        """Raise an error if the service cannot answer, whereupon Ray Serve replaces the replica."""
        async with AsyncClient(transport=ASGITransport(self._app)) as client:
            answer = await client.get(READY)
        if answer.status_code != HTTP_OK:
            raise RuntimeError(f"not ready: {answer.status_code}")


def _variables() -> dict[str, str]:
    """Return the variables, with a folder for the state of each replica of a machine."""
    given = dict(os.environ)
    state = Path(given.get("DUBITO_STATE", "var"))
    given.setdefault("DUBITO_RECORDS_KEY_FILE", str(state / "records.key"))
    given["DUBITO_STATE"] = str(state / serve.get_replica_context().replica_id.unique_id)
    return given


application = Dubito.bind()
