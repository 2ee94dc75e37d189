"""Records of a bundle that has come to know of drift, before a service opens them."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.monitoring.alarm_state import AlarmState
from app.record_events import Entry
from app.records.address import url_of
from app.records.database import open_database
from app.records.key import FILE
from app.records.key_check import start_chain
from app.watched_bundle import WatchedBundle
from dubito.bundles.validation.inspection import inspect
from dubito.identifier import new_id
from dubito.uncertainty.drift_alarm import Watch

MINUTE = 1_795_608_000
"""Of the alarm, seconds since 1970."""


def raise_drift(state: Path, bundle: Path) -> None:
    """Write what a service would have come to, to which 500 loans of one odd amount came."""
    manifest = inspect(bundle).manifest
    told = manifest.identity, manifest.signature, manifest.calibration
    watched = WatchedBundle(*told, "sha256:0")
    fresh = AlarmState.begin(watched)
    drift = Watch.begin(watched.streams).advance(
        {"loan_amount": {0: 500}}, np.random.default_rng(0)
    )
    tests = {**fresh.tests, "drift": drift}
    known = replace(fresh, position=MINUTE, tests=tests, raised_at={"drift": MINUTE})
    with open_database(url_of(None, state)) as engine:
        ledger, _ = start_chain(engine, state / FILE, new_id())
        with closing(ledger):
            mark = known.note(f"watch:{manifest.identity.digest}", 0)
            assert ledger.write([Entry((), note=mark)]) == [True]
