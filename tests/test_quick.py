"""`make bench ONLY=quick`: what counts as moved, and how it is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.quick import LEAST_MOVE, PROBE, Verdict, lines
from benchmarks.services import MODELS, NAME


@pytest.mark.parametrize(
    ("ratios", "word"),
    [
        ([1.05, 1.10, 1.20], "slower by 10%"),
        ([0.80, 0.90, 0.99], "faster by 10%"),
        ([0.99, 1.10, 1.20], "within noise"),
        ([0.80, 0.90, 1.01], "within noise"),
        ([1.001, 1 + LEAST_MOVE / 2, 1.2], "within noise"),
        ([0.9, 1 - LEAST_MOVE / 2, 0.999], "within noise"),
    ],
)
def test_what_moved_did_so_in_every_round(ratios: list[float], word: str) -> None:
    """And by enough; the order of the rounds does not matter."""
    assert word == Verdict.of(ratios).word == Verdict.of(ratios[::-1]).word


def test_what_moved_is_told_first() -> None:
    """With the median and its spread."""
    found = {"still": Verdict(1.0, 0.9, 1.1), "moved": Verdict(1.2, 1.1, 1.3)}
    first, second = lines(found)
    assert "moved  1.200 (1.100 to 1.300)    slower by 20%" == first
    assert second.startswith("still")


def test_the_probe_times_every_shape() -> None:
    """In a process of its own, as for another commit."""
    words = [sys.executable, str(PROBE), str(Path(MODELS / NAME).absolute()), "1:1", "1:50"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    one, many = map(float, done.stdout.split())
    assert 0 < one
    assert 0 < many
