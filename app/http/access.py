"""Access control by origin: which browser pages may send requests, and who may read records.

A browser sends the requests that a page of any site makes. It names the page's origin (`Origin`)
and its relation to the service (`Sec-Fetch-Site`), and no page can change these headers. A request
with neither header comes from a program.
"""

import ipaddress
from collections.abc import Awaitable, Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.problems import Refusal, answer_to, fitted
from app.problem_codes import ProblemCode
from app.proxy_headers import BY_PROXIES
from app.settings import Settings

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing and record nothing (RFC 9110 §9.2.1)."""
ORIGIN, SITE = "origin", "sec-fetch-site"
FROM_PAGES = frozenset({ORIGIN.encode(), SITE.encode()})
"""Names of headers that only browsers send, in lower case as ASGI has them."""
PORTS = {"http": "80", "https": "443"}
ANY = "*"


class Access:
    """Decides whether a request may be answered."""

    def __init__(self, settings: Settings) -> None:
        """Read host names, allowed origins and the exposure of records from the settings."""
        self._is_exposed = settings.records_exposed
        self._origins = frozenset(origins_of(settings))
        self._names = {name.strip().lower() for name in settings.allowed_hosts.split(",")}

    def shows_records(self, request: Request) -> bool:
        """Whether the sender of a request may read records."""
        try:
            self.check_records(request)
        except Refusal:
            return False
        return True

    def check_records(self, request: Request) -> None:
        """Check that a request may read or write records.

        Raises:
            Refusal: 403, the request comes through a proxy or from another machine, names an
                unknown
                host, or comes from a page of another site.
        """
        if not self._is_exposed and not (is_local(request.scope) and _is_direct(request)):
            raise _forbidden(
                ProblemCode.RECORDS_HIDDEN,
                "records are shown on loopback only, and not through a proxy, unless "
                "DUBITO_RECORDS_EXPOSED is 1",
            )
        host = request.headers.get("host", "")
        if not self._is_known(host):
            raise _unknown_host()
        origin = request.headers.get(ORIGIN)
        if origin is not None and not (_is_address(origin, host) or origin in self._origins):
            detail = "a page of another site must not ask for records"
            raise _forbidden(ProblemCode.OTHER_SITE, detail)

    def refusal_of(self, scope: Scope) -> Refusal | None:
        """Return why a page's request may not be served; None if it may.

        On loopback, a page of another site can make its own host name resolve to this service (DNS
        rebinding), and the browser then reports the same origin: only the host name reveals it.
        """
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if is_local(scope) and not self._is_known(host):
            return _unknown_host()
        origins, sites = headers.getlist(ORIGIN), headers.getlist(SITE)
        if self._is_allowed(origins) or _is_own(origins, sites, host):
            return None
        detail = "a page of another site must not ask for this (DUBITO_CORS_ORIGINS)"
        return _forbidden(ProblemCode.OTHER_SITE, detail)

    def _is_known(self, host: str) -> bool:
        return _split(host.lower())[0] in self._names

    def _is_allowed(self, origins: Sequence[str]) -> bool:
        """Whether the page's origin is one that the settings allow."""
        return len(origins) == 1 and not self._origins.isdisjoint({origins[0], ANY})


class OriginGuard:
    """ASGI middleware that keeps requests of other sites' pages from reaching any route.

    It checks methods rather than routes, so no route can be left unprotected.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Wrap an application with the rules that decide."""
        self._app = app
        self._access = access

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Forward a request or refuse it; a plain function, as it has nothing to await."""
        is_asked = scope["type"] == "http" and scope["method"] not in SAFE
        if is_asked and is_of_page(dict(scope["headers"])):
            refusal = self._access.refusal_of(scope)
            if refusal is not None:
                return fitted(scope["path"], answer_to(refusal))(scope, receive, send)
        return self._app(scope, receive, send)


def is_local(scope: Scope) -> bool:
    """Whether both ends of a connection are on the loopback interface, whatever a header says.

    An ASGI server that somebody else configured may listen anywhere, so the host setting is no
    evidence.
    """
    ends = scope.get("server"), scope.get("client")
    return all(end is not None and _is_loopback(end[0]) for end in ends)


def is_of_page(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser sent a request with these headers (named as in ASGI) for a page."""
    return not FROM_PAGES.isdisjoint(headers)


def origins_of(settings: Settings) -> list[str]:
    """List the origins of other sites whose pages may send requests, as browsers write them."""
    named = (settings.cors_origins or "").lower().split(",")
    return [one.strip().rstrip("/") for one in named if one.strip()]


def allow(app: FastAPI, origins: Sequence[str]) -> None:
    """Allow pages of other origins to send requests (CORS)."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT"],
        allow_headers=[
            "content-type",
            "dubito-reference",
            "idempotency-key",
            "if-none-match",
            "traceparent",
            "tracestate",
            "x-request-id",
        ],
        expose_headers=["etag", "retry-after", "x-request-id"],
    )


def _is_direct(request: Request) -> bool:
    """Whether no header shows that a proxy forwarded the request."""
    return not any(name in request.headers for name in BY_PROXIES)


def _is_own(origins: Sequence[str], sites: Sequence[str], host: str) -> bool:
    """Whether the page is the service's own, or the user typed the address.

    A proxy may call the service by another name; the browser's own statement that the page and the
    address have the same origin is therefore sufficient.
    """
    if list(sites) == ["same-origin"]:
        return True
    if "cross-site" in sites:
        return False
    if not origins:
        return list(sites) == ["none"]
    return all(_is_address(origin, host) for origin in origins)


def _is_address(origin: str, host: str) -> bool:
    """Whether an origin is the requested address, in any scheme: a proxy may have ended TLS."""
    scheme, _, place = origin.lower().partition("://")
    (name, port), (called, at) = _split(place), _split(host.lower())
    usual = PORTS.get(scheme)
    return name != "" and (name, port or usual) == (called, at or usual)


def _split(host: str) -> tuple[str, str]:
    """Split a host from its port, which may be empty."""
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and port.isdecimal() else (host, "")


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # An IPv4 client of a dual-stack socket has an address such as ::ffff:127.0.0.1.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _unknown_host() -> Refusal:
    detail = "the service is not known by this name (DUBITO_ALLOWED_HOSTS)"
    return _forbidden(ProblemCode.UNKNOWN_HOST, detail)


def _forbidden(code: ProblemCode, detail: str) -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, code, detail)
