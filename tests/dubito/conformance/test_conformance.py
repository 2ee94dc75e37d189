"""`dubito conformance`: a server that keeps the protocol, and one that does not."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dubito.bundles.validation.inspection import inspect
from dubito.conformance.conformance import CONFORMANCE_CHECKS, examine, run_check
from dubito.conformance.finding import CheckOutcome
from dubito.conformance.target import TargetServer, served_model
from dubito.conformance.web import web_address
from dubito.features import BooleanFeature, CategoryFeature
from dubito.types import Signature
from tests.claims import sample
from tests.faults import PLANTED, faulty, strange
from tests.inference import rows_of
from tests.mixed import mixed_bundle
from tests.service import ROOT, Service, command_here, free_port, serving
from tests.tensors import tensor_bundle

SEED = {"seed": 7}
SECONDS = 20
CHECKS = {check.name: check for check in CONFORMANCE_CHECKS}
BUNDLES: dict[str, Callable[[], Path]] = {
    "classes": lambda: ROOT / "models" / "loan-grade" / "5",
    "gaps": lambda: ROOT / "models" / "loan-application" / "2",
    "number": lambda: ROOT / "models" / "loan-rate" / "2",
    "mixed": mixed_bundle,
    "tensor": lambda: tensor_bundle("classes"),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    state = tmp_path_factory.mktemp("state")
    with serving(str(BUNDLES["classes"]()), "--state", str(state)) as service:
        yield service


def inputs_of(signature: Signature) -> list[dict[str, Any]]:
    """A row without gaps, in JSON."""
    row = next(
        one for one in rows_of(signature, np.random.default_rng(0), 99) if None not in one.values()
    )
    kinds = {CategoryFeature: "BYTES", BooleanFeature: "BOOL"}
    return [
        {
            "name": one.name,
            "shape": [1],
            "datatype": kinds.get(type(one), "FP64"),
            "data": [row[one.name]],
        }
        for one in signature.features
    ]


def examined(url: str) -> TargetServer:
    address = web_address(url, SECONDS)
    return TargetServer(address, served_model(address), SEED)


def found(url: str, *words: str) -> tuple[int, list[dict[str, Any]]]:
    """The command's exit code, and what it finds."""
    done = command_here("conformance", url, "--json", *words)
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return done.returncode, told


