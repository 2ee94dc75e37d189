"""MLServer: adaptive batching, see `model-settings.json`; no worker processes, `settings.json`.

Its worker processes are for models that would block the server; one is all that is compared here.
"""

from typing import Any

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from network import load


class Study(MLModel):
    """The network behind MLServer's model class."""

    run: Any = None

    async def load(self) -> bool:
        """Load it."""
        self.run = load()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """All rows of a batch at once."""
        mean, std = self.run(NumpyCodec.decode_input(payload.inputs[0]))
        outputs = [
            NumpyCodec.encode_output("mean", mean),
            NumpyCodec.encode_output("std", std),
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
