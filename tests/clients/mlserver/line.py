"""A model of MLServer that is a matrix, so that what differs is the server."""

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

WEIGHTS = np.array([[1.0, -1.0], [0.5, 2.0], [-3.0, 0.25]])


class Line(MLModel):
    """The matrix behind MLServer's model class, with its batches."""

    async def load(self) -> bool:
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0])
        output = NumpyCodec.encode_output("y", rows @ WEIGHTS)
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[output])
