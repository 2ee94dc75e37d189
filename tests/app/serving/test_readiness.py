"""Readiness: the first trouble there is, asked for at every request."""

import pytest

from app.errors import NotReady
from app.serving.readiness import Readiness


def told(readiness: Readiness) -> str | None:
    return readiness.trouble


def test_any_trouble_is_told_until_it_is_over() -> None:
    """The sentence is the trouble's own, and whoever is refused is told when to come again."""
    troubles: dict[str, str | None] = {"engine": None, "records": None}
    readiness = Readiness(*(lambda name=name: troubles[name] for name in troubles))
    for name in troubles:
        assert told(readiness) is None
        readiness.check()
        troubles[name] = f"the {name} is away"
        assert f"the {name} is away" == told(readiness)
        with pytest.raises(NotReady, match=f"the {name} is away") as refused:
            readiness.check()
        assert 1 <= refused.value.retry_after
        troubles[name] = None


def test_without_anything_to_ask_it_is_ready() -> None:
    """Nothing that could be in trouble is no trouble."""
    assert Readiness().trouble is None
