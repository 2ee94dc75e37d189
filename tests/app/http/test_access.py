"""Who may write: programs and the service's own page, and no page of another site."""

from collections.abc import Iterator
from functools import reduce
from itertools import product
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.datastructures import Headers
from starlette.testclient import TestClient
from starlette.types import Scope

from app.http.access import SAFE, Access, origins_of
from app.main import create_app
from app.settings import Settings
from dubito.identifier import new_id
from tests.app.http.test_middleware import problem_of
from tests.service import ROOT

HOST = "127.0.0.1"
OWN = {"Origin": f"http://{HOST}"}
DESK = "https://desk.example"
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": f"http://{HOST}:8001", "Sec-Fetch-Site": "same-site"},
    {"Origin": "chrome-extension://abc", "Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "nobody-knows"},
    # By a name that leads here for this page alone, everything is of one origin.
    {
        "Host": "evil.example",
        "Origin": "http://evil.example",
        "Sec-Fetch-Site": "same-origin",
    },
]
FRIENDLY = [
    OWN,
    {**OWN, "Sec-Fetch-Site": "same-origin"},
    {"Origin": f"https://{HOST}"},
    {"Origin": f"http://{HOST}:80"},
    {"Origin": f"https://{HOST}", "Host": f"{HOST}:443"},
    {"Origin": "https://grades.example", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://localhost:8000", "Host": "LOCALHOST:8000"},
    {"Origin": "http://[::1]:8000", "Host": "[::1]:8000"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": DESK, "Sec-Fetch-Site": "cross-site"},
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """A service with all its routes."""
    state = tmp_path_factory.mktemp("state")
    return create_app(Settings(models=ROOT / "models", state=state, cors_origins=f"{DESK}/"))


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url=f"http://{HOST}", client=("127.0.0.1", 50_000)) as client:
        yield client


def writing(app: FastAPI) -> list[tuple[str, str]]:
    """Every method and address that may change or record something."""
    named = {"{id}": new_id(), "{name}": "colour", "{version}": "5"}
    return [
        (method, reduce(lambda path, one: path.replace(*one), named.items(), route.path))  # type: ignore[attr-defined]
        for route in app.routes
        for method in sorted(set(getattr(route, "methods", None) or ()) - SAFE)
    ]


def test_no_page_of_another_site_writes_anywhere(client: TestClient, app: FastAPI) -> None:
    """Every route that writes refuses every foreign page, before it looks at the body."""
    routes = writing(app)
    assert {"/predict", "/predict/mc"} < {path for _, path in routes}
    # Those of a model are there under its name as well.
    assert 20 == len(routes)
    for (method, path), headers in product(routes, FOREIGN):
        refused = client.request(method, path, json={}, headers=headers)
        assert (403, 403) == (refused.status_code, refused.json()["status"])
        assert "access-control-allow-origin" not in refused.headers


def test_other_methods_are_refused_too(client: TestClient) -> None:
    """Whatever is asked for, and wherever: a route added later is guarded as well."""
    for method, path in product(["PATCH", "DELETE", "BREW"], ["/predict", "/model", "/nowhere"]):
        problem_of(client.request(method, path, headers=FOREIGN[0]), 403)


def test_pages_of_this_service_write(client: TestClient) -> None:
    """Its own page, behind a proxy too, and allowed ones are not taken for foreign."""
    for path, headers in product(["/predict", "/predict/mc"], FRIENDLY):
        problem_of(client.post(path, json={}, headers=headers), 422)


def test_programs_write_without_saying_anything(client: TestClient, app: FastAPI) -> None:
    """A request with neither header is no browser's, by whatever name it calls the service."""
    for headers in ({}, {"Host": "grades.example"}):
        assert 422 == client.post("/predict", json={}, headers=headers).status_code
    for method, path in writing(app):
        is_index = path == "/v2/repository/index"
        answer = client.request(method, path, json={})
        assert answer.status_code in ({200, 403} if is_index else {403, 404, 422})


def test_pages_say_that_it_is_json(client: TestClient, app: FastAPI, loan: Any) -> None:
    """A browser's body without a media type is refused, as no page needs leave to send one."""
    for method, path in writing(app):
        # Other people's clients say what they like of a body; pages of other sites are refused.
        # DELETE takes none, and no page sends it to another site without leave.
        if not path.startswith("/v2") and method != "DELETE":
            problem_of(client.request(method, path, content=b"{}", headers=OWN), 415)
    for body in (b"", str(loan).replace("'", '"').encode()):
        assert 415 == client.post("/predict", content=body, headers=OWN).status_code
        assert 415 != client.post("/predict", content=body).status_code
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for headers in (form, {**form, **OWN}):
        assert 415 == client.post("/predict", content=b"{}", headers=headers).status_code


def test_what_takes_no_body_needs_no_type(client: TestClient) -> None:
    """A replay without a body is asked for by the documentation's own page, without a type."""
    assert 404 == client.post(f"/predictions/{new_id()}/replay", headers=OWN).status_code


def test_reading_is_no_writing(client: TestClient) -> None:
    """What tells of no borrower is read from anywhere, as links lead to it."""
    for path, headers in product(["/", "/model", "/health/live"], FOREIGN):
        assert 200 == client.get(path, headers=headers).status_code


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::"])  # noqa: S104 - nothing listens
def test_names_count_on_loopback_alone(host: str) -> None:
    """Where other machines may ask, the service does not know by which names."""
    own = Headers({"host": "grades.example", "origin": "https://grades.example"})
    elsewhere = asked(own, (host, 80), ("10.9.9.9", 50_000))
    assert Access(Settings()).refusal_of(elsewhere) is None
    here = asked(own)
    named = Access(Settings(allowed_hosts="Grades.example, localhost"))
    assert named.refusal_of(here) is None
    assert "DUBITO_ALLOWED_HOSTS" in str(Access(Settings(host=host)).refusal_of(here))


def asked(
    headers: Headers,
    server: tuple[str, int] | None = ("127.0.0.1", 80),
    client: tuple[str, int] | None = ("127.0.0.1", 50_000),
) -> Scope:
    """A request as ASGI has it, over a connection with such addresses."""
    return {"type": "http", "headers": headers.raw, "server": server, "client": client}


LOCAL = ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")
REMOTE = ("0.0.0.0", "10.1.2.3", "192.168.7.7", "::", "2001:db8::1", "localhost", "testclient")  # noqa: S104 - nothing listens


@pytest.mark.parametrize("server", [*LOCAL, *REMOTE])
@pytest.mark.parametrize("client", [*LOCAL, *REMOTE])
def test_records_are_shown_where_both_ends_are_on_loopback(server: str, client: str) -> None:
    """Whatever the setting of the host or a forged Host says: a server may listen anywhere."""
    is_here = server in LOCAL and client in LOCAL
    for host in ("127.0.0.1", "0.0.0.0"):  # noqa: S104 - nothing listens
        headers = Headers({"host": "localhost"})
        scope = asked(headers, (server, 80), (client, 50_000))
        assert is_here is Access(Settings(host=host)).shows_records(Request(scope))
        exposed = Access(Settings(host=host, records_exposed=True))
        assert exposed.shows_records(Request(scope))


def test_a_socket_without_addresses_shows_no_records() -> None:
    """Who is at the other end of a socket of the file system, nobody knows."""
    headers = Headers({"host": "localhost"})
    for server, client in ((None, None), (("127.0.0.1", 80), None), (None, ("127.0.0.1", 80))):
        assert not Access(Settings()).shows_records(Request(asked(headers, server, client)))


def test_a_name_said_twice_is_not_believed() -> None:
    """Two origins in one request are one too many, even if one of them is fine."""
    access = Access(Settings(cors_origins=DESK))
    for other in ("https://evil.example", DESK):
        pairs = [(b"host", b"localhost"), (b"origin", DESK.encode()), (b"origin", other.encode())]
        assert access.refusal_of(asked(Headers(raw=pairs))) is not None


def test_all_sites_may_be_allowed() -> None:
    """A star allows whoever asks, as CORS has it."""
    anybody = Access(Settings(cors_origins="*"))
    assert anybody.refusal_of(asked(Headers({"host": "localhost", "origin": "null"}))) is None


def test_sites_are_read_as_browsers_write_them() -> None:
    """Spaces, capitals and a slash at the end do not keep a site out."""
    settings = Settings(cors_origins=" https://Desk.example/ , http://localhost:3000,")
    assert ["https://desk.example", "http://localhost:3000"] == origins_of(settings)


@pytest.mark.parametrize(
    "header",
    [
        "content-type",
        "idempotency-key",
        "dubito-reference",
        "x-request-id",
        "traceparent",
        "tracestate",
        "if-none-match",
    ],
)
def test_an_allowed_page_is_told_so_beforehand(client: TestClient, header: str) -> None:
    """The preflight allows every header that is read here or on the way here."""
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": header}
    told = client.options("/predict", headers={"Origin": DESK, **asked})
    assert 200 == told.status_code
    assert DESK == told.headers["access-control-allow-origin"]
    assert header in told.headers["access-control-allow-headers"].lower()
    other = client.options("/predict", headers={"Origin": "https://evil.example", **asked})
    assert 400 == other.status_code
    assert "access-control-allow-origin" not in other.headers


def test_an_allowed_page_grades_and_reads(client: TestClient, loan: Any) -> None:
    """Its requests are answered, it may read the answers' headers, and why it was refused."""
    headers = {"Origin": DESK, "Sec-Fetch-Site": "cross-site", "X-Request-ID": "mine"}
    answer = client.post("/predict/mc?passes=5", json=loan, headers=headers)
    assert 200 == answer.status_code
    refused = client.post("/predict", content=b"{}", headers=headers)
    assert 415 == refused.status_code
    for one in (answer, refused):
        assert DESK == one.headers["access-control-allow-origin"]
        exposed = set(one.headers["access-control-expose-headers"].split(", "))
        assert {"etag", "retry-after", "x-request-id"} == exposed
