"""Who may ask: programs and the service's own page, and for records only on this machine.

A browser sends what a page of any site tells it to. It says which page that is (`Origin`) and how
far away it is (`Sec-Fetch-Site`), and no page can change these headers. A request with neither
comes from a program.
"""

import ipaddress
from collections.abc import Awaitable, Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.problems import Refusal, answer_to
from app.problem_codes import ProblemCode
from app.settings import Settings

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change and record nothing (RFC 9110 §9.2.1)."""
ORIGIN, SITE = "origin", "sec-fetch-site"
FROM_PAGES = frozenset({ORIGIN.encode(), SITE.encode()})
"""Headers that only browsers send, as ASGI has them."""
BY_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers that proxies add, whose callers are anywhere."""
PORTS = {"http": "80", "https": "443"}
ANY = "*"


class Access:
    """Decides whose requests are answered."""

    def __init__(self, settings: Settings) -> None:
        """Take the service's names, the sites that are allowed, and who may see records."""
        self._is_exposed = settings.records_exposed
        self._origins = frozenset(origins_of(settings))
        self._names = {name.strip().lower() for name in settings.allowed_hosts.split(",")}

    def shows_records(self, request: Request) -> bool:
        """Whether who asks may see what is recorded."""
        try:
            self.check_records(request)
        except Refusal:
            return False
        return True

    def check_records(self, request: Request) -> None:
        """Let a request for records pass.

        Raises:
            Refusal: 403, it comes from where it must not, or nobody may ask here.
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
        """Why a browser must not write here; None if it may.

        On loopback a page of another site can have its own name lead here (DNS rebinding), and is
        then called of the same origin: only the name tells.
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
        """Whether the page is of a site that a setting names."""
        return len(origins) == 1 and not self._origins.isdisjoint({origins[0], ANY})


class Guard:
    """ASGI middleware: what a page of another site has a browser send never reaches a route.

    It looks at methods, not at routes, so that no route can be forgotten.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Take what is guarded, and who decides."""
        self._app = app
        self._access = access

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request on, or refuse it; no coroutine of its own, as it awaits nothing."""
        is_asked = scope["type"] == "http" and scope["method"] not in SAFE
        if is_asked and is_of_page(dict(scope["headers"])):
            refusal = self._access.refusal_of(scope)
            if refusal is not None:
                return answer_to(refusal)(scope, receive, send)
        return self._app(scope, receive, send)


def is_local(scope: Scope) -> bool:
    """Whether both ends of a connection are on this machine's loopback, whatever a header says.

    A server that others wired may listen anywhere, so the setting of the host does not tell.
    """
    ends = scope.get("server"), scope.get("client")
    return all(end is not None and _is_loopback(end[0]) for end in ends)


def is_of_page(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser sent a request with these headers, as ASGI has them, for a page."""
    return not FROM_PAGES.isdisjoint(headers)


def origins_of(settings: Settings) -> list[str]:
    """The other sites whose pages may ask, as browsers write them."""
    named = (settings.cors_origins or "").lower().split(",")
    return [one.strip().rstrip("/") for one in named if one.strip()]


def allow(app: FastAPI, origins: Sequence[str]) -> None:
    """Tell browsers that pages of other sites may ask."""
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
    """Whether no proxy says that it passes the request on."""
    return not any(name in request.headers for name in BY_PROXIES)


def _is_own(origins: Sequence[str], sites: Sequence[str], host: str) -> bool:
    """Whether the page is the service's own, or the user typed the address.

    A proxy may call the service by another name; where the browser says that the page and the
    address it called have one origin, its word holds.
    """
    if list(sites) == ["same-origin"]:
        return True
    if "cross-site" in sites:
        return False
    if not origins:
        return list(sites) == ["none"]
    return all(_is_address(origin, host) for origin in origins)


def _is_address(origin: str, host: str) -> bool:
    """Whether an origin is the address called, whatever its scheme: a proxy may have ended TLS."""
    scheme, _, place = origin.lower().partition("://")
    (name, port), (called, at) = _split(place), _split(host.lower())
    usual = PORTS.get(scheme)
    return name != "" and (name, port or usual) == (called, at or usual)


def _split(host: str) -> tuple[str, str]:
    """A host and its port, which may be empty."""
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and port.isdecimal() else (host, "")


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # An IPv4 client of a socket for both kinds has an address such as ::ffff:127.0.0.1.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _unknown_host() -> Refusal:
    detail = "the service is not known by this name (DUBITO_ALLOWED_HOSTS)"
    return _forbidden(ProblemCode.UNKNOWN_HOST, detail)


def _forbidden(code: ProblemCode, detail: str) -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, code, detail)
