"""BentoML service: adaptive batches of up to 64, concurrency as its docs advise, one worker."""

import bentoml
import numpy as np
from network import load


@bentoml.service(
    workers=1, traffic={"concurrency": 64, "timeout": 60}, logging={"access": {"enabled": False}}
)
class Study:
    """Network behind a batchable API."""

    def __init__(self) -> None:
        """Load the network in the worker."""
        self.run = load()

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000)
    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Predict all rows of a batch at once: mean and standard deviation side by side."""
        return np.concatenate(self.run(rows), axis=1)
