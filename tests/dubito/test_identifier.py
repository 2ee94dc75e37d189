"""Identifiers: UUIDs of version 7, in the order of their time, never the same twice."""

import time
from collections import Counter
from uuid import RFC_4122, UUID

from dubito.identifier import is_id, new_id

MANY = 20_000


def test_they_are_uuids_of_version_7() -> None:
    """As the standard library reads them, with the time in milliseconds in front."""
    before = time.time_ns() // 1_000_000
    made = [new_id() for _ in range(MANY)]
    after = time.time_ns() // 1_000_000
    read = [UUID(one) for one in made]
    assert {(7, RFC_4122)} == {(one.version, one.variant) for one in read}
    assert made == list(map(str, read))
    assert all(map(is_id, made))
    times = [one.int >> 80 for one in read]
    assert times == sorted(times)
    assert before <= times[0]
    assert times[-1] <= after
    assert MANY == len(set(made))


def test_all_other_bits_are_random() -> None:
    """Each of the 74 is set in half of them, within five standard errors."""
    free = [at for at in range(80) if at not in (62, 63, 76, 77, 78, 79)]
    made = [UUID(new_id()).int for _ in range(MANY)]
    counts = Counter(at for one in made for at in free if one >> at & 1)
    assert 74 == len(free)
    assert all(abs(counts[at] - MANY / 2) < 5 * MANY**0.5 / 2 for at in free)
