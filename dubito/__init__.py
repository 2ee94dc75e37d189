"""Public API of Dubito: Monte-Carlo-dropout predictions with their uncertainty.

    import dubito

    bundle = dubito.load("models/loan-grade/5")
    prediction = bundle.predict_mc(rows, passes=100, seed=42)
    prediction.mean, prediction.std, prediction.judgement

Importing this package imports nothing else: a public name's module is imported on first access, so
that `import dubito` does not take the seconds that Keras needs. It sets one variable for
TensorFlow, unless that is set: programs compute in the same numerical environment as the service.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.4.0"

# Read by TensorFlow when it is imported: oneDNN picks its arithmetic by processor and shape.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

if TYPE_CHECKING:
    from dubito.bundle import Bundle, load
    from dubito.client.answers import frame_of
    from dubito.client.asynchronous import AsyncClient
    from dubito.client.client import Client
    from dubito.client.problem import RequestRefused, RequestUnanswered
    from dubito.errors import (
        BundleError,
        DataError,
        DubitoError,
        InvalidInput,
        NetworkError,
        Ungradable,
        UsageError,
    )
    from dubito.estimators import DubitoClassifier, DubitoRegressor
    from dubito.layers import (
        Impute,
        MCAlphaDropout,
        MCDropout,
        MCGaussianDropout,
        MCGaussianNoise,
        MCSpatialDropout1D,
    )
    from dubito.prediction import MonteCarloPrediction, PlainPrediction
    from dubito.targets import ClassTarget, NumberTarget
    from dubito.training.convert import Conversion, convert
    from dubito.training.evaluation.run import Evaluation, evaluate
    from dubito.types import (
        Calibration,
        Decision,
        NumberCalibration,
        PredictionSets,
        Summary,
    )
    from dubito.uncertainty.conformal import prediction_sets
    from dubito.uncertainty.decision import decide
    from dubito.uncertainty.decomposition import summarise
    from dubito.uncertainty.intervals import Intervals, IntervalTables, NumberEstimate

_MODULES = {
    "Bundle": "dubito.bundle",
    "load": "dubito.bundle",
    "Client": "dubito.client.client",
    "AsyncClient": "dubito.client.asynchronous",
    "frame_of": "dubito.client.answers",
    "RequestRefused": "dubito.client.problem",
    "RequestUnanswered": "dubito.client.problem",
    "PlainPrediction": "dubito.prediction",
    "MonteCarloPrediction": "dubito.prediction",
    "ClassTarget": "dubito.targets",
    "NumberTarget": "dubito.targets",
    "Calibration": "dubito.types",
    "NumberCalibration": "dubito.types",
    "Decision": "dubito.types",
    "PredictionSets": "dubito.types",
    "Summary": "dubito.types",
    "summarise": "dubito.uncertainty.decomposition",
    "prediction_sets": "dubito.uncertainty.conformal",
    "decide": "dubito.uncertainty.decision",
    "NumberEstimate": "dubito.uncertainty.intervals",
    "IntervalTables": "dubito.uncertainty.intervals",
    "Intervals": "dubito.uncertainty.intervals",
    "Conversion": "dubito.training.convert",
    "convert": "dubito.training.convert",
    "Evaluation": "dubito.training.evaluation.run",
    "evaluate": "dubito.training.evaluation.run",
    "Impute": "dubito.layers",
    "MCAlphaDropout": "dubito.layers",
    "MCDropout": "dubito.layers",
    "MCGaussianDropout": "dubito.layers",
    "MCGaussianNoise": "dubito.layers",
    "MCSpatialDropout1D": "dubito.layers",
    "DubitoClassifier": "dubito.estimators",
    "DubitoRegressor": "dubito.estimators",
    "BundleError": "dubito.errors",
    "DataError": "dubito.errors",
    "DubitoError": "dubito.errors",
    "InvalidInput": "dubito.errors",
    "NetworkError": "dubito.errors",
    "Ungradable": "dubito.errors",
    "UsageError": "dubito.errors",
}
"""Public names, each with the module that defines it."""

__all__ = [
    "AsyncClient",
    "Bundle",
    "BundleError",
    "Calibration",
    "ClassTarget",
    "Client",
    "Conversion",
    "DataError",
    "Decision",
    "DubitoClassifier",
    "DubitoError",
    "DubitoRegressor",
    "Evaluation",
    "Impute",
    "IntervalTables",
    "Intervals",
    "InvalidInput",
    "MCAlphaDropout",
    "MCDropout",
    "MCGaussianDropout",
    "MCGaussianNoise",
    "MCSpatialDropout1D",
    "MonteCarloPrediction",
    "NetworkError",
    "NumberCalibration",
    "NumberEstimate",
    "NumberTarget",
    "PlainPrediction",
    "PredictionSets",
    "RequestRefused",
    "RequestUnanswered",
    "Summary",
    "Ungradable",
    "UsageError",
    "__version__",
    "convert",
    "decide",
    "evaluate",
    "frame_of",
    "load",
    "prediction_sets",
    "summarise",
]


def __getattr__(name: str) -> object:
    """Import a public name on first access.

    Raises:
        AttributeError: the name is not public.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
