"""What tests of the service have in common."""

from collections.abc import Iterator

import pytest

from tests.service import SERVING


@pytest.fixture(scope="module", autouse=True)
def serving_installation() -> Iterator[None]:
    """Engines that a test starts without `dubito serve` have what a serving installation has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", SERVING)
        yield
