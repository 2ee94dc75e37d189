"""Compares `/v2`, the Open Inference Protocol, with `/predict/mc` of the same service.

`make bench ONLY=inference`. The shipped network with durable records; JSON of one row at 32
connections, and 64 rows in JSON and as binary data. About five minutes.
"""

import json
import statistics
from dataclasses import dataclass

import numpy as np

from benchmarks.load import Load, load
from benchmarks.report import Bar, Report, publish, spread
from benchmarks.services import MODELS, NAME, NETWORKS, ours, row
from dubito.bundles.repository import find_version
from dubito.bundles.validation.inspection import inspect
from dubito.features import NumberFeature

CONNECTIONS, FEW = 32, 8
ROUNDS, SECONDS = 9, 4
ROWS = 64
ASKED = 0.8
OWN = "/predict/mc?passes=100"
INFER = f"/v2/models/{NAME}/infer"
HEADER = "Inference-Header-Content-Length"


@dataclass(frozen=True, slots=True)
class Form:
    """A way to ask: its address, body and headers."""

    address: str
    body: str | bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two ways to ask the same, and how much of the first one's rate the second must have."""

    name: str
    first: Form
    second: Form
    connections: int
    asked: float


def main() -> None:
    """Measure each pair in turn."""
    version = NETWORKS["shipped"]
    found: dict[str, list[tuple[Load, Load]]] = {}
    pairs = _pairs(json.loads(row(version)))
    with ours(version, "--records", "durable") as service:
        for pair in pairs:
            found[pair.name] = []
            for _ in range(ROUNDS):
                one, two = (
                    load(
                        service.url + form.address,
                        form.body,
                        pair.connections,
                        SECONDS,
                        form.headers,
                    )
                    for form in (pair.first, pair.second)
                )
                found[pair.name].append((one, two))
    publish(_report(pairs, found))


def _pairs(loan: dict[str, float]) -> list[Pair]:
    own = Form(OWN, json.dumps(loan), {})
    many = Form(OWN, json.dumps({"instances": [loan] * ROWS}), {})
    matrix, columns = _matrix(loan, 1), _columns(loan)
    return [
        Pair("one row, a tensor for all features", own, matrix, CONNECTIONS, ASKED),
        Pair("one row, a tensor for each feature", own, columns, CONNECTIONS, ASKED),
        Pair(f"{ROWS} rows, JSON", many, _matrix(loan, ROWS), FEW, ASKED),
        Pair(
            f"{ROWS} rows, binary beside JSON", _matrix(loan, ROWS), _binary(loan, ROWS), FEW, 1.0
        ),
    ]


def _matrix(loan: dict[str, float], rows: int) -> Form:
    """One tensor of all features, in JSON."""
    data = list(loan.values()) * rows
    tensor = {"name": "input", "shape": [rows, len(loan)], "datatype": "FP64", "data": data}
    return Form(INFER, json.dumps({"inputs": [tensor], "parameters": {"passes": 100}}), {})


def _binary(loan: dict[str, float], rows: int) -> Form:
    """One tensor of all features, as tritonclient sends it."""
    data = np.array(list(loan.values()) * rows, np.float64).tobytes()
    tensor = {
        "name": "input",
        "shape": [rows, len(loan)],
        "datatype": "FP64",
        "parameters": {"binary_data_size": len(data)},
    }
    parameters = {"passes": 100, "binary_data_output": True}
    head = json.dumps({"inputs": [tensor], "parameters": parameters}).encode()
    return Form(INFER, head + data, {HEADER: str(len(head))})


def _columns(loan: dict[str, float]) -> Form:
    """Build a tensor for each feature, in JSON, of the datatypes that the metadata has."""
    features = inspect(find_version(MODELS, NAME)).manifest.signature.features
    whole = {one.name: isinstance(one, NumberFeature) and one.is_whole for one in features}
    inputs = [
        {
            "name": name,
            "shape": [1, 1],
            "datatype": "INT64" if whole[name] else "FP64",
            "data": [value],
        }
        for name, value in loan.items()
    ]
    return Form(INFER, json.dumps({"inputs": inputs, "parameters": {"passes": 100}}), {})


def _report(pairs: list[Pair], found: dict[str, list[tuple[Load, Load]]]) -> Report:
    rows, bars = [], []
    for pair in pairs:
        loads = found[pair.name]
        ratios = [two.rate / one.rate for one, two in loads]
        one, two = (
            statistics.median(side.rate for side in both) for both in zip(*loads, strict=True)
        )
        late = statistics.median(two.p99 for _, two in loads)
        figures = f"{one:,.0f} and {two:,.0f}", f"{late * 1e3:.1f} ms"
        asked = f"≥ {pair.asked:g}"
        rows.append((pair.name, str(pair.connections), *figures, spread(ratios), asked))
        bars.append(Bar(pair.name, statistics.median(ratios), pair.asked))
    return Report(
        name="inference",
        title="The Open Inference Protocol",
        how="`/v2` beside `/predict/mc` of the same service, the shipped network with 100 passes "
        f"and durable records, in turn; wrk, {ROUNDS} rounds of {SECONDS} s.",
        head=("what", "connections", "requests a second", "p99 of /v2", "ratio", "asked"),
        rows=tuple(rows),
        figures={
            name: [{"first": one.rate, "second": two.rate} for one, two in loads]
            for name, loads in found.items()
        },
        axis="rate of /v2, of the rate of the other way",
        bars=tuple(bars),
    )


if __name__ == "__main__":
    main()
