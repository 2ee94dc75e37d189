"""The image: what its Dockerfile relies on, and its steps and its service without Docker."""

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
from typing import Any

import pytest

from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests import postgres
from tests.dockerfile import NAMESPACES, Container, Image, build, parse, started
from tests.service import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
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
    locks = [lock for install in installs for lock in re.findall(r"--requirement (\S+)", install)]

    assert ["requirements/image.txt", "requirements/compiler.txt"] == locks
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
    """The user is a number other than 0, which orchestrators can verify, of the state's group."""
    user, _, group = arguments("USER")[-1].partition(":")

    assert user.isdecimal()
    assert 0 != int(user)
    assert "0" == group


def test_listens_where_it_says() -> None:
    """The exposed port is the one that the service is told, on all addresses."""
    assert [environment()["DUBITO_PORT"]] == arguments("EXPOSE")
    assert "0.0.0.0" == environment()["DUBITO_HOST"]  # noqa: S104 - a container has its own network


def test_the_readme_keeps_the_state() -> None:
    """The README's line publishes the port on loopback alone, and names a volume for the state."""
    (line,) = re.findall(r"`docker build -t dubito \. && (docker run .*)`", README)
    [port], [volume] = arguments("EXPOSE"), arguments("VOLUME")

    assert f"docker run -p 127.0.0.1:{port}:{port} -v dubito:{volume} dubito" == line


def test_asks_for_a_route_that_exists() -> None:
    """The health check asks for a path that the API declares."""
    api = "".join(path.read_text() for path in (ROOT / "app" / "http").rglob("*.py"))

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


def pins(lock: str) -> dict[str, str]:
    """The requirements of a lock by name: version, markers and hashes."""
    text = re.sub(r"#.*", "", (ROOT / "requirements" / lock).read_text()).replace("\\\n", " ")
    found = (line.partition("==") for line in text.splitlines() if "==" in line)
    return {name: " ".join(rest.split()) for name, _, rest in found}


def test_the_lock_adds_postgresql_alone() -> None:
    """The image's lock is the serving lock and psycopg with its binary, each with its hashes."""
    serving, image = pins("serve.txt"), pins("image.txt")
    added = {"psycopg", "psycopg-binary", "tzdata"}

    assert serving == {name: pin for name, pin in image.items() if name not in added}
    assert added - {"tzdata"} <= image.keys()
    assert all("--hash=sha256:" in pin for pin in image.values())
    assert "://" not in (ROOT / "requirements" / "image.txt").read_text()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image, from a checkout that is its owner's alone."""
    if subprocess.run([*NAMESPACES, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may make namespaces")
    return build((ROOT / "Dockerfile").read_text(), ROOT, tmp_path_factory.mktemp("image"))


@pytest.fixture
def volume(image: Image, tmp_path: Path) -> Path:
    """A named volume, which Docker fills with what the image has there."""
    [path] = arguments("VOLUME")
    subprocess.run(["cp", "--archive", str(image.path(path)), str(tmp_path / "volume")], check=True)
    return tmp_path / "volume"


ASK = """
import sys
from urllib.request import ProxyHandler, Request, build_opener

path, body = sys.argv[1:]
head = {"Content-Type": "application/json"}
request = Request("http://127.0.0.1:8000" + path, body.encode(), head)
print(build_opener(ProxyHandler({})).open(request, timeout=60).read().decode())
"""
SHOWN = {"DUBITO_RECORDS_EXPOSED": "1"}
ROW = example(inspect(ROOT / "models" / "loan-grade" / "4").manifest.signature)


def ask(container: Container, path: str, content: Any) -> Any:
    """The answer to a POST that is sent inside of a container."""
    done = container.run("python", "-c", ASK, path, json.dumps(content))
    assert 0 == done.returncode, f"{done.stderr}{container.log.read_text()}"
    return json.loads(done.stdout)


def check(container: Container, earlier: list[str]) -> None:
    """Process 1 grades, replays what other users' processes recorded, verifies, and ends with 0."""
    assert "dubito\0serve\0" in container.run("cat", "/proc/1/cmdline").stdout
    answer = ask(container, "/predict/mc?seed=42", ROW)
    assert 42 == answer["seed"]
    earlier.append(answer["id"])
    for identifier in earlier:
        assert ask(container, f"/predictions/{identifier}/replay", {})["identical"]
    verified = container.run("dubito", "records", "verify")
    assert 0 == verified.returncode, verified.stderr
    assert 0 == container.stop()
    assert "computed by native" in container.log.read_text()
    assert "Traceback" not in container.log.read_text()


@pytest.mark.claim("any user of group 0", test=1, proof=20)
def test_serves_as_any_user_of_group_0(
    image: Image, volume: Path, tmp_path: Path, record_property: Any, count: int
) -> None:
    """As process 1, its root read-only, no home: each user goes on with the records of the last."""
    users = [image.user, *(f"{1_000_660_000 + number}:0" for number in range(count - 1))]
    earlier: list[str] = []
    for user in users:
        log = tmp_path / "log"
        with started(image, {"/srv/dubito/var": volume}, log, user=user, variables=SHOWN) as one:
            check(one, earlier)
    assert count == len(earlier)
    record_property("figure", f"{count} users, one after the other")


def test_serves_with_postgresql(image: Image, volume: Path, tmp_path: Path) -> None:
    """Records in PostgreSQL, the key in the volume, as a user that no file knows."""
    sockets = "/srv/dubito/sockets"
    image.path(sockets).mkdir()
    with postgres.serving() as server, server.database() as url:
        folder = Path(url.partition("host=")[2])
        variables = {**SHOWN, "DUBITO_RECORDS_URL": url.replace(str(folder), sockets)}
        volumes = {"/srv/dubito/var": volume, sockets: folder}
        folder.chmod(0o755)
        log = tmp_path / "log"
        with started(image, volumes, log, user="1000660000:0", variables=variables) as container:
            check(container, [])
    assert not (volume / "records.db").exists()
