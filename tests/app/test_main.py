"""The application under plain uvicorn, without `dubito serve`."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.service import ROOT, ended, environment, serving, until

BODY = json.dumps(
    example(inspect(ROOT / "models" / "loan-grade" / "1").manifest.signature)
).encode()


def asked(url: str) -> dict[str, object]:
    """The answer to one row, without its identifier."""
    request = urllib.request.Request(
        f"{url}/predict/mc?passes=20&seed=7", BODY, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: dict[str, object] = json.loads(answer.read())
    del content["id"]
    return content


@pytest.mark.parametrize("http", ["httptools", "h11"])
def test_plain_uvicorn_serves_the_same(tmp_path: Path, http: str) -> None:
    """`uvicorn --factory app.main:from_environment` gives the answers of `dubito serve`."""
    log = tmp_path / "log"
    told = {"DUBITO_VERSION": "1", "DUBITO_STATE": str(tmp_path / "var")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "--factory", "app.main:from_environment"),
                *("--port", "0", "--http", http),
            ],
            cwd=ROOT,
            env=environment(told),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: b"Uvicorn running on" in log.read_bytes())
        url = log.read_text().partition("running on ")[2].partition(" ")[0]
        found = asked(url)
    finally:
        ended(process)
    with serving("loan-grade/1", "--records", "off") as service:
        assert asked(service.url) == found
