"""LitServe service: batches of up to 64, its faster queue, one worker and one API server.

Its guide to batching asks for `max_batch_size` and `batch_timeout`; with a timeout of 0 a batch is
the requests already queued, so that a single request is not delayed.
"""

import sys
from typing import Any

import litserve
import numpy as np
from network import load


class Study(litserve.LitAPI):
    """Network behind LitServe's four steps."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's own signature
        """Load the network in the worker."""
        self.run = load()

    def decode_request(self, request: dict[str, Any]) -> Any:
        """Decode the row of a request."""
        return np.asarray(request["row"])

    def predict(self, rows: Any) -> Any:
        """Predict all rows of a batch at once."""
        mean, std = self.run(rows)
        return np.stack([mean, std], axis=1)

    def encode_response(self, output: Any) -> dict[str, Any]:
        """Encode the response to one request."""
        mean, std = output.tolist()
        return {"mean": mean, "std": std}


if __name__ == "__main__":
    server = litserve.LitServer(
        Study(max_batch_size=64, batch_timeout=0.0),
        accelerator="cpu",
        workers_per_device=1,
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
    )
