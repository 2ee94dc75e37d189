"""The port: an address that cannot be had is a sentence."""

import socket

import pytest

from app.errors import HostingError
from app.hosting.port import address, bound, listen


@pytest.mark.parametrize(
    "host", ["a" * 70, "a..b", "nowhere.invalid", "203.0.113.7", "2001:db8::7", "[::1]", " "]
)
def test_an_address_that_is_not_this_machines_is_a_sentence(host: str) -> None:
    """No name, a name of no machine, or an interface that is another's; the sentence names it."""
    with pytest.raises(HostingError, match="cannot listen on") as refused:
        bound(host, 0)
    assert f" {host} port 0: " in str(refused.value)
    assert "None" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_port_in_use_is_a_sentence() -> None:
    """Whether another process listens there already or begins to in the meantime."""
    with bound("127.0.0.1", 0) as first, bound("127.0.0.1", first.getsockname()[1]) as second:
        listen(first)
        with pytest.raises(HostingError, match="in use"):
            listen(second)
        with pytest.raises(HostingError, match="in use"):
            bound("127.0.0.1", first.getsockname()[1])


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_address_is_written_as_a_browser_takes_it() -> None:
    """An IPv6 one in brackets."""
    try:
        opened = bound("::1", 0)
    except HostingError:
        pytest.skip("this machine has no IPv6")
    with opened:
        assert f"http://[::1]:{opened.getsockname()[1]}" == address(opened)