@pytest.mark.claim("conformance", test=1, proof=1)
@pytest.mark.parametrize("bundle", sample(BUNDLES, ("mixed",)))
def test_the_service_meets_every_check(
    bundle: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Of the Open Inference Protocol, for bundles of each kind."""
    folder = BUNDLES[bundle]()
    given: list[str] = []
    if bundle not in ("classes", "tensor"):
        # Which values they take is in no metadata that other servers have too.
        signature = inspect(folder).manifest.signature
        (tmp_path / "request").write_text(json.dumps({"inputs": inputs_of(signature)}))
        given = ["--request", str(tmp_path / "request")]
    with serving(str(folder), "--state", str(tmp_path / "var")) as service:
        code, told = found(service.url, "--parameter", "seed=7", *given)
    missed = [one["check"] for one in told if one["outcome"] != "met"]
    # Of a bundle with one feature none can be missing.
    assert missed == (["missing-input"] if bundle == "tensor" else [])
    assert 0 == code
    record_property("figure", f"{len(told) - len(missed)} checks met, none not")


def test_nothing_is_found_where_nothing_is_wrong(service: Service) -> None:
    """What stands in front of the service for the faults has none of its own."""
    with faulty(service.port) as url:
        code, told = found(url, "--parameter", "seed=7")
    assert [] == [one for one in told if one["outcome"] != "met"]
    assert 0 == code


@pytest.mark.claim("planted faults", test=1, proof=1)
@pytest.mark.parametrize("name", PLANTED)
def test_each_fault_is_found(service: Service, name: str) -> None:
    """By the check that is for it, of a service that is otherwise as it should be."""
    check, fault = PLANTED[name]
    with faulty(service.port, fault) as url:
        finding = run_check(CHECKS[check], examined(url))
    assert CheckOutcome.DIFFERS is finding.outcome
    assert finding.detail


def test_every_check_finds_a_fault() -> None:
    """None is there that could not fail."""
    assert set(CHECKS) == {check for check, _ in PLANTED.values()}


@pytest.mark.claim("strange answers", test=6, proof=300)
def test_strange_answers_are_findings(service: Service, count: int) -> None:
    """Whatever JSON a server answers, each check ends with a finding."""
    for seed in range(count):
        with faulty(service.port, strange(seed)) as url:
            server = TargetServer(web_address(url, SECONDS), "loan-grade", SEED)
            assert len(CHECKS) == len(list(examine(server)))


@pytest.mark.parametrize("name", ["NaN in JSON", "ids are mixed"])
def test_the_command_tells_what_differs(service: Service, name: str) -> None:
    """With its exit code, a line for each check, and a sum."""
    check, fault = PLANTED[name]
    with faulty(service.port, fault) as url:
        done = command_here("conformance", url, "--parameter", "seed=7", "--model", "loan-grade")
    lines = done.stdout.decode().splitlines()
    assert 1 == done.returncode
    at = next(at for at, line in enumerate(lines) if line.startswith(f"DIFFERS  {check}: "))
    assert lines[at + 1].strip().startswith("protocol: ")
    counts = Counter(line.split()[0] for line in lines[:-1] if not line.startswith(" "))
    told = f"{counts['ok']} met, {counts['DIFFERS']} differs, {counts['-']} not checked"
    assert told == lines[-1]
    assert len(CHECKS) == sum(counts.values())


def test_what_chance_decides_is_not_compared(service: Service) -> None:
    """Without a seed each answer has other numbers, and nothing is wrong with that."""
    code, told = found(service.url)
    counts = Counter(one["outcome"] for one in told)
    assert (0, 0) == (code, counts["differs"])
    whys = {one["detail"] for one in told if one["outcome"] == "not checked"}
    assert {"the same request has other outputs each time: give a seed"} == whys


def test_a_request_may_be_given(service: Service, tmp_path: Path) -> None:
    """Where a model answers nothing that can be made of its metadata."""
    values = [12000, 96000, 8.6, 14, 0, 773.87, 126.62, 0, 0]
    data = {"name": "input", "shape": [1, 9], "datatype": "FP64", "data": [values]}
    path = tmp_path / "request.json"
    path.write_text(json.dumps({"inputs": [data]}))
    code, told = found(service.url, "--parameter", "seed=7", "--request", str(path))
    assert (0, []) == (code, [one for one in told if one["outcome"] == "differs"])


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["ftp://127.0.0.1"], 2, "URL must be an address such as http://127.0.0.1:8000"),
        (["http://127.0.0.1:99999"], 2, "URL has a host or a port that cannot be one"),
        (["http://["], 2, "URL has a host or a port that cannot be one"),
        (["http://user@127.0.0.1"], 2, "URL must be an address such as http://127.0.0.1:8000"),
        (["http://a..b"], 1, "a..b cannot be reached"),
        (["http://[::1]:PORT"], 1, "::1 cannot be reached"),
        (["127.0.0.1:PORT"], 1, "127.0.0.1 cannot be reached"),
        (["URL", "--request", "broken"], 2, "broken is no JSON"),
        (["URL", "--request", "empty"], 2, "the request needs a list of inputs"),
        (["URL", "--request", "short"], 2, "inputs[0].data of the request has not the elements"),
        (["URL", "--request", "foreign"], 2, "inputs[0] of the request has a wrong datatype"),
        (["URL", "--parameter", "seed"], 2, "--parameter must be NAME=VALUE"),
        (["URL", "--colour=red"], 2, "conformance does not know --colour=red"),
    ],
)
def test_wrong_use_is_one_sentence(
    service: Service, tmp_path: Path, words: list[str], code: int, sentence: str
) -> None:
    """And its exit code."""
    (tmp_path / "broken").write_text("{")
    short = {"name": "x", "shape": [2], "datatype": "FP64", "data": [1]}
    (tmp_path / "empty").write_text('{"inputs": []}')
    (tmp_path / "short").write_text(json.dumps({"inputs": [short]}))
    (tmp_path / "foreign").write_text(json.dumps({"inputs": [{**short, "datatype": "FLOAT"}]}))
    names = ("broken", "empty", "short", "foreign")
    places = {"URL": service.url} | {name: str(tmp_path / name) for name in names}
    asked = [places.get(word, word.replace("PORT", str(free_port()))) for word in words]
    done = command_here("conformance", *asked)
    assert code == done.returncode
    said = done.stderr.decode()
    assert sentence in said
    assert 1 == said.count("\n")
