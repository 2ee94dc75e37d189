"""Other people's clients of the Open Inference Protocol: the bits of the service's own routes.

Each has an environment of its own, as those have who use it. `make test` asks with tritonclient,
the proof with all.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from dubito.bundles.manifest import Manifest
from dubito.bundles.validation.inspection import inspect
from dubito.features import BooleanFeature, CategoryFeature, NumberFeature
from tests.claims import sample
from tests.inference import Row, check, rows_of
from tests.mixed import mixed_bundle
from tests.service import ROOT, Service, serving

ADDRESS = re.compile(r"gRPC: (127\.0\.0\.1:\d+)")
WAYS = {
    "tritonclient http": ("triton", "http"),
    "tritonclient http.aio": ("triton", "http-aio"),
    "tritonclient grpc": ("triton", "grpc"),
    "tritonclient grpc.aio": ("triton", "grpc-aio"),
    "kserve REST": ("kserve", "rest"),
    "kserve gRPC": ("kserve", "grpc"),
}
SMOKE = ("tritonclient http", "tritonclient grpc")
BUNDLES: dict[str, Callable[[], Path]] = {
    "classes": lambda: ROOT / "models" / "loan-grade" / "5",
    "mixed": mixed_bundle,
    "number": lambda: ROOT / "models" / "loan-rate" / "2",
}
BAD: tuple[dict[str, Any], ...] = (
    {"passes": 0},
    {"passes": "many"},
    {"pases": 3},
    {"coverage": 7.5},
    {"target": 0.123},
)
"""Parameters that are refused."""


@pytest.fixture(scope="module", params=sample(BUNDLES, ("classes",)))
def place(request: pytest.FixtureRequest) -> Path:
    return BUNDLES[request.param]()


@pytest.fixture(scope="module")
def manifest(place: Path) -> Manifest:
    return inspect(place).manifest


@pytest.fixture(scope="module")
def service(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    state = tmp_path_factory.mktemp("state")
    with serving(str(place), "--state", str(state), "--grpc-port", "0") as service:
        yield service


def inputs_of(manifest: Manifest, rows: list[Row], *, is_float32: bool) -> list[dict[str, Any]]:
    """A tensor for each feature; of numbers in FP32, the rows become what that has."""
    found = []
    for at, feature in enumerate(manifest.signature.features):
        values = [row[feature.name] for row in rows]
        has_gaps = None in values
        datatype = "FP64"
        if isinstance(feature, CategoryFeature):
            datatype = "BYTES"
        elif isinstance(feature, BooleanFeature):
            datatype = "FP64" if has_gaps else "BOOL"
        elif isinstance(feature, NumberFeature) and feature.is_whole and not has_gaps:
            datatype = "INT64"
        elif is_float32:
            datatype = "FP32"
            values = [one if one is None else float(np.float32(one)) for one in values]
            for row, value in zip(rows, values, strict=True):
                row[feature.name] = value
        shape = [len(rows), 1] if at % 2 else [len(rows)]
        found.append({"name": feature.name, "shape": shape, "datatype": datatype, "values": values})
    return found


def cases_of(manifest: Manifest, count: int) -> tuple[list[dict[str, Any]], list[Any]]:
    """Cases as the clients read them, and the rows and options of each; None for a bad one."""
    random = np.random.default_rng(23)
    cases: list[dict[str, Any]] = []
    asked: list[Any] = []
    for at in range(count):
        rows = rows_of(manifest.signature, random, int(random.integers(1, 4)))
        inputs = inputs_of(manifest, rows, is_float32=bool(at % 2))
        if at % 10 == 9:
            cases.append({"inputs": inputs, "parameters": BAD[at // 10 % len(BAD)]})
            asked.append(None)
            continue
        passes = manifest.members * int(random.integers(1, 80))
        options = {"seed": at, "passes": passes, "coverage": round(random.uniform(0.6, 0.95), 3)}
        mixed: list[Any] = [lambda one: one, str, float]
        parameters = {
            name: one if name == "coverage" else mixed[(at + len(name)) % 3](one)
            for name, one in options.items()
        }
        cases.append({"inputs": inputs, "parameters": parameters})
        asked.append((rows, options))
    return cases, asked


@pytest.mark.claim("foreign clients", test=40, proof=1_000)
@pytest.mark.parametrize("way", sample(WAYS, SMOKE))
def test_a_client_has_the_bits_of_the_service(
    service: Service, manifest: Manifest, way: str, count: int
) -> None:
    """Mixed seeds, passes and parameters of any type, bad ones among them."""
    environment, kind = WAYS[way]
    grpc = ADDRESS.search(service.written())
    assert grpc is not None
    address = grpc[1] if "grpc" in kind else service.url.removeprefix("http://")
    address = service.url if kind == "rest" else address
    name = manifest.identity.name
    cases, asked = cases_of(manifest, count)
    done = subprocess.run(
        [
            str(ROOT / ".venv" / environment / "bin" / "python"),
            str(ROOT / "tests" / "clients" / f"{environment}.py"),
            *(kind, address, name),
        ],
        input=json.dumps(cases).encode(),
        capture_output=True,
        check=False,
        timeout=1_200,
    )
    assert 0 == done.returncode, done.stderr.decode()[-2_000:]
    answers = json.loads(done.stdout)
    classes = manifest.signature.classes
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        for answer, wanted in zip(answers, asked, strict=True):
            if wanted is None:
                assert answer["status"].lstrip("[").startswith(("400", "StatusCode.INVALID"))
                assert any(word in answer["sentence"] for word in ("must", "is not known"))
                continue
            assert "outputs" in answer, answer
            rows, options = wanted
            body = {"instances": rows}
            found = client.post("/predict/mc", json=body, params=options).raise_for_status()
            told = {key: np.array(value, object) for key, value in answer["outputs"].items()}
            check(told, found.json()["predictions"], classes)
