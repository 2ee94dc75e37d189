"""`deploy/` for Compose, Kubernetes, KServe, Ray and systemd: what it names is there.

Nothing of it is started here: there is no container engine and no cluster.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from app.settings import Settings
from dubito.cli.main import command_modules, parsers
from tests import dockerfile
from tests.service import ROOT

DEPLOY = ROOT / "deploy"
VARIABLE = re.compile(r"\bDUBITO_[A-Z_]+\b")
FILES = sorted(
    file
    for folder in ("kubernetes", "kserve", "ray", "systemd")
    for file in (DEPLOY / folder).iterdir()
    if file.is_file()
)
OBJECTS = [
    file for file in FILES if file.parent.name == "kubernetes" and file.stem != "kustomization"
]
KSERVE = [file for file in FILES if file.parent.name == "kserve"]
VERSION = "1.34"
"""Kubernetes, by whose schemas objects are checked."""
PATHS = ("/health/live", "/health/ready", "/metrics")
INSTRUCTIONS = dockerfile.parse((ROOT / "Dockerfile").read_text(encoding="utf-8"))


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def everything(value: Any) -> Iterator[tuple[str, Any]]:
    """The members of an object at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name), inner
            yield from everything(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from everything(inner)


def image_environment() -> dict[str, str]:
    pairs = (argument.split() for keyword, argument in INSTRUCTIONS if keyword == "ENV")
    return dict(pair.split("=", 1) for several in pairs for pair in several)


@pytest.mark.parametrize("file", [*FILES, DEPLOY / "compose.yaml"], ids=lambda file: file.name)
def test_its_variables_are_settings(file: Path) -> None:
    """Also those that comments name."""
    known = {f"DUBITO_{name.upper()}" for name in Settings.model_fields}
    assert set(VARIABLE.findall(file.read_text(encoding="utf-8"))) <= known


@pytest.mark.parametrize("file", OBJECTS, ids=lambda file: file.name)
def test_kubernetes_takes_it(file: Path) -> None:
    """By Kubernetes' own schema, strictly."""
    kubernetes_validate.validate(read(file), VERSION, strict=True)


def test_kubernetes_refuses_what_it_does_not_know() -> None:
    """The schemas find a mistake."""
    broken = read(DEPLOY / "kubernetes" / "deployment.yaml")
    broken["spec"]["template"]["spec"]["containers"][0]["readyProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSION, strict=True)


def test_kustomize_names_every_object() -> None:
    """And the image that they run."""
    found = read(DEPLOY / "kubernetes" / "kustomization.yaml")
    assert sorted(found["resources"]) == sorted(file.name for file in OBJECTS)
    images = [
        value for file in OBJECTS for name, value in everything(read(file)) if name == "image"
    ]
    assert {"dubito"} == set(images) == {one["name"] for one in found["images"]}


@pytest.mark.parametrize("file", KSERVE, ids=lambda file: file.name)
def test_kserve_takes_it(file: Path) -> None:
    """By the schemas of its own kinds, cut down to what the files use."""
    schemas = json.loads((ROOT / "tests" / "fixtures" / "kserve.json").read_bytes())["kinds"]
    found = read(file)
    schema = schemas[found["kind"]]
    assert f"serving.kserve.io/{schema['version']}" == found["apiVersion"]
    jsonschema.validate(found["spec"], schema["spec"])


def test_kserve_serves_the_name_of_the_service() -> None:
    """The runtime that the service names, with its format, from where KServe puts bundles."""
    runtime, service = (read(DEPLOY / "kserve" / f"{name}.yaml") for name in ("runtime", "service"))
    (container,) = runtime["spec"]["containers"]
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"]["name"] == runtime["spec"]["supportedModelFormats"][0]["name"]
    assert ["serve", "{{.Name}}"] == container["args"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    assert "/mnt/models" == variables["DUBITO_MODELS"]
    assert (ROOT / "models" / service["metadata"]["name"]).is_dir()
    assert container["ports"][0]["containerPort"] == int(variables["DUBITO_PORT"])


@pytest.mark.parametrize("file", [*OBJECTS, *KSERVE], ids=lambda file: file.name)
def test_ports_and_paths_are_there(file: Path) -> None:
    """What is asked is a route, at the port that the image listens on; what is mounted, known."""
    found = list(everything(read(file)))
    port = int(image_environment()["DUBITO_PORT"]) if file in OBJECTS else 8080
    ports = {value for name, value in found if name == "containerPort"}
    assert ports <= {port}
    asked = [value for name, value in found if name == "httpGet"]
    assert all(one["path"] in PATHS and one["port"] in ("http", port) for one in asked)
    mounted = [value for name, value in found if name == "mountPath"]
    state = image_environment()["DUBITO_STATE"]
    assert all(path == state or path.startswith("/run/") for path in mounted)
    users = {value for name, value in found if name == "runAsUser"}
    (user,) = (one.partition(":")[0] for keyword, one in INSTRUCTIONS if keyword == "USER")
    assert users <= {int(user)}
    arguments = [value for name, value in found if name == "args"]
    assert all("serve" == one[0] for one in arguments)


def test_compose_names_what_is_there() -> None:
    """Every service depends on, mounts and publishes what there is; ports on loopback alone."""
    found = read(DEPLOY / "compose.yaml")
    services, volumes, configs = (found[name] for name in ("services", "volumes", "configs"))
    assert {"dubito", "postgres", "prometheus", "grafana"} == set(services)
    for one in services.values():
        assert set(one.get("depends_on", ())) <= set(services)
        for volume in one.get("volumes", ()):
            assert volume.partition(":")[0] in volumes
        for config in one.get("configs", ()):
            assert config["source"] in configs
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ()))
    files = [DEPLOY / one["file"] for one in configs.values() if "file" in one]
    assert all(file.is_file() for file in files)
    assert (DEPLOY / services["dubito"]["build"] / "Dockerfile").is_file()
    port = image_environment()["DUBITO_PORT"]
    assert services["dubito"]["ports"] == [f"127.0.0.1:8000:{port}"]
    assert services["dubito"]["volumes"] == [f"state:{image_environment()['DUBITO_STATE']}"]
    for config in configs.values():
        yaml.safe_load(config.get("content", ""))
    assert f'targets: ["dubito:{port}"]' in configs["prometheus"]["content"]


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Its verifier finds no fault but that the program is not installed there."""
    unit = tmp_path / "dubito.service"
    text = (DEPLOY / "systemd" / "dubito.service").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ExecStart=(\S+) (\S+)$", text, re.MULTILINE)
    assert ("/opt/dubito/bin/dubito", "serve") == command
    assert "serve" in parsers({"serve": command_modules()["serve"]})[1]
    unit.write_text(text.replace(command[0], "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--generators=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if "dubito.service" in line]
    assert (0, []) == (done.returncode, told), done.stderr


def test_ray_is_told_of_an_application() -> None:
    """The file names the application of the package, and its deployment."""
    found = read(DEPLOY / "ray" / "serve.yaml")
    (application,) = found["applications"]
    module, _, name = application["import_path"].partition(":")
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    assert f"\n{name} = " in source
    for deployment in application["deployments"]:
        assert f"\nclass {deployment['name']}:" in source
