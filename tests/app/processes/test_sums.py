"""Metrics of several workers: whichever is asked tells of all, and nothing counted is lost."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.mmap_dict import MmapedDict

from dubito.bundles.validation.inspection import inspect
from dubito.inputs.rows import example
from tests.prometheus import Series, promtool, samples, total
from tests.service import ROOT, Service, is_alive, serving, until

READY = re.compile(r"worker (\d+) serves")
SAME = re.compile(
    "dubito_(requests|refusals|rows|passes|decisions|referral_reasons|predictive_entropy"
    "|mutual_information|prediction_set|warnings|model|queue|records)_"
)
"""What does not depend on how long something took, or on who asked at the same time."""
GROWING = re.compile("_(total|count|bucket)$")

Page = dict[Series, float]


@pytest.fixture(scope="module")
def several() -> Iterator[Service]:
    with serving("loan-grade/4", "--workers", "2", "--records", "off") as found:
        until(lambda: len(workers(found)) == 2)
        yield found


def workers(service: Service) -> list[int]:
    """Process ids of all workers that ever served."""
    return [int(found) for found in READY.findall(service.written())]


def scraped(service: Service) -> Page:
    """The page, of whichever worker takes the connection."""
    answer = httpx.get(f"{service.url}/metrics")
    assert 200 == answer.status_code
    return samples(answer.text)


def ask(service: Service, count: int) -> None:
    """The same requests each time, good and bad, each on a connection of its own."""
    row: dict[str, Any] = dict(
        example(inspect(ROOT / "models" / "loan-grade" / "4").manifest.signature)
    )
    with httpx.Client(base_url=service.url, headers={"Connection": "close"}) as client:
        for at in range(count):
            changed = row | {"loan_amount": 1_000 * (1 + at)}
            client.post(f"/predict/mc?seed={at}&passes=60", json=changed)
            client.post("/predict", json={"instances": [changed] * 3})
            client.post("/predict/mc?seed=x", json=changed)
            client.get(f"/{at}")


def same(page: Page) -> dict[Series, Any]:
    """What one worker and several must agree on."""
    return {
        series: pytest.approx(value) if series[0].endswith("_sum") else value
        for series, value in page.items()
        if SAME.match(series[0])
    }


def counted(service: Service, pid: int) -> float:
    """Requests that one worker has counted, as its own file says."""
    (folder,) = (service.log.parent / "var" / "metrics").glob("tmp*")
    file = str(folder / f"counter_{pid}.db")
    values = MmapedDict.read_all_values_from_file(file)  # type: ignore[no-untyped-call]
    return sum(value for key, value, *_ in values if json.loads(key)[1] == "dubito_requests_total")


def test_several_workers_tell_what_one_does(several: Service) -> None:
    """The same requests to two workers and to one: the same figures, and both have worked."""
    ask(several, 20)
    together = scraped(several)
    with serving("loan-grade/4", "--records", "off") as one:
        ask(one, 20)
        assert same(scraped(one)) == same(together)
    assert 20 == total(together, "dubito_rows_total", endpoint="/predict/mc")
    assert all(counted(several, pid) > 0 for pid in workers(several))


def test_the_page_of_several_workers_is_well_formed(several: Service) -> None:
    """`promtool` finds no fault with it."""
    page = httpx.get(f"{several.url}/metrics").text
    assert "" == promtool("check", "metrics", stdin=page).strip()


def test_totals_never_fall(several: Service) -> None:
    """Read again and again, from either worker, between requests."""
    before = scraped(several)
    for _ in range(10):
        ask(several, 1)
        after = scraped(several)
        assert [] == [
            series
            for series, value in before.items()
            if GROWING.search(series[0]) and after.get(series, 0) < value
        ]
        before = after


def test_a_killed_worker_takes_nothing_along(several: Service) -> None:
    """What it counted stays, its successor counts on, and the bundle is still there once."""
    before, (first, *_) = scraped(several), workers(several)
    os.kill(first, signal.SIGKILL)
    until(lambda: not is_alive(first))
    until(lambda: len(workers(several)) == 3)
    ask(several, 10)
    after = scraped(several)
    for name, more in (("dubito_rows_total", 40), ("dubito_passes_total", 600)):
        assert total(before, name) + more == total(after, name)
    assert 1 == total(after, "dubito_model_info")
    assert 0 == total(after, "dubito_queue_work")


def test_nothing_is_left_at_the_end(several: Service) -> None:
    """The folder that the workers shared is gone."""
    folder: Path = several.log.parent / "var" / "metrics"
    assert 0 == several.stop()
    assert ["lock"] == [left.name for left in folder.iterdir()]
    assert "Traceback" not in several.written()
