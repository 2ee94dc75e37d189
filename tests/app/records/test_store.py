"""The records as the service uses them: opened by the first read."""

import asyncio
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from app.record_events import Note
from app.records.group_commit import CommitThread
from app.records.ledger import Ledger
from app.records.location import RecordsLocation
from app.records.store import elsewhere
from tests.app.records.conftest import entries
from tests.app.records.test_group_commit import unused
from tests.service import ROOT, environment

PROGRAM = """
import sys
import app.server.server, app.records.store, app.processes.recorder_client
sys.exit("sqlalchemy" in sys.modules)
"""


def test_a_service_is_ready_without_the_library_that_reads_records() -> None:
    """What it imports until then does not need it."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment(), check=False)
    assert 0 == done.returncode


def test_the_first_reads_open_the_records(url: str, ledger: Ledger, tmp_path: Path) -> None:
    """Several at once, of either database; the records are those that another writes."""
    ledger.write(entries(5))
    place = RecordsLocation(url, None, tmp_path)

    async def use() -> list[list[str] | Note | None]:
        with closing(CommitThread(ledger, unused)) as pages:
            async with elsewhere(place, pages) as store:
                several = (store.reader.predictions() for _ in range(8))
                return list(await asyncio.gather(*several, store.reader.note("none")))

    *found, note = asyncio.run(use())
    assert [[f"prediction-{at}" for at in range(5)]] * 8 == found
    assert note is None
