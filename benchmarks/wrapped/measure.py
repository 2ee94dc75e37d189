"""Measures the seconds of a call of the same weights in torch, under each library's wrapper.

Run by `benchmarks.libraries` in a separate environment, with a file of weights and rows. Each line
of its input names a library and a number of rows; its output is a line of JSON for each.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from baal.bayesian.dropout import MCDropoutModule
from baal.modelwrapper import ModelWrapper, TrainingArgs
from torch import nn
from torch_uncertainty.methods import mc_dropout

LEAST_SECONDS = 0.1
"""Least duration of a measurement in seconds, for which a call is repeated."""


def network(weights: Any) -> nn.Module:
    """Build the study's network: dropout before each of three dense layers."""
    rate, layers = float(weights["rate"]), []
    count = sum(name.startswith("kernel") for name in weights.files)
    for at in range(count):
        kernel = torch.from_numpy(weights[f"kernel{at}"])
        dense = nn.Linear(*kernel.shape)
        dense.weight.data, dense.bias.data = kernel.T, torch.from_numpy(weights[f"bias{at}"])
        layers += [nn.Dropout(rate), dense, nn.ReLU() if at < count - 1 else nn.Softmax(-1)]
    return nn.Sequential(*layers)


def ways(weights: Any, passes: int) -> dict[str, Callable[[Any], Any]]:
    """Return functions from rows to draws `(passes, rows, classes)`, each library's fastest way."""
    plain = network(weights).train()
    wrapped = mc_dropout(network(weights), num_estimators=passes, on_batch=True).eval()
    arguments = TrainingArgs(use_cuda=False, replicate_in_memory=True)
    active = ModelWrapper(MCDropoutModule(network(weights)), arguments)
    active.eval()
    return {
        "torch": lambda rows: plain(rows.repeat(passes, 1)).view(passes, len(rows), -1),
        "torch-uncertainty": lambda rows: wrapped(rows).view(passes, len(rows), -1),
        "baal": lambda rows: active.predict_on_batch(rows, passes).permute(2, 0, 1),
    }


def main() -> None:
    """Measure what each input line names, until the input ends."""
    given = np.load(sys.argv[1])
    every = torch.from_numpy(given["rows"])
    known = ways(given, int(given["passes"]))
    with torch.inference_mode():
        for line in sys.stdin:
            name, size = line.split()
            rows, start, calls = every[: int(size)], time.perf_counter(), 0
            while time.perf_counter() - start < LEAST_SECONDS:
                draws = known[name](rows)
                mean, std = draws.mean(0), draws.std(0, correction=0)
                calls += 1
            seconds = (time.perf_counter() - start) / calls
            found = {"seconds": seconds, "mean": mean[0].tolist(), "std": std[0].tolist()}
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
