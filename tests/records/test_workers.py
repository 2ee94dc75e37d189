"""Several workers on one PostgreSQL database: what they tell together is what one tells."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from app.api.rows import example
from app.network.catalog import find
from app.network.inspection.archive import inspect
from tests.postgres import MODEL, Server
from tests.service import ROOT, serving

REQUESTS = 120
TOLD = ("total", "drift", "outcomes", "estimate")


def figures(url: str, state: Path, workers: int) -> dict[str, Any]:
    """What `/uncertainty` tells after the same requests, over many connections."""
    usual = example(inspect(find(ROOT / "models", "loan-grade", 1)).manifest.signature)
    words = ["loan-grade/1", "--workers", str(workers), "--records-url", url]

    def ask(seed: int) -> None:
        row = usual | {"loan_amount": 1_000 + 300 * seed, "annual_income": 20_000 + 999 * seed}
        # A connection each: the kernel hands them to one worker or the other.
        address = f"{service.url}/predict/mc?seed={seed}&passes={50 + seed % 3}"
        answer = httpx.post(address, json=row, trust_env=False, timeout=60)
        assert 200 == answer.status_code, answer.text
        outcome = f"{service.url}/predictions/{answer.json()['id']}/outcome"
        said = httpx.put(outcome, json={"grade": "ABC"[seed % 3]}, trust_env=False, timeout=60)
        assert 200 == said.status_code, said.text

    with serving(*words, changes={"DUBITO_STATE": str(state)}) as service:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(ask, range(REQUESTS)))
        whole = httpx.get(f"{service.url}/uncertainty?window=6h", trust_env=False).json()
        assert 0 == service.stop()
    return {name: whole[name] for name in TOLD}


def test_several_tell_what_one_tells(server: Server, tmp_path: Path) -> None:
    """Figures, drift and outcomes, to the last digit."""
    with server.database(MODEL) as one, server.database(MODEL) as many:
        alone = figures(one, tmp_path / "one", 1)
        assert REQUESTS == alone["total"]["rows"] == alone["outcomes"]["known"]
        assert alone == figures(many, tmp_path / "many", 2)
