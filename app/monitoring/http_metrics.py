"""HTTP metrics: requests and durations by route, method and status."""

from dataclasses import dataclass

from prometheus_client import Counter

from app.monitoring.instruments import Instruments
from app.monitoring.metric_buffer import BulkHistogram
from app.monitoring.request_counts import Exchange, Exchanges, exchange

KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "-"


@dataclass(frozen=True, slots=True)
class _Kind:
    """The Prometheus series of one kind of request, and its counts in the records."""

    requests: Counter
    seconds: BulkHistogram
    exchange: Exchange


class Traffic:
    """Counts requests by the route's template, never by text from a client."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        self._buffer = instruments.buffer
        self._kinds: dict[tuple[str, str, int], _Kind] = {}
        self._exchanges: Exchanges | None = None

    def record(self, exchanges: Exchanges) -> None:
        """Count requests for the records too, from now on."""
        self._exchanges = exchanges

    def __call__(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request and its duration until the response began, seconds."""
        kind = self._kinds.get((route, method, status)) or self._kind(route, method, status)
        self._buffer.count(kind.requests)
        self._buffer.observe(kind.seconds, seconds)
        if self._exchanges is not None:
            self._exchanges.count(kind.exchange, seconds)

    def _kind(self, route: str, method: str, status: int) -> _Kind:
        """Return the series of a kind; all unknown methods share one."""
        key = (route, method if method in KNOWN_METHODS else OTHER, status)
        if key not in self._kinds:
            requests = self._instruments.requests.labels(*key)
            seconds = self._instruments.request_seconds.labels(route)
            self._kinds[key] = _Kind(requests, seconds, exchange(route, status))
        return self._kinds[key]
