"""A row of a scored table has the bits that the service answers with its seed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dubito.bundle import load
from dubito.cli.main import main
from tests.scored import flat, read_answers, rows_like, write_csv
from tests.service import ROOT, Service, serving

FOLDERS = ("loan-grade/5", "loan-application/2", "loan-rate/2")


@pytest.fixture(scope="module", params=FOLDERS)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def service(name: str) -> Iterator[Service]:
    with serving(name, "--records", "off") as service:
        yield service


@pytest.mark.claim("scored tables over HTTP", test=60, proof=2_000)
def test_a_row_has_the_bits_of_the_service(
    name: str, service: Service, tmp_path: Path, count: int, record_property: Any
) -> None:
    """Every member of its answer, asked for alone with the seed that the table tells."""
    rows = rows_like(load(ROOT / "models" / name), count)
    keyed = [{"case": f"K-{at}", **row} for at, row in enumerate(rows)]
    table, out = write_csv(tmp_path / "table.csv", keyed), tmp_path / "out"
    words = ("--out", str(out), "--model", name, "--key", "case", "--processes", "1")
    assert 0 == main(["score", str(table), *words])
    with httpx.Client(base_url=service.url, trust_env=False, timeout=60) as client:
        for row, scored in zip(rows, read_answers(out), strict=True):
            answer = client.post("/predict/mc", params={"seed": scored["seed"]}, json=row).json()
            del answer["id"]
            told = {one: value for one, value in scored.items() if one not in ("row", "key")}
            assert _there(flat(answer)) == _there(told)
    record_property("figure", f"{count:,} rows of {name}")


def _there(answer: dict[str, Any]) -> dict[str, Any]:
    """Without what is null, of which columns say nothing."""
    return {name: value for name, value in answer.items() if value is not None}
