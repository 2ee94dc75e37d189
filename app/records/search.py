"""Search: recorded predictions by reference, time and what was answered, the newest first."""

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select, tuple_

from app.record_events import Event, Listing, Search
from app.records.tables import events

ROWS_AT_A_TIME = 500
MOST_ROWS = 20_000
"""That are looked at for one page: whoever seeks what is rare goes on with the next."""


def search(connection: Connection, sought: Search) -> Listing:
    """Some predictions, and where to go on.

    What was answered stands in the events alone, so they are read one by one in the order of time.
    """
    found, after = list[Event](), sought.after
    for looked, row in enumerate(_rows(connection, sought), start=1):
        if len(found) == sought.most or looked > MOST_ROWS:
            return Listing(found, after)
        after = row.time, row.prediction
        if _fits(json.loads(row.body), sought):
            found.append(
                Event("prediction", row.prediction, row.time, row.body, None, row.reference)
            )
    return Listing(found, None)


def _rows(connection: Connection, sought: Search) -> Iterator[Any]:
    place = tuple_(events.c.time, events.c.prediction)
    mine = [events.c.kind == "prediction"]
    if sought.reference is not None:
        mine.append(events.c.reference == sought.reference)
    if sought.since is not None:
        mine.append(events.c.time >= sought.since)
    if sought.until is not None:
        mine.append(events.c.time < sought.until)
    if sought.after is not None:
        mine.append(place < sought.after)
    columns = events.c.prediction, events.c.time, events.c.body, events.c.reference
    asked = select(*columns).where(*mine).limit(MOST_ROWS + 1)
    ordered = asked.order_by(events.c.time.desc(), events.c.prediction.desc())
    with connection.execute(ordered.execution_options(yield_per=ROWS_AT_A_TIME)) as rows:
        yield from rows


def _fits(body: dict[str, Any], sought: Search) -> bool:
    answer = body["answer"]
    decision = answer.get("decision") or {}
    return (
        (sought.grade is None or answer["grade"] == sought.grade)
        and (sought.version is None or body["model"]["version"] == sought.version)
        and (sought.action is None or decision.get("action") == sought.action)
        and (sought.reason is None or sought.reason in decision.get("reasons", ()))
    )
