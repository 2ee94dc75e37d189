"""MLflow's scoring server, one worker; it has no batching. Writes the model that it serves."""

import sys
from typing import Any

import mlflow
import numpy as np
from network import load


class Study(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """The network behind MLflow's generic model."""

    def load_context(self, context: Any) -> None:  # noqa: ARG002 - MLflow's own signature
        """Load it in the worker."""
        self.run = load()

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002
        """All rows of a request at once."""
        return np.concatenate(self.run(model_input), axis=1)


if __name__ == "__main__":
    mlflow.pyfunc.save_model(sys.argv[1], python_model=Study(), pip_requirements=[])
