"""The image cannot be built in every place, so what its Dockerfile relies on is checked here."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent


class Instruction(NamedTuple):
    keyword: str
    argument: str


def parse(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile in order, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    split = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [Instruction(keyword.upper(), argument.strip()) for keyword, argument in split]


INSTRUCTIONS = parse((ROOT / "Dockerfile").read_text())


def arguments(keyword: str) -> list[str]:
    return [argument for found, argument in INSTRUCTIONS if found == keyword]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for argument in arguments("ENV") for pair in argument.split())


def sources() -> list[str]:
    """What the image takes from the work tree, not from an earlier stage."""
    copied = [argument.split() for argument in arguments("COPY") if "--from" not in argument]
    return [source for *found, _target in copied for source in found]


def start_command() -> list[str]:
    [entry], [command] = arguments("ENTRYPOINT"), arguments("CMD")
    return [*json.loads(entry), *json.loads(command)]


def health_snippet() -> str:
    [check] = arguments("HEALTHCHECK")
    python, option, snippet = json.loads(check[check.index("[") :])
    assert ("python", "-c") == (python, option)
    return str(snippet)


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[str]]]:
    """A stand-in for the service that gives every GET `status`: its port, and the paths asked."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port, paths
        finally:
            server.shutdown()
            thread.join()


def check_health(port: int) -> int:
    run = subprocess.run(
        [sys.executable, "-c", health_snippet()],
        env={**os.environ, "DUBITO_PORT": str(port)},
        capture_output=True,
        check=False,
    )
    return run.returncode


@pytest.mark.parametrize("source", sources())
def test_copied_paths_exist_and_reach_the_builder(source: str) -> None:
    """Every path that is copied exists and is let through by .dockerignore."""
    let_through = (ROOT / ".dockerignore").read_text().splitlines()

    assert (ROOT / source).exists()
    assert f"!{source}" in let_through


def test_installs_only_from_hashed_locks() -> None:
    """Each pip install takes either an existing lock with its hashes, or the project alone."""
    installs = [argument for argument in arguments("RUN") if "pip install" in argument]
    locks = [lock for install in installs for lock in re.findall(r"-r (\S+)", install)]

    assert ["requirements/serve.txt"] == locks
    assert all((ROOT / lock).is_file() for lock in locks)
    assert all("--require-hashes" in run or "--no-deps" in run for run in installs)


def test_starts_a_declared_command() -> None:
    """The image starts a console script of pyproject.toml, and that script knows the command."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    script, *command = start_command()

    run = subprocess.run(
        [Path(sysconfig.get_path("scripts")) / script, *command, "--help"],
        capture_output=True,
        check=False,
    )

    assert script in project["scripts"]
    assert 0 == run.returncode, run.stderr


def test_runs_as_an_unprivileged_user() -> None:
    """The last USER is a number other than 0, which orchestrators can verify."""
    user = arguments("USER")[-1]

    assert user.isdecimal()
    assert 0 != int(user)


def test_listens_where_it_says() -> None:
    """The exposed port is the one that the service is told, on all addresses."""
    assert [environment()["DUBITO_PORT"]] == arguments("EXPOSE")
    assert "0.0.0.0" == environment()["DUBITO_HOST"]  # noqa: S104 - a container has its own network


def test_asks_for_a_route_that_exists() -> None:
    """The health check asks for a path that the API declares."""
    api = "".join(path.read_text() for path in (ROOT / "app" / "api").rglob("*.py"))

    with answering(200) as (port, paths):
        check_health(port)

    assert ["/health/ready"] == paths
    assert '"/health/ready"' in api


def test_ready_is_healthy() -> None:
    """A service that answers 200 is healthy."""
    with answering(200) as (port, _):
        assert 0 == check_health(port)


def test_not_ready_is_unhealthy() -> None:
    """A service that answers 503 is unhealthy."""
    with answering(503) as (port, _):
        assert 0 != check_health(port)


def test_silence_is_unhealthy() -> None:
    """A service that does not listen is unhealthy."""
    with answering(200) as (port, _):
        pass

    assert 0 != check_health(port)
