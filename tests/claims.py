"""Cases of a claim of which `make test` takes some, and the proof all."""

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

import pytest

Case = TypeVar("Case")


def sample(cases: Iterable[Case], kept: Collection[Case]) -> list[Any]:
    """All cases as parameters; those that are not kept are left to the proof.

    Every test that gets one of them must be a claim, or no run would have it.
    """
    return [
        case if case in kept else pytest.param(case, marks=pytest.mark.left_to_proof)
        for case in cases
    ]
