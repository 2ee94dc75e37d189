"""Closed-loop load generator: wrk (Debian package wrk), which keeps connections busy."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
SCRIPT = """wrk.method = "POST"
wrk.body = io.open("{body}", "rb"):read("*a")
wrk.headers["Content-Type"] = "application/json"
"""


@dataclass(frozen=True, slots=True)
class Load:
    """Throughput and latency of a service under load."""

    rate: float
    """Requests per second."""
    p50: float
    """Median latency in seconds."""
    p99: float
    """99% quantile of latency in seconds."""


def load(
    url: str,
    body: str | bytes,
    connections: int,
    seconds: int,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """Post a body repeatedly over a number of connections, with the headers that are given.

    Raises:
        RuntimeError: a response was an error.
    """
    with TemporaryDirectory() as folder:
        script, content = Path(folder) / "post.lua", Path(folder) / "body"
        content.write_bytes(body if isinstance(body, bytes) else body.encode())
        more = [f'wrk.headers["{name}"] = "{text}"' for name, text in (headers or {}).items()]
        lines = [SCRIPT.format(body=content), *more]
        script.write_text("\n".join(lines), encoding="utf-8")
        many = [f"-c{connections}", f"-d{seconds}s", "-t1", "--timeout", "30s"]
        done = subprocess.run(
            [shutil.which("wrk") or "wrk", *many, "--latency", "-s", str(script), url],
            capture_output=True,
            text=True,
            check=True,
        )
    text = done.stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"{url} failed: {text}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if rate is None:
        raise RuntimeError(text)
    return Load(float(rate[1]), _percentile(text, "50%"), _percentile(text, "99%"))


def _percentile(text: str, name: str) -> float:
    found = re.search(rf"^\s+{name}\s+([\d.]+)(us|ms|s|m) *$", text, re.MULTILINE)
    if found is None:
        raise RuntimeError(text)
    return float(found[1]) * SECONDS[found[2]]
