"""The queue: who waits, in every order, page by page, until a person has looked; and then."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine

from app.record_events import Entry, Erasure, Event, ListPosition, Order, QueueItem, Search
from app.records.ledger import Ledger
from app.records.review_queue import count_matches, queue_page
from app.records.tables import metadata
from tests.app.records.conftest import CHAIN, KEY, event, referral

COUNT = 23
START = 1_795_608_000_000_000
REFERENCES = (None, "loan 7", "LOAN 71", "대출 7%", "loan_7", "")


def identifier(at: int) -> str:
    return f"01a20b81-4528-7cce-8a01-{at:012d}"


def some(seed: int = 5) -> list[QueueItem]:
    """Many that wait, of which some came at one moment, and some are as doubtful as others."""
    order = random.Random(seed)
    return [
        referral(
            identifier(at),
            START + order.randrange(8),
            order.randrange(5) / 7,
            reference=order.choice(REFERENCES),
            grade=order.choice("AB"),
            version=order.randrange(1, 3),
            model=order.choice(["loan", "rate"]),
            reasons="".join(f"\n{one}\n" for one in ("missing", "miss%") if order.random() < 0.5),
        )
        for at in range(COUNT)
    ]


@pytest.fixture
def waiting(ledger: Ledger) -> list[QueueItem]:
    found = some()
    ledger.write([Entry((event(at),), queue=(one,)) for at, one in enumerate(found)])
    return found


KEYS: dict[Order, Callable[[QueueItem], Any]] = {
    "oldest": lambda one: (one.time, one.prediction),
    "newest": lambda one: (one.time, one.prediction),
    "doubtful": lambda one: (one.doubt, one.prediction),
    "reference": lambda one: ((one.reference or "").encode(), one.prediction),
}


@pytest.mark.parametrize("most", [1, 4, COUNT, 100])
@pytest.mark.parametrize("order", KEYS)
def test_pages_hold_everyone_once_and_in_order(
    engine: Engine, waiting: list[QueueItem], order: Order, most: int
) -> None:
    """Each page goes on behind the one before it."""
    whole = sorted(waiting, key=KEYS[order], reverse=order in ("newest", "doubtful"))
    with engine.connect() as connection:
        assert whole == in_pages(connection, Search("waiting", order=order), most)
        assert COUNT == count_matches(connection)


def in_pages(connection: Any, sought: Search, most: int) -> list[QueueItem]:
    found, after = list[QueueItem](), None
    while part := queue_page(connection, sought, most, after):
        assert len(part) <= most
        found += [one for _, one in part]
        after = part[-1][0]
    return found


WORDS = st.sampled_from(["missing", "miss%", "mis", "missin_"])
SOUGHT = st.builds(
    Search,
    order=st.sampled_from([*KEYS]),
    state=st.just("waiting"),
    reason=st.none() | WORDS,
    grade=st.none() | st.sampled_from("ABC"),
    version=st.none() | st.integers(1, 3),
    model=st.none() | st.sampled_from(["loan", "rate", "lo"]),
    reference=st.none() | st.sampled_from(["7", "loan", "LOAN 7", "%", "_", "출", "x"]),
    since=st.none() | st.integers(START, START + 9),
    until=st.none() | st.integers(START, START + 9),
)


def fits(one: QueueItem, sought: Search) -> bool:
    """What a filter says, in plain words."""
    return (
        (sought.reason is None or sought.reason in one.reasons.split("\n"))
        and sought.grade in (None, one.grade)
        and sought.version in (None, one.version)
        and sought.model in (None, one.model)
        and (sought.reference is None or sought.reference.lower() in (one.reference or "").lower())
        and (sought.since is None or one.time >= sought.since)
        and (sought.until is None or one.time < sought.until)
    )


@given(sought=SOUGHT, seed=st.integers(0, 99))
def test_filters_leave_what_fits(sought: Search, seed: int) -> None:
    """Signs that databases read in patterns are letters like others."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    ledger = Ledger(engine, KEY, CHAIN)
    whole = some(seed)
    ledger.write([Entry((event(at),), queue=(one,)) for at, one in enumerate(whole)])
    ledger.close()
    with engine.connect() as connection:
        found = in_pages(connection, sought, 5)
        assert len(found) == count_matches(connection, sought)
    falling = sought.order in ("newest", "doubtful")
    fitting = [one for one in whole if fits(one, sought)]
    assert sorted(fitting, key=KEYS[sought.order], reverse=falling) == found


