"""Random numbers that are read many at a time: each is drawn once, whoever draws it."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from dubito.system_random import AT_ONCE, BITS, random_bits

DRAWN = 40 * AT_ONCE


@pytest.mark.parametrize("count", [1, 53, BITS])
def test_every_bit_is_fair(count: int) -> None:
    """Within six standard deviations of one half, and no number has more bits than asked for."""
    numbers = [random_bits(count) for _ in range(DRAWN)]
    assert max(numbers) < 1 << count
    for bit in range(count):
        ones = sum(number >> bit & 1 for number in numbers)
        assert abs(ones - DRAWN / 2) < 6 * (DRAWN / 4) ** 0.5


def test_threads_draw_no_number_twice() -> None:
    """Also where several of them read anew at once."""
    with ThreadPoolExecutor(8) as threads:
        parts = list(threads.map(lambda _: [random_bits(BITS) for _ in range(DRAWN)], range(8)))
    assert {1} == set(Counter(number for part in parts for number in part).values())


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_draws_its_own() -> None:
    """What its parent had read ahead is not drawn a second time."""
    random_bits(BITS)
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(there, b"".join(random_bits(BITS).to_bytes(10, "big") for _ in range(AT_ONCE)))
        os._exit(0)
    os.close(there)
    with os.fdopen(here, "rb") as pipe:
        drawn = pipe.read()
    os.waitpid(child, 0)
    theirs = {int.from_bytes(drawn[at : at + 10], "big") for at in range(0, len(drawn), 10)}
    assert AT_ONCE == len(theirs)
    assert theirs.isdisjoint(random_bits(BITS) for _ in range(2 * AT_ONCE))
