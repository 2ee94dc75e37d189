"""`dubito conformance` of another server: MLServer 1.7.1, in an environment of its own."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.service import ROOT, command_here, ended, free_port, until

MODEL = ROOT / "tests" / "clients" / "mlserver"
PROGRAM = ROOT / ".venv" / "mlserver" / "bin" / "mlserver"
DIFFERENCES = frozenset(
    {
        "any-media-type",
        "broken-body",
        "callers-fault",
        "compressed-body",
        "deep-body",
        "element-of-another-kind",
        "error-media-type",
        "health-in-json",
        "huge-shape",
        "input-twice",
        "no-get",
        "no-inputs",
        "no-such-output",
        "no-such-path",
        "same-id",
        "too-few-elements",
        "too-many-elements",
        "trailing-slash",
        "unknown-datatype",
        "unknown-input",
        "wrong-datatype",
        "wrong-shape",
    }
)
"""Checks that it does not meet."""


@pytest.fixture
def mlserver(tmp_path: Path) -> Iterator[str]:
    """Its address, with a model whose tensors are declared."""
    port = free_port()
    ports = {"HTTP": port, "GRPC": free_port(), "METRICS": free_port()}
    variables = {f"MLSERVER_{name}_PORT": str(one) for name, one in ports.items()}
    url = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        assert process.poll() is None
        try:
            return httpx.get(f"{url}/v2/health/ready", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(PROGRAM), "start", str(MODEL)],
            env={**os.environ, **variables, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=log,
            stderr=log,
        )
    try:
        until(is_ready)
        yield url
    finally:
        ended(process)


@pytest.mark.claim("conformance", test=0, proof=1)
def test_what_mlserver_does_otherwise_is_listed(
    mlserver: str, count: int, record_property: Callable[[str, object], None]
) -> None:
    """The checks that MLServer 1.7.1 does not meet, as the page about conformance names them."""
    done = command_here("conformance", mlserver, "--json")
    told = json.loads(done.stdout)
    found = {one["check"] for one in told if one["outcome"] == "differs"}
    assert 1 == done.returncode
    assert found == DIFFERENCES
    met = sum(one["outcome"] == "met" for one in told)
    record_property("figure", f"{met} checks met, {len(found)} not: {', '.join(sorted(found))}")


def test_the_page_lists_them() -> None:
    """Each of MLServer's differences has a line on the page."""
    page = (ROOT / "docs" / "how-to" / "conformance.md").read_text()
    assert [] == [name for name in sorted(DIFFERENCES) if f"`{name}`" not in page]
