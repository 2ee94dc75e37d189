"""Records that the version before has written: all is told, and computed again, as it was then."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests import postgres, written
from tests.service import command, serving

NEWEST = 5
"""Version of the bundle that was served last."""
OTHERS = (4, 1, 3, 2)
"""Of 4 the alarms have not looked at the last minutes: they go on from where they were."""
OF_SQLITE = pytest.mark.parametrize("kind", ["sqlite"], scope="module")
OF_POSTGRESQL = pytest.mark.parametrize("kind", ["postgresql"], scope="module")
ELSEWHERE = "the numerical environment has changed"
FURTHEST = 1e-6
"""That figures may be apart where they are computed by other arithmetic."""
OF_NEWEST = slice(60, 90)
"""Of a hundred predictions, some of the newest bundle."""

Record = Callable[[str, object], None]


@pytest.fixture(scope="module", params=written.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def then(kind: str) -> dict[str, Any]:
    """What the version before has told."""
    return written.expected(kind)


@pytest.fixture(scope="module")
def server(kind: str) -> Iterator[postgres.Server | None]:
    with postgres.serving() if kind == "postgresql" else nullcontext() as server:
        yield server


@pytest.fixture
def records(
    kind: str, server: postgres.Server | None, tmp_path: Path
) -> Iterator[written.Variables]:
    """A copy of the records, as they were written."""
    with written.unpacked(kind, tmp_path, server) as variables:
        yield variables


@pytest.fixture(scope="module")
def upgraded(
    kind: str, server: postgres.Server | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[written.Variables]:
    """A copy that was brought up to date, as one does before a service has it."""
    with written.unpacked(kind, tmp_path_factory.mktemp("var"), server) as variables:
        upgrade(variables)
        yield variables


@pytest.fixture(scope="module")
def client(upgraded: written.Variables) -> Iterator[httpx.Client]:
    """Of a service that goes on with the records."""
    with served(NEWEST, upgraded) as client:
        yield client


@contextmanager
def served(version: int, variables: written.Variables) -> Iterator[httpx.Client]:
    """Who asks a service of a version that has the records."""
    with (
        serving(f"loan-grade/{version}", changes=variables) as service,
        written.client_of(service) as client,
    ):
        yield client


def upgrade(variables: written.Variables) -> None:
    done = command("records", "upgrade", changes=variables)
    assert done.returncode == 0, done.stderr.decode()


def same(then: Any, now: Any) -> None:
    """Assert that all is told as then."""
    assert [] == list(written.unlike(then, now))


def test_every_event_is_as_it_was_written(
    kind: str, records: written.Variables, then: dict[str, Any], tmp_path: Path
) -> None:
    """Verified beside a checkpoint of then, before the upgrade and after it."""
    checkpoint = written.HOME / kind / written.CHECKPOINT
    wanted = {name: then[name] for name in ("said", "checkpoint")}
    assert wanted == written.verified(records, tmp_path, checkpoint)
    upgrade(records)
    assert wanted == written.verified(records, tmp_path, checkpoint)


def test_an_export_has_what_it_had(
    records: written.Variables, then: dict[str, Any], tmp_path: Path
) -> None:
    """Every column of both forms, to the last letter; columns may have come."""
    same(then["export"], written.exported(records, tmp_path))


def test_predictions_and_lists_are_as_they_were(client: httpx.Client, then: dict[str, Any]) -> None:
    """Every prediction with its history, the queue, what was decided, and what searches find."""
    same(then["cases"], written.cases(client, then["cases"]))
    same(then["queues"], written.queues(client))
    same(then["searches"], written.searches(client))


def test_what_was_erased_is_gone(client: httpx.Client, then: dict[str, Any]) -> None:
    """The answer stays, and is not computed again."""
    assert then["erased"]
    for identifier in then["erased"]:
        shown = written.asked(client, f"/predictions/{identifier}")
        assert (None, None) == (shown["features"], shown["reference"])
        assert 410 == client.post(f"/predictions/{identifier}/replay").status_code


def test_figures_and_alarms_are_as_they_were(client: httpx.Client, then: dict[str, Any]) -> None:
    """By days, and of the last day by hours; one alarm is acknowledged, one was begun anew."""
    same(then["hours"], written.figures(client, written.HOURS))
    same(then[f"figures {NEWEST}"], written.figures(client, written.DAYS))


@OF_SQLITE
@pytest.mark.claim("figures of the version before", test=1, proof=4)
def test_figures_and_alarms_of_older_bundles_go_on(
    records: written.Variables, then: dict[str, Any], count: int
) -> None:
    """Older bundles tell what they told, and their alarms go on with minutes not looked at yet."""
    upgrade(records)
    for version in OTHERS[:count]:
        wanted = then[f"figures {version}"]
        rows = [alarm["rows"] for alarm in wanted["alarms"]]
        with served(version, records) as client:
            same(wanted, written.figures(client, written.DAYS, rows))


@OF_SQLITE
def test_minutes_and_replies_are_kept(
    records: written.Variables, then: dict[str, Any], tmp_path: Path
) -> None:
    """By the clock of then: figures by the minute, and first answers to requests with a key."""
    upgrade(records)
    with served(NEWEST, {**records, **written.clock_at(written.LATER, tmp_path)}) as client:
        same(then["minutes"], written.figures(client, written.MINUTES))
        assert then["replies"] == written.replies(client, then["requests"])


@pytest.mark.claim("replays of the version before", test=60, proof=1_000)
def test_answers_are_computed_again(
    records: written.Variables, then: dict[str, Any], count: int, record_property: Record
) -> None:
    """What five bundles have answered is computed again, to the last bit.

    In another numerical environment it is as near as makes no difference, and that is told.
    """
    told = replayed(records, some(then, count))
    record_property("figure", figure_of(told))


def replayed(variables: written.Variables, identifiers: list[str]) -> list[Any]:
    """What the command says of predictions that it computes again: as was answered, or near it."""
    done = command("replay", *identifiers, changes=variables)
    told = list(map(json.loads, done.stdout.splitlines()))
    assert identifiers == [one["id"] for one in told], done.stderr.decode()
    for one in told:
        assert one["identical"] == (one["differing"] == [])
        assert one["identical"] or ELSEWHERE == one["reasons"][0]
        assert one["largest_difference"] < FURTHEST
    identical = sum(one["identical"] for one in told)
    assert f"{identical:,} of {len(told):,} identical" == done.stderr.decode().splitlines()[-1]
    assert done.returncode == (identical < len(told))
    return told


def some(then: dict[str, Any], count: int) -> list[str]:
    """So many of the thousand predictions, of all bundles."""
    known = list(then["answers"])
    assert 1_000 == len(known)
    return [known[at * len(known) // count] for at in range(count)]


def figure_of(told: list[Any]) -> str:
    """What is noted of replays."""
    alike = f"{sum(one['identical'] for one in told)} of {len(told)} identical"
    if not any(one["reasons"] for one in told):
        return alike
    furthest = max(one["largest_difference"] for one in told)
    return f"{alike}, in another numerical environment at most {furthest:.1g} apart"


@OF_SQLITE
@pytest.mark.claim("replays of the version before", test=0, proof=200)
def test_other_arithmetic_is_told(
    records: written.Variables, then: dict[str, Any], count: int, record_property: Record
) -> None:
    """Other arithmetic is told, by what the version before has noted of its own, and is near."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", ())
    flags = {"NPY_DISABLE_CPU_FEATURES": " ".join(found), "TF_ENABLE_ONEDNN_OPTS": "1"}
    told = replayed({**records, **flags}, some(then, count))
    record_property("figure", figure_of(told))
    for one in told:
        first, *facts = one["reasons"]
        assert ELSEWHERE == first
        assert any(fact.startswith("flags was ") for fact in facts)


def test_a_service_computes_the_same(client: httpx.Client, then: dict[str, Any]) -> None:
    """The whole answer of then, wherever it says that it is identical."""
    told = written.replays(client, some(then, 100)[OF_NEWEST])
    for one in told:
        assert one["identical"] or one["environment_changed"]
        answer = written.digest(one["answer"])
        assert one["identical"] == (answer == then["answers"][one["id"]])
