"""Traffic: what is counted of every exchange, whatever its route."""

from dataclasses import dataclass

from prometheus_client import Counter, Histogram

from app.monitoring.instruments import Instruments
from app.monitoring.request_counts import Exchange, Exchanges, exchange

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "-"


@dataclass(frozen=True, slots=True)
class _Kind:
    """The series of one kind of exchange, and what the records count it as."""

    requests: Counter
    seconds: Histogram
    exchange: Exchange


class Traffic:
    """Counts exchanges by the route's template; never by what a client has typed."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        self._kinds: dict[tuple[str, str, int], _Kind] = {}
        self._exchanges: Exchanges | None = None

    def record(self, exchanges: Exchanges) -> None:
        """Count from now on for the records as well."""
        self._exchanges = exchanges

    def __call__(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one exchange, and how long it took to its answer."""
        kind = self._kinds.get((route, method, status)) or self._kind(route, method, status)
        kind.requests.inc()
        kind.seconds.observe(seconds)
        if self._exchanges is not None:
            self._exchanges.count(kind.exchange, seconds)

    def _kind(self, route: str, method: str, status: int) -> _Kind:
        """The series of a kind; a method that nobody knows is no kind of its own."""
        key = (route, method if method in METHODS else OTHER, status)
        if key not in self._kinds:
            requests = self._instruments.requests.labels(*key)
            seconds = self._instruments.request_seconds.labels(route)
            self._kinds[key] = _Kind(requests, seconds, exchange(route, status))
        return self._kinds[key]
