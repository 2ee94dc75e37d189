"""Triton Inference Server by PyTriton: dynamic batches of up to 64, the function in this process.

Its server runs a program that is linked to Python's shared library, which must be that of the
environment: `LD_LIBRARY_PATH` names its folder.
"""

import sys
from typing import Any

import numpy as np
from network import load
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

CLASSES, FEATURES = 7, 9


def main(http: int, grpc: int, metrics: int) -> None:
    """Serve until told to stop."""
    run = load()

    @batch
    def infer(rows: Any) -> list[Any]:
        mean, std = run(rows)
        return [np.asarray(mean), np.asarray(std)]

    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=http,
        grpc_address="127.0.0.1",
        grpc_port=grpc,
        metrics_address="127.0.0.1",
        metrics_port=metrics,
        log_verbose=0,
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="study",
            infer_func=infer,
            inputs=[Tensor(name="rows", dtype=np.float32, shape=(FEATURES,))],
            outputs=[
                Tensor(name="mean", dtype=np.float32, shape=(CLASSES,)),
                Tensor(name="std", dtype=np.float32, shape=(CLASSES,)),
            ],
            config=ModelConfig(
                max_batch_size=64, batcher=DynamicBatcher(max_queue_delay_microseconds=100)
            ),
        )
        triton.serve()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
