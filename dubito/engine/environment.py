"""The numerical environment: all that an answer's bits depend on, apart from the bundle."""

import hashlib
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import rfc8785
from threadpoolctl import threadpool_info

from dubito.engine.backends.native.engine import NativeEngine
from dubito.engine.blocks import PASSES
from dubito.types import Environment

FLAGS = (
    "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
"""Environment variables that change arithmetic."""


def environment(path: str) -> Environment:
    """Describe this process' environment for an engine whose backend is named `path`.

    The bits of the native backend depend on nothing but its version.
    """
    if path == NativeEngine.path:
        return _fingerprinted({"engine": path})
    facts = {
        "keras": version("keras"),
        "tensorflow": tensorflow_version(),
        "numpy": np.__version__,
        "machine": f"{platform.machine()} {sys.byteorder}-endian",
        "instructions": " ".join(_instructions()),
        "blas": " ".join(sorted(_blas())),
        "engine": f"{path}, blocks of {PASSES}",
        "flags": " ".join(f"{name}={os.environ[name]}" for name in FLAGS if name in os.environ),
    }
    return _fingerprinted(facts)


def _fingerprinted(facts: dict[str, str]) -> Environment:
    digest = hashlib.sha256(rfc8785.dumps(dict(facts))).hexdigest()
    return Environment(f"sha256:{digest}", facts)


def _instructions() -> list[str]:
    """List the instruction sets that NumPy found and uses."""
    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    return [*extensions["baseline"], *extensions.get("found", ())]


def _blas() -> list[str]:
    """List the BLAS that NumPy calls; copies brought by other libraries play no part."""
    loaded = [library for library in threadpool_info() if library["user_api"] == "blas"]
    own = [library for library in loaded if "numpy" in library["filepath"]]
    return [
        f"{library['internal_api']}-{library['version']}-{library.get('architecture', '')}"
        for library in own or loaded
    ]


def tensorflow_version() -> str:
    """Return the version of TensorFlow, which is installed under one of two names."""
    try:
        return version("tensorflow-cpu")
    except PackageNotFoundError:
        return version("tensorflow")
