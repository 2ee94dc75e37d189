"""Searches recorded predictions by reference, time and content of the answer, newest first."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select, tuple_

from app.record_events import Event, Listing, ListPosition, Search
from app.recorded_prediction import Body, parse_body
from app.records.tables import events
from dubito.answer import MonteCarloResult, PlainNumber, PlainResult

SCANNED_ROWS = 500
"""Rows examined by one statement."""
MOST_ROWS = 20_000
"""Most rows examined for one page; a rare match may need several pages."""


def search_page(
    connection: Connection, search: Search, most: int, after: ListPosition | None
) -> Listing:
    """Return a page of matching predictions, and the position to continue from.

    The answer is stored in the event's body only, so rows are decoded and tested one by one in
    order of time.
    """
    found = list[Event]()
    for looked, row in enumerate(_rows(connection, search, after), start=1):
        if len(found) == most or looked > MOST_ROWS:
            return Listing(found, after)
        after = row.time, row.prediction
        if _fits(parse_body(row.body), search):
            found.append(
                Event("prediction", row.prediction, row.time, row.body, None, row.reference)
            )
    return Listing(found, None)


def _rows(connection: Connection, search: Search, after: ListPosition | None) -> Iterator[Any]:
    place = tuple_(events.c.time, events.c.prediction)
    mine = [events.c.kind == "prediction"]
    if search.reference is not None:
        mine.append(events.c.reference == search.reference)
    if search.since is not None:
        mine.append(events.c.time >= search.since)
    if search.until is not None:
        mine.append(events.c.time < search.until)
    if after is not None:
        mine.append(place < after)
    columns = events.c.prediction, events.c.time, events.c.body, events.c.reference
    asked = select(*columns).where(*mine).limit(MOST_ROWS + 1)
    ordered = asked.order_by(events.c.time.desc(), events.c.prediction.desc())
    with connection.execute(ordered.execution_options(yield_per=SCANNED_ROWS)) as rows:
        yield from rows


def _fits(body: Body, search: Search) -> bool:
    result = body.answer
    decision = None if isinstance(result, PlainResult | PlainNumber) else result.decision
    predicted = None
    if isinstance(result, PlainResult | MonteCarloResult):
        predicted = result.predicted
    reasons = () if decision is None else decision.reasons
    return (
        search.grade in (None, predicted)
        and search.model in (None, body.model.name)
        and search.version in (None, body.model.version)
        and search.action in (None, None if decision is None else decision.action)
        and (search.reason is None or search.reason in reasons)
    )
