"""Forms of requests at the edge, as a generator varies them: what is sent, and what must come back.

Each complete request has an `X-Request-ID` of its own, and many bodies hold a request to a route
that is never asked for otherwise: so a body that is parsed as a request shows.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

CANARY = "/model/card"
"""A route that only bodies name."""
ROW = {
    "loan_amount": 12000,
    "annual_income": 96000,
    "debt_to_income": 8.6,
    "total_credit_lines": 14,
    "delinq_2y": 0,
    "paid_principal": 773.87,
    "paid_interest": 126.62,
    "paid_late_fees": 0,
    "current_accounts_delinq": 0,
}
BODY = json.dumps(ROW).encode()
INNER = f"GET {CANARY} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
JSON = ("Content-Type", "application/json")
SHORT = 0.3
"""Seconds that are less than every limit of the service that is asked."""
GOOD, REFUSED = frozenset({200}), frozenset({400})

Header = tuple[str, str]


@dataclass(slots=True)
class Exchange:
    """What one client does on one connection."""

    answers: list[tuple[str, frozenset[int]]] = field(default_factory=list)
    """Identifier and possible statuses of each complete request, in order."""
    parts: list[bytes | float] = field(default_factory=list)
    """What is sent, and seconds to wait in between."""
    broken: frozenset[int] | None = None
    """Statuses of the one answer there may be to what is no complete request; then it is closed."""
    ends_side: bool = False
    """Whether the client ends its side after all is sent."""
    reads: bool = True
    unread: int = 0
    """Answers that were asked for by who does not read."""
    hangs_up: bool = False
    is_closed: bool = False
    """Whether the last complete request asks for the connection to be closed."""
    pace: int = 1 << 16
    """Bytes read at a time."""
    heads: frozenset[str] = frozenset()
    """Identifiers of requests whose answers have no body."""


class Maker:
    """Makes the bytes of requests, all by one source of randomness."""

    def __init__(self, random: Random, origin: str) -> None:
        self.random = random
        self.origin = origin
        """Host and port of the service."""
        self.exchange = Exchange()
        self._count = 0

    def request(
        self,
        body: bytes | None = BODY,
        *more: Header,
        path: str | None = None,
        method: str = "POST",
        host: tuple[Header, ...] | None = None,
        version: str = "1.1",
        framing: Header | None = None,
        statuses: frozenset[int] | None = GOOD,
        typed: bool = True,
    ) -> bytes:
        """A request, noted with its statuses; with None it is no complete one and is not noted."""
        self._count += 1
        name = f"{self.random.getrandbits(64):016x}-{self._count}"
        path = path or self.random.choice(("/predict", "/predict/mc?passes=8&seed=7"))
        headers = list(host if host is not None else (("Host", self.origin),))
        if body is not None:
            headers.append(framing or ("Content-Length", str(len(body))))
            headers += [JSON] if typed else []
        headers += [("X-Request-ID", name), *more]
        self.random.shuffle(headers)
        if statuses is not None:
            self.exchange.answers.append((name, statuses))
        if method == "HEAD":
            self.exchange.heads |= {name}
        lines = "".join(f"{self._cased(key)}: {value}\r\n" for key, value in headers)
        head = f"{method} {path} HTTP/{version}\r\n{lines}\r\n".encode("latin-1")
        return head + (body or b"")

    def live(self, *more: Header, **known: object) -> bytes:
        """A request without a body."""
        return self.request(None, *more, path="/health/live", method="GET", **known)  # type: ignore[arg-type]

    def _cased(self, name: str) -> str:
        return self.random.choice((name, name.lower(), name.upper()))

    def chunked(self, body: bytes, *, extension: str = "", trailer: bytes = b"") -> bytes:
        """A body in chunks of random sizes."""
        parts, start = [], 0
        while start < len(body):
            size = self.random.randint(1, max(1, len(body) // 3))
            piece = body[start : start + size]
            parts.append(b"%x%b\r\n%b\r\n" % (len(piece), extension.encode(), piece))
            start += size
        return b"".join([*parts, b"0\r\n", trailer, b"\r\n"])

    def in_chunks(self, body: bytes = BODY, *more: Header, **known: object) -> bytes:
        """A request whose body is chunked."""
        framing = ("Transfer-Encoding", "chunked")
        trailer, extension = known.pop("trailer", b""), known.pop("extension", "")
        content = self.chunked(body, extension=str(extension), trailer=bytes(trailer))  # type: ignore[call-overload]
        return self.request(body, *more, framing=framing, **known)[: -len(body)] + content  # type: ignore[arg-type]

    def split(self, data: bytes, most: int = 4) -> list[bytes | float]:
        """Data in a few pieces, now and then with a pause between them."""
        cuts = sorted(
            self.random.randint(1, len(data)) for _ in range(self.random.randint(1, most))
        )
        pieces: list[bytes | float] = []
        for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
            pieces += [data[start:stop], self.random.choice((0.0, 0.0, 0.01))]
        return pieces

    def send(self, *data: bytes, most: int = 4) -> Exchange:
        """The exchange that sends data in pieces."""
        whole = b"".join(data)
        self.exchange.parts = self.split(whole, most) if whole else []
        return self.exchange


Form = Callable[[Maker], Exchange]


def inner_body(make: Maker) -> bytes:
    """A body that is a request, or holds one."""
    return make.random.choice((INNER, INNER * 3, b'{"a": 1}' + INNER, BODY + b"\r\n" + INNER))


def offer(make: Maker) -> tuple[Header, ...]:
    """Headers that offer another protocol."""
    protocol = make.random.choice(("h2c", "websocket", "TLS/1.0", "h2c, websocket", "foo/2", "H2C"))
    connection = make.random.choice(("Upgrade", "upgrade, HTTP2-Settings", "keep-alive, Upgrade"))
    more = (("HTTP2-Settings", "AAEAAEAA"),) if make.random.random() < 0.5 else ()
    return (("Connection", connection), ("Upgrade", protocol), *more)


UPGRADE: dict[str, Form] = {
    "length": lambda make: make.send(make.request(BODY, *offer(make))),
    "a request inside": lambda make: make.send(
        make.request(inner_body(make), *offer(make), statuses=REFUSED)
    ),
    "chunked": lambda make: make.send(make.in_chunks(BODY, *offer(make))),
    "a request inside chunks": lambda make: make.send(
        make.in_chunks(inner_body(make), *offer(make), statuses=REFUSED)
    ),
    "no body": lambda make: make.send(make.live(*offer(make))),
    "pipelined": lambda make: make.send(
        make.request(BODY, *offer(make)), make.live(*offer(make)), make.request(BODY, *offer(make))
    ),
    "an expectation": lambda make: make.send(
        make.request(BODY, *offer(make), ("Expect", "100-continue"))
    ),
    "byte by byte": lambda make: make.send(make.request(BODY, *offer(make)), most=60),
    "without the token": lambda make: make.send(make.request(BODY, ("Upgrade", "h2c"))),
    "a websocket handshake": lambda make: make.send(
        make.live(*offer(make), ("Sec-WebSocket-Key", "eA=="), ("Sec-WebSocket-Version", "13"))
    ),
    "before a plain one": lambda make: make.send(
        make.request(BODY, *offer(make)), make.request(BODY), make.live()
    ),
    "for no route": lambda make: make.send(
        make.request(inner_body(make), *offer(make), path="/none", statuses=frozenset({404}))
    ),
}


def _broken(make: Maker, data: bytes, *statuses: int) -> Exchange:
    """Something that is no request, now and then after some that are.

    Requests in the data itself must not be noted, as they come after those.
    """
    kinds = make.random.choices(
        (make.live, make.request, make.in_chunks), k=make.random.randint(0, 2)
    )
    before = b"".join(kind() for kind in kinds)
    make.exchange.broken = frozenset(statuses or {400})
    return make.send(before, data)


def _raw(make: Maker, *lines: str, body: bytes = b"") -> bytes:
    head = "\r\n".join((f"POST /predict HTTP/1.1\r\nHost: {make.origin}", *lines, "", ""))
    return head.encode("latin-1") + body


def _many(make: Maker) -> Exchange:
    """Two to forty requests sent at once."""
    requests = [
        make.random.choice((make.live, make.request, make.in_chunks))()
        for _ in range(make.random.randint(2, 40))
    ]
    return make.send(*requests)


def _absolute(make: Maker) -> Exchange:
    target = f"http://{make.origin}/predict"
    return make.send(make.request(BODY, path=target, host=(("Host", make.origin),)))


def _old(make: Maker) -> Exchange:
    make.exchange.is_closed = True
    return make.send(make.request(BODY, version="1.0"))


FRAMING: dict[str, Form] = {
    "length": lambda make: make.send(make.request(), make.request()),
    "byte by byte": lambda make: make.send(make.request(), most=100),
    "chunks": lambda make: make.send(make.in_chunks(), make.in_chunks(), most=20),
    "chunk extensions": lambda make: make.send(make.in_chunks(extension=";a=b;c")),
    "trailers": lambda make: make.send(make.in_chunks(trailer=b"X-Request-ID: no\r\nHost: b\r\n")),
    "a request in the body": lambda make: make.send(
        make.request(inner_body(make), statuses=REFUSED), make.live()
    ),
    "a request in chunks": lambda make: make.send(
        make.in_chunks(inner_body(make), statuses=REFUSED), make.live()
    ),
    "pipelined": _many,
    "before garbage": lambda make: _broken(make, b"\x00\x01\x02 nonsense\r\n\r\n"),
    "absolute form": _absolute,
    "version 1.0": _old,
    "empty lines before": lambda make: make.send(b"\r\n\r\n", make.request()),
    "length and chunked": lambda make: _broken(
        make, _raw(make, "Content-Length: 5", "Transfer-Encoding: chunked", body=INNER)
    ),
    "two lengths": lambda make: _broken(
        make, _raw(make, "Content-Length: 5", "Content-Length: 6", body=INNER)
    ),
    "a bad length": lambda make: _broken(
        make,
        _raw(make, f"Content-Length: {make.random.choice(('-5', '+5', '5 5', '0x5'))}", body=INNER),
    ),
    "a bad chunk": lambda make: _broken(
        make, _raw(make, "Transfer-Encoding: chunked", body=b"zz\r\n" + INNER)
    ),
    "chunks that lie": lambda make: _broken(
        make, _raw(make, "Transfer-Encoding: chunked", body=b"3\r\nabcdef\r\n0\r\n\r\n" + INNER)
    ),
    "another coding": lambda make: _broken(
        make, _raw(make, "Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")
    ),
    "chunked twice": lambda make: _broken(
        make, _raw(make, "Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"), 400
    ),
    "bare line feeds": lambda make: _broken(make, b"GET /health/live HTTP/1.1\nHost: a\n\n"),
    "another version": lambda make: _broken(
        make, b"GET / HTTP/%b\r\nHost: a\r\n\r\n" % make.random.choice((b"2.0", b"0.9"))
    ),
    "a proxy's method": lambda make: _broken(
        make, b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n" + INNER
    ),
    "HTTP/2 itself": lambda make: _broken(make, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
}


def _headers(make: Maker, count: int, size: int) -> tuple[Header, ...]:
    return tuple((f"X-{at}", "y" * size) for at in range(count))


HEADERS: dict[str, Form] = {
    "no host": lambda make: _broken(make, b"GET /health/live HTTP/1.1\r\n\r\n"),
    "two hosts": lambda make: _broken(make, _raw(make, "Host: b")),
    "a bad host": lambda make: _broken(
        make, b"GET /health/live HTTP/1.1\r\nHost: a b/c\r\n\r\n" + INNER
    ),
    "as many as may be": lambda make: make.send(make.request(BODY, *_headers(make, 90, 3))),
    "too many": lambda make: _broken(
        make, make.request(None, *_headers(make, 101, 1), method="GET", statuses=None), 431
    ),
    "as large as may be": lambda make: make.send(make.request(BODY, *_headers(make, 3, 10_000))),
    "too large": lambda make: _broken(
        make, make.request(None, *_headers(make, 4, 9_000), method="GET", statuses=None), 431
    ),
    "one without an end": lambda make: _broken(
        make, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * make.random.randint(40_000, 99_000), 431
    ),
    "a long URL": lambda make: make.send(
        make.request(None, path="/none?" + "a" * 8_000, method="GET", statuses=frozenset({404}))
    ),
    "too long a URL": lambda make: _broken(make, b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n", 414),
    "a URL without an end": lambda make: _broken(make, b"GET /" + b"a" * 70_000, 414),
    "large trailers": lambda make: _broken(
        make,
        make.in_chunks(trailer=b"X: " + b"y" * 40_000 + b"\r\n", statuses=None),
        200,
        400,
        431,
    ),
    "a long extension": lambda make: _broken(
        make, _raw(make, "Transfer-Encoding: chunked", body=b"5;" + b"a" * 90_000), 431
    ),
    "a space before the colon": lambda make: _broken(make, _raw(make, "X-A : b")),
    "a folded line": lambda make: _broken(make, _raw(make, "X-A: b", " c")),
    "a null": lambda make: _broken(make, _raw(make, "X-A: b\x00c")),
    "other letters": lambda make: make.send(
        make.request(BODY, ("X-Odd", "ä\xff"), ("X-Empty", ""))
    ),
}


def _browser(make: Maker, *more: Header, status: int = 403, typed: bool = True) -> Exchange:
    return make.send(make.request(BODY, *more, typed=typed, statuses=frozenset({status})))


BROWSER: dict[str, Form] = {
    "another site": lambda make: _browser(make, ("Sec-Fetch-Site", "cross-site")),
    "another origin": lambda make: _browser(make, ("Origin", "https://evil.example")),
    "no origin": lambda make: _browser(make, ("Origin", "null")),
    "another port": lambda make: _browser(make, ("Origin", "http://127.0.0.1:9")),
    "the page itself": lambda make: _browser(
        make, ("Origin", f"http://{make.origin}"), ("Sec-Fetch-Site", "same-origin"), status=200
    ),
    "its origin alone": lambda make: _browser(
        make, ("Origin", f"http://{make.origin}"), status=200
    ),
    "the address bar": lambda make: _browser(make, ("Sec-Fetch-Site", "none"), status=200),
    "without a type": lambda make: _browser(
        make, ("Origin", f"http://{make.origin}"), status=415, typed=False
    ),
    "a form's type": lambda make: _browser(
        make,
        ("Origin", f"http://{make.origin}"),
        ("Content-Type", "text/plain"),
        status=415,
        typed=False,
    ),
    "another name": lambda make: make.send(
        make.request(
            BODY,
            ("Origin", "http://evil.example"),
            ("Sec-Fetch-Site", "same-origin"),
            host=(("Host", "evil.example"),),
            statuses=frozenset({403}),
        )
    ),
    "no browser": lambda make: _browser(make, status=200, typed=False),
    "reading": lambda make: make.send(make.live(("Sec-Fetch-Site", "cross-site"))),
}


def _ending(make: Maker, *data: bytes) -> Exchange:
    make.exchange.ends_side = True
    return make.send(*data)


def _leaving(make: Maker, *data: bytes) -> Exchange:
    make.exchange.hangs_up, make.exchange.answers = True, []
    return make.send(*data)


def _deaf(make: Maker) -> Exchange:
    body = json.dumps({"instances": [ROW] * 200}).encode()
    path = "/predict/mc?passes=70&draws=true"
    requests = [make.request(body, path=path) for _ in range(make.random.randint(4, 12))]
    make.exchange.reads, make.exchange.answers = False, []
    make.exchange.unread = len(requests)
    make.exchange.broken = frozenset()
    return make.send(*requests)


def _slow(make: Maker) -> Exchange:
    make.exchange.pace = make.random.randint(20, 200)
    return make.send(make.request(), make.request())


def _closing(make: Maker, *data: bytes) -> Exchange:
    make.exchange.is_closed = True
    return make.send(*data)


def _cut(make: Maker, data: bytes) -> bytes:
    """A beginning of data, and not all of it."""
    return data[: make.random.randint(1, len(data) - 1)]


READERS: dict[str, Form] = {
    "its side ends": lambda make: _ending(make, make.request()),
    "its side ends after several": lambda make: _ending(make, make.request(), make.request()),
    "its side ends in chunks": lambda make: _ending(make, make.in_chunks()),
    "its side ends too early": lambda make: _ending_early(make),
    "gone at once": lambda make: _leaving(make, make.request()),
    "gone in the middle": lambda make: _leaving(make, _cut(make, make.request())),
    "gone after several": lambda make: _leaving(make, *(make.request() for _ in range(5))),
    "reads nothing": _deaf,
    "reads slowly": _slow,
    "asks to be closed": lambda make: _closing(make, make.request(BODY, ("Connection", "close"))),
    "goes on after the last": lambda make: _closing(
        make, make.request(BODY, ("Connection", "close")), INNER
    ),
    "head alone": lambda make: make.send(
        make.request(None, path="/health/live", method="HEAD"), make.live()
    ),
}


def _ending_early(make: Maker) -> Exchange:
    make.exchange.broken = frozenset({400, 408})
    return _ending(make, _cut(make, make.request(statuses=None)))


def _stalled(make: Maker, before: bytes, data: bytes, *statuses: int) -> Exchange:
    """Requests, and then something that does not go on."""
    make.exchange.broken = frozenset(statuses)
    return make.send(before, data)


def _dripping(make: Maker, data: bytes, *statuses: int) -> Exchange:
    """Something that comes so slowly that each byte is in time and the whole is not."""
    make.exchange.broken = frozenset(statuses)
    for at in range(len(data)):
        make.exchange.parts += [data[at : at + 1], SHORT]
    return make.exchange


def _pausing(make: Maker) -> Exchange:
    make.exchange.parts = [make.request(), SHORT, make.live(), SHORT, make.in_chunks()]
    return make.exchange


IDLE: dict[str, Form] = {
    "silent": lambda make: _stalled(make, b"", b""),
    "silent after a request": lambda make: _stalled(make, make.request(), b""),
    "a line": lambda make: _stalled(make, b"", b"POST /predict HTT", 408),
    "a line after a request": lambda make: _stalled(make, make.live(), b"GET /he", 408),
    "a head": lambda make: _stalled(make, b"", _raw(make, "Content-Length: 9")[:-4], 408),
    "a body": lambda make: _stalled(
        make, b"", _cut_body(make.request(statuses=None), make.random.randint(1, 90)), 408
    ),
    "a chunk": lambda make: _stalled(
        make, b"", _raw(make, "Transfer-Encoding: chunked", body=b"5\r\nab"), 408
    ),
    "a body that nobody reads": lambda make: _stalled(
        make, b"", _raw(make, "Content-Length: 99").replace(b"/predict", b"/none"), 404
    ),
    "a head that drips": lambda make: _dripping(make, b"GET /health/live HTTP/1.1", 408),
    "lines that drip": lambda make: _dripping(make, b"\r\n" * 20),
    "an expectation": lambda make: _stalled(
        make, b"", _raw(make, "Content-Length: 99", "Expect: 100-continue"), 408
    ),
    "pauses": _pausing,
}


def _cut_body(request: bytes, size: int) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n" + body[:size]


KINDS = {
    "upgrade": UPGRADE,
    "framing": FRAMING,
    "headers": HEADERS,
    "browser": BROWSER,
    "readers": READERS,
    "idle": IDLE,
}
