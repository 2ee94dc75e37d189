"""MLServer runtime: adaptive batches (`model-settings.json`), no workers (`settings.json`).

Its worker processes are for models that would block the server; only one process is compared here.
"""

from typing import Any

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from network import load


class Study(MLModel):
    """Network behind MLServer's model class."""

    run: Any = None

    async def load(self) -> bool:
        """Load the network."""
        self.run = load()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Predict all rows of a batch at once."""
        mean, std = self.run(NumpyCodec.decode_input(payload.inputs[0]))
        outputs = [
            NumpyCodec.encode_output("mean", mean),
            NumpyCodec.encode_output("std", std),
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
