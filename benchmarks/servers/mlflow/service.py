"""MLflow model for its scoring server, which has one worker and no batching; writes the model."""

import sys
from typing import Any

import mlflow
import numpy as np
from network import load


class Study(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Network behind MLflow's generic model."""

    def load_context(self, context: Any) -> None:  # noqa: ARG002 - MLflow's own signature
        """Load the network in the worker."""
        self.run = load()

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002
        """Predict all rows of a request at once."""
        return np.concatenate(self.run(model_input), axis=1)


if __name__ == "__main__":
    mlflow.pyfunc.save_model(sys.argv[1], python_model=Study(), pip_requirements=[])
