"""An ensemble over HTTP: its passes, the parts of its uncertainty, its records and replays."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from dubito.bundle import Bundle, load
from dubito.types import Backend, Query
from tests.ensembles import KINDS, MEMBERS, PASSES, Kind, ensemble_bundle, table
from tests.service import Service, command_here, serving

NAMES = {"classes": "loan-grade", "number": "flat-rent"}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module", params=["native", "numpy"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """In the service's own process, and in an engine's."""
    found: Backend = request.param
    return found


@pytest.fixture(scope="module")
def bundle(kind: Kind, backend: Backend) -> Bundle:
    return load(ensemble_bundle(kind), backend=backend)


@pytest.fixture(scope="module")
def service(
    kind: Kind, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    models, state = ensemble_bundle(kind).parent.parent, tmp_path_factory.mktemp("state")
    where = ("--models", str(models), "--state", str(state), "--backend", backend)
    with serving(NAMES[kind], *where) as service:
        yield service


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, trust_env=False) as client:
        yield client


def rows_of(kind: Kind, bundle: Bundle, count: int) -> list[dict[str, Any]]:
    """Rows of the table as requests have them."""
    features = table(kind)[0].features[:count]
    return [bundle.signature.values_of(row) for row in features.tolist()]


def bare(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in row.items()}


def asked(client: httpx.Client, rows: list[dict[str, Any]], **query: Any) -> Any:
    body = {"instances": [bare(row) for row in rows]}
    reply = client.post("/predict/mc", json=body, params=query)
    return reply.raise_for_status().json()["predictions"]


def test_answers_are_the_librarys(kind: Kind, bundle: Bundle, client: httpx.Client) -> None:
    """To the bit: mean, deviation, precision, and the part between the members."""
    rows = rows_of(kind, bundle, 5)
    found = bundle.predict_mc(rows, 90, 7)
    summary = found.summary
    for at, answer in enumerate(asked(client, rows, passes=90, seed=7)):
        assert answer["precision"]["half_width"] == found.estimate.half_widths[at]
        if kind == "classes":
            assert list(answer["mean"].values()) == summary.mean[at].tolist()
            assert summary.between_members is not None
            between = answer["uncertainty"]["between_members"]
            assert between == summary.between_members[at]
            assert 0 < between < answer["uncertainty"]["mutual_information"]
        else:
            assert answer["mean"] == summary.mean[at, 0]
            assert summary.between_std is not None
            assert answer["between_members_std"] == summary.between_std[at, 0]
            assert 0 < answer["between_members_std"] < answer["std"]


def test_the_deterministic_answer_is_the_members_mean(
    kind: Kind, bundle: Bundle, client: httpx.Client
) -> None:
    """Of their passes without dropout."""
    rows = rows_of(kind, bundle, 3)
    answers = client.post("/predict", json={"instances": [bare(row) for row in rows]}).json()
    outputs = bundle.engine.predict(table(kind)[0].features[:3])
    for answer, own in zip(answers["predictions"], outputs, strict=True):
        told = [answer["value"]] if kind == "number" else list(answer["probabilities"].values())
        assert told == own[: len(told)].tolist()


def test_other_numbers_of_passes_are_refused_by_name(
    kind: Kind, bundle: Bundle, client: httpx.Client
) -> None:
    """A 422 that names the option and the multiple; the default and automatic ones are taken."""
    (row,) = rows_of(kind, bundle, 1)
    several: list[dict[str, str]] = [{"passes": "100"}, {"passes": "auto", "max_passes": "1000"}]
    for query in several:
        reply = client.post("/predict/mc", json=bare(row), params=query)
        assert reply.status_code == 422
        (error,) = reply.json()["errors"]
        assert error["pointer"] == f"?/{list(query)[-1]}"
        assert error["code"] == "not_a_multiple"
        assert error["detail"] == "must be a multiple of 3"
    assert asked(client, [row])[0]["passes"] == PASSES
    automatic = asked(client, [row], passes="auto")[0]["passes"]
    assert automatic % MEMBERS == 0


def test_draws_are_of_the_members_in_turn(kind: Kind, bundle: Bundle, client: httpx.Client) -> None:
    """Every pass, in the order of the library's."""
    (row,) = rows_of(kind, bundle, 1)
    (answer,) = asked(client, [row], passes=9, seed=2, draws="true")
    drawn = bundle.engine.draws(Query(table(kind)[0].features[:1], 9, 2))
    assert np.array_equal(np.array(list(answer["draws"].values())).T, drawn[:, 0])


def test_the_documents_tell_of_members(kind: Kind, client: httpx.Client) -> None:
    """The description, and the schema of requests and answers."""
    assert client.get("/model").json()["members"] == MEMBERS
    document = client.get("/openapi.json").json()
    parameters = document["paths"]["/predict/mc"]["post"]["parameters"]
    (passes,) = [one for one in parameters if one["name"] == "passes"]
    assert passes["schema"]["anyOf"][0]["multipleOf"] == MEMBERS
    assert passes["schema"]["default"] % MEMBERS == 0
    assert "66, 132, 264" in passes["description"]
    schemas = document["components"]["schemas"]
    if kind == "classes":
        assert "between_members" in schemas["Uncertainty"]["required"]
    else:
        assert "between_members_std" in schemas["MonteCarloPrediction"]["required"]


@pytest.mark.claim("replay", test=40, proof=2_000)
def test_records_of_an_ensemble_replay_to_the_bit(
    kind: Kind,
    bundle: Bundle,
    client: httpx.Client,
    count: int,
    record_property: Any,
) -> None:
    """Of random rows and passes, over HTTP: every answer is computed again to the last bit."""
    random, rows = np.random.default_rng(3), rows_of(kind, bundle, 100)
    several = [
        asked(
            client,
            [rows[at] for at in random.integers(0, 100, 4)],
            passes=MEMBERS * int(random.integers(2, 60)),
        )
        for _ in range(count // 4)
    ]
    answers = [answer for each in several for answer in each]
    differing = 0
    for answer in answers:
        replay = client.post(f"/predictions/{answer['id']}/replay").raise_for_status().json()
        differing += not replay["identical"]
        told = replay["answer"]
        assert told == {name: answer[name] for name in told}
    record_property("figure", f"{len(answers)} replayed, {differing} differ")
    assert differing == 0


def test_the_command_answers_as_the_service(
    kind: Kind, backend: Backend, bundle: Bundle, tmp_path: Path
) -> None:
    """`dubito predict` and `dubito evaluate` take the same multiples."""
    folder = str(ensemble_bundle(kind))
    (row,) = rows_of(kind, bundle, 1)
    (tmp_path / "row.json").write_text(json.dumps(bare(row)), encoding="utf-8")
    asking = ("predict", folder, "--file", str(tmp_path / "row.json"), "--json", "--seed", "1")
    refused = command_here(*asking, "--passes", "100")
    assert b"passes must be a multiple of 3" in refused.stderr
    done = command_here(*asking, "--passes", "99", "--backend", backend)
    told = json.loads(done.stdout)
    found = bundle.predict_mc([bare(row)], 99, 1)
    assert told["precision"]["half_width"] == found.estimate.half_widths[0]
    done = command_here("inspect", folder)
    assert b"networks 3, whose passes alternate" in done.stdout
