"""Who may see records: programs and pages of this machine, unless a setting says otherwise.

A page of another site could ask a browser here to read or change records; so the name the service
was called by must be an expected one (against DNS rebinding), and a request that says which page it
comes from must come from the service's own, or from one that a setting names.
"""

import ipaddress
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware

from app.api.problems import Refusal
from app.settings import Settings


class Exposure:
    """Checks requests for records."""

    def __init__(self, settings: Settings) -> None:
        """Take the address that is listened on, and the names it may be called by."""
        self._is_open = settings.records_exposed == 1 or _is_loopback(settings.host)
        self._origins = set(origins_of(settings))
        self._names = {name.strip().lower() for name in settings.allowed_hosts.split(",")}

    def check(self, request: Request) -> None:
        """Let a request pass.

        Raises:
            Refusal: 403, it comes from where it must not, or nobody may ask here.
        """
        if not self._is_open:
            raise _forbidden(
                "records are shown on loopback only, unless DUBITO_RECORDS_EXPOSED is 1"
            )
        host = request.headers.get("host", "")
        if _name_of(host) not in self._names:
            raise _forbidden("the service is not known by this name (DUBITO_ALLOWED_HOSTS)")
        origin = request.headers.get("origin")
        is_own = origin is None or origin.partition("://")[2] == host
        if not is_own and origin not in self._origins:
            raise _forbidden("a page of another site must not ask for records")


def origins_of(settings: Settings) -> list[str]:
    """The other sites whose pages may ask."""
    return [one.strip() for one in (settings.cors_origins or "").split(",") if one.strip()]


def allow(app: FastAPI, origins: Sequence[str]) -> None:
    """Tell browsers that pages of other sites may ask."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT"],
        allow_headers=["content-type", "dubito-reference", "idempotency-key", "if-none-match"],
        expose_headers=["etag", "retry-after", "x-request-id"],
    )


def _name_of(host: str) -> str:
    """A host without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _forbidden(detail: str) -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, detail)