def reviewed(one: QueueItem, time: int, verdict: str = "B", reviewer: str = "Kim") -> Entry:
    said = Event("review", one.prediction, time, b"{}", ordinal=0 if verdict == "B" else None)
    decided = replace(one, verdict=verdict, reviewer=reviewer, decided=time, step="decide")
    return Entry((said,), queue=(decided,))


def test_who_was_looked_at_waits_no_longer(
    engine: Engine, ledger: Ledger, waiting: list[QueueItem]
) -> None:
    """A review takes a prediction off the list, an outcome does not; decided ones have one too."""
    first, second, known = waiting[3], waiting[5], waiting[4].prediction
    unknown = referral(identifier(900), START)
    said = [reviewed(second, 70), reviewed(first, 60), reviewed(unknown, 80)]
    assert [True] * 4 == ledger.write(
        [*said, Entry((Event("outcome", known, 90, b"{}", ordinal=0),))]
    )
    with engine.connect() as connection:
        left = [one.prediction for _, one in queue_page(connection, Search("waiting"), 100, None)]
        assert COUNT - 2 == count_matches(connection) == len(left)
        assert known in left
        decided = in_pages(connection, Search("decided"), 1)
        assert [first, second, unknown] == [plain(one) for one in decided]
        assert [(60, "B", "Kim"), (70, "B", "Kim"), (80, "B", "Kim")] == [
            (one.decided, one.verdict, one.reviewer) for one in decided
        ]
        late = Search("decided", "newest", since=70)
        assert [80, 70] == [one.decided for one in in_pages(connection, late, 100)]


def plain(one: QueueItem) -> QueueItem:
    """One as it came."""
    return referral(
        one.prediction,
        one.time,
        one.doubt,
        **{
            name: getattr(one, name)
            for name in ("grade", "reasons", "version", "model", "reference")
        },
    )


def test_a_correction_changes_the_verdict_and_not_the_time(
    engine: Engine, ledger: Ledger, waiting: list[QueueItem]
) -> None:
    """Who decided last is told, and when it was decided first."""
    ledger.write([reviewed(waiting[0], 60), reviewed(waiting[0], 90, "C", "Lee")])
    with engine.connect() as connection:
        ((_, found),) = queue_page(connection, Search("decided"), 5, None)
    assert (60, "C", "Lee") == (found.decided, found.verdict, found.reviewer)


def test_who_looks_at_one_is_told_and_sought(
    engine: Engine, ledger: Ledger, waiting: list[QueueItem]
) -> None:
    """Until somebody else does, or nobody."""
    one, two = waiting[1], waiting[2]
    for item, name in ((one, "Kim"), (two, "Kim"), (two, "Lee"), (one, None)):
        assigned = replace(item, assignee=name, step="assign")
        assert [True] == ledger.write([Entry((event(97),), queue=(assigned,))])
    with engine.connect() as connection:
        ((_, found),) = queue_page(connection, Search("waiting", assignee="Lee"), 5, None)
        assert (two.prediction, "Lee") == (found.prediction, found.assignee)
        assert 0 == count_matches(connection, Search("waiting", assignee="Kim"))


def test_what_is_not_due_yet_stays_to_be_seen(engine: Engine, ledger: Ledger) -> None:
    """Of an old review that was corrected lately the later name is told; then it goes as well."""
    one = referral(identifier(1), 5)
    words = b'{"reviewer":"x","note":""}'
    for time, name in ((10, "Kim"), (1_000, "Lee")):
        said = Event("review", one.prediction, time, b"{}", words)
        decided = replace(one, verdict="B", reviewer=name, decided=time, step="decide")
        ledger.write([Entry((said,), queue=(decided,))])
    for before, left in ((500, "Lee"), (2_000, None)):
        ledger.erase(Erasure(before=before))
        with engine.connect() as connection:
            ((_, found),) = queue_page(connection, Search("decided"), 5, None)
        assert left == found.reviewer


def test_a_place_is_what_a_list_is_ordered_by(engine: Engine, waiting: list[QueueItem]) -> None:
    """Also where a reference is missing, and stands for an empty one."""
    with engine.connect() as connection:
        for order, key in KEYS.items():
            for place, one in queue_page(connection, Search("waiting", order=order), 100, None):
                expected: ListPosition = key(one)
                value = place[0].encode() if isinstance(place[0], str) else place[0]
                assert expected == (value, place[1])
