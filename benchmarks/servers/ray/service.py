"""Ray Serve deployment: dynamic batches of up to 64, one replica, proxy on this machine only."""

import logging
import os
import signal
import sys
from typing import Any

import numpy as np
import ray
from ray import serve
from starlette.requests import Request

WAIT_SECONDS = 0.002


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 1})
class Study:
    """Network behind a batched method."""

    def __init__(self) -> None:
        """Load the network in the replica."""
        from network import load  # the driver does without TensorFlow

        self.run = load()

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=WAIT_SECONDS)
    async def predict(self, rows: list[Any]) -> list[Any]:
        """Predict all rows of a batch at once."""
        mean, std = self.run(np.stack(rows))
        return [
            {"mean": one, "std": two} for one, two in zip(mean.tolist(), std.tolist(), strict=True)
        ]

    async def __call__(self, request: Request) -> Any:
        """Predict the row of one request."""
        return await self.predict(np.asarray((await request.json())["row"]))


if __name__ == "__main__":
    environment = {"env_vars": {name: os.environ[name] for name in ("PEERS_NETWORK", "PYTHONPATH")}}
    ray.init(runtime_env=environment, include_dashboard=False, logging_level=logging.ERROR)
    quiet = {"enable_access_log": False, "log_level": "ERROR"}
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])}, logging_config=quiet)
    serve.run(Study.bind(), logging_config=quiet)
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    serve.shutdown()
    ray.shutdown()
