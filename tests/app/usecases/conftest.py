"""What a client sends."""

import pytest

from tests.dubito.inputs.bodies import LOAN


@pytest.fixture
def loan() -> dict[str, float | None]:
    """The design page's loan."""
    return dict(LOAN)
