"""What the page is made of, as it is sent."""

import asyncio
import gzip
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.types import Message, Scope

from app.dashboard.asset import ASSETS, CHARTS, NAMES, PAGE, Assets
from app.dashboard.page import POLICY, dashboard_routes
from app.http import problems

OWN = sorted(NAMES - {CHARTS})
NAMED = re.compile(r'(?:href|src)="assets/([^"]+)"|from "\./([^"]+)"')
ADDRESS = re.compile(r"https?://(?!www\.w3\.org/2000/svg)[^\s\"']+")


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """The page's routes alone."""
    app = FastAPI()
    app.router.routes.extend(dashboard_routes().routes)
    problems.install(app)
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000)) as client:
        yield client


def text(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["/", *(f"/assets/{name}" for name in [*OWN, CHARTS])])
def test_every_part_is_sent_with_its_guards(client: TestClient, path: str) -> None:
    """Each part has its media type, and the headers that keep other sites out."""
    answer = client.get(path)
    assert 200 == answer.status_code
    assert answer.headers["content-type"].split(";")[0] in {
        "text/html",
        "text/css",
        "text/javascript",
        "image/svg+xml",
    }
    assert POLICY == answer.headers["content-security-policy"]
    assert "nosniff" == answer.headers["x-content-type-options"]
    assert "no-referrer" == answer.headers["referrer-policy"]
    assert "no-cache" == answer.headers["cache-control"]
    assert "Accept-Encoding" == answer.headers["vary"]


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    """No source but the service itself, no script in the page, no frame around it."""
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert "'none'" == rules["default-src"]
    assert "'self'" == rules["script-src"]
    assert "'self'" == rules["connect-src"]
    assert ["'none'"] * 3 == [rules[n] for n in ("frame-ancestors", "base-uri", "form-action")]


def test_what_the_page_names_is_there_and_nothing_else() -> None:
    """Every part is named by the page or another part, and every name is a part."""
    named = {PAGE, CHARTS}
    for name in OWN:
        named |= {one or other for one, other in NAMED.findall(text(name))}
    assert {*OWN, CHARTS} == named


def test_no_part_names_another_host() -> None:
    """The page works offline: it holds no address of anywhere else."""
    assert [] == [address for name in OWN for address in ADDRESS.findall(text(name))]


@pytest.mark.parametrize("path", ["/", f"/assets/{CHARTS}"])
def test_who_takes_gzip_gets_gzip(client: TestClient, path: str) -> None:
    """A part is compressed for who takes it so, and plain for who does not."""
    packed = client.get(path, headers={"Accept-Encoding": "gzip, br"})
    plain = client.get(path, headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "gzip" == packed.headers["content-encoding"]
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
    assert packed.headers["etag"] != plain.headers["etag"]


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_what_is_kept_is_not_sent_again(client: TestClient, encoding: str) -> None:
    """Who names the tag of what it has is told that it has it."""
    headers = {"Accept-Encoding": encoding}
    tag = client.get("/", headers=headers).headers["etag"]
    for named in (tag, f'"other", W/{tag}', "*"):
        again = client.get("/", headers={**headers, "If-None-Match": named})
        assert (304, b"", tag) == (again.status_code, again.content, again.headers["etag"])
    changed = client.get("/", headers={**headers, "If-None-Match": '"other"'})
    assert 200 == changed.status_code


@pytest.mark.parametrize("path", ["/", "/assets/page.js"])
def test_heads_have_no_body(client: TestClient, path: str) -> None:
    """HEAD answers what GET would, without it."""
    head, whole = client.head(path), client.get(path)
    assert b"" == head.content
    assert dict(whole.headers) == dict(head.headers)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/assets/nothing.js", 404),
        ("/assets/..%2Fpage.py", 404),
        ("/assets/", 404),
        ("/assets/widgetbundle.js", 404),
        ("/assets/page.js%00", 404),
        (f"/assets/{'x' * 300}.js", 404),
        ("/assets/page.js?v=1", 422),
        ("/?passes=1", 422),
    ],
)
def test_nothing_else_is_there(client: TestClient, path: str, status: int) -> None:
    """Other names, ways out of the folder and parameters are refused."""
    assert status == client.get(path).status_code


def test_the_page_cannot_be_posted_to(client: TestClient) -> None:
    """The page is read only."""
    assert 405 == client.post("/").status_code


@pytest.mark.parametrize("wanted", ["bytes=0-9", "bytes=9-0", "lines=1", "nonsense"])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_range_is_not_heeded(client: TestClient, wanted: str, encoding: str) -> None:
    """The whole is sent, whatever part was asked for, as RFC 9110 allows."""
    headers = {"Accept-Encoding": encoding}
    answer = client.get("/", headers={**headers, "Range": wanted})
    assert (200, text(PAGE)) == (answer.status_code, answer.text)
    assert dict(answer.headers) == dict(client.get("/", headers=headers).headers)


def test_the_charts_are_plotly_and_need_no_import_of_it() -> None:
    """Plotly's JavaScript is found without importing its Python, which would cost a second."""
    program = (
        "import sys; from app.dashboard.asset import CHARTS, Assets;"
        "path, _ = Assets({}).lookup_path(CHARTS); start = open(path).read(200);"
        "sys.exit('plotly.js' not in start or 'plotly' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert 0 == done.returncode


def test_compressing_is_repeatable() -> None:
    """The same content gives the same bytes, so that the tag of two processes is one."""
    first, second = (_sent(Assets({}), PAGE) for _ in range(2))
    assert first == second
    assert text(PAGE).encode() == gzip.decompress(first[1])


def test_a_tag_is_of_the_content(tmp_path: Path) -> None:
    """A new version is another one for a browser, though its files have the old size and date."""
    tags = []
    for content in ("let a = 1;", "let a = 2;"):
        file = tmp_path / "page.js"
        file.write_text(content, encoding="utf-8")
        os.utime(file, (0, 0))
        assets = Assets({})
        assets.all_directories = [tmp_path]
        tags.append(_sent(assets, file.name)[0])
    assert 2 == len(set(tags))


def test_nothing_is_packed_twice(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it was asked for, a part is not compressed again, nor is it unpacked for anybody."""
    first = client.get(f"/assets/{CHARTS}", headers={"Accept-Encoding": "gzip"})

    def refuse(*_: object, **__: object) -> bytes:
        raise AssertionError("it was done before")

    monkeypatch.setattr(gzip, "compress", refuse)
    # The client unpacks what it gets by zlib itself.
    monkeypatch.setattr(gzip, "decompress", refuse)
    for encoding in ("gzip", "identity"):
        headers = {"Accept-Encoding": encoding}
        assert first.content == client.get(f"/assets/{CHARTS}", headers=headers).content


def test_a_part_is_looked_for_beside_the_loop() -> None:
    """Reading and compressing leave the event loop to others."""
    threads = []

    class Watched(Assets):
        def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
            threads.append(threading.current_thread())
            return super().lookup_path(path)

    _sent(Watched({}), PAGE)
    assert threads != [threading.current_thread()]


def _sent(assets: Assets, name: str) -> tuple[str, bytes]:
    """The tag and the compressed body of a part."""
    headers = [(b"accept-encoding", b"gzip")]
    scope: Scope = {"type": "http", "method": "GET", "headers": headers}
    body = bytearray()

    async def send(message: Message) -> None:
        body.extend(message.get("body", b""))

    async def receive() -> Message:
        raise AssertionError("it reads nothing")

    async def answer() -> str:
        response = await assets.get_response(name, scope)
        await response(scope, receive, send)
        return response.headers["etag"]

    return asyncio.run(answer()), bytes(body)


def test_every_reason_has_a_colour() -> None:
    """Those that the page knows have one each, and all of bundles' own rules share the last."""
    (known,) = re.findall(r"const REASONS = \[([^\]]+)\]", text("words.js"))
    wanted = [str(at + 1) for at in range(known.count('"') // 2 + 1)]
    light, dark = text("colours.css").split("--reason-1:", 2)[1:]
    for theme in (light, dark):
        assert wanted[1:] == re.findall(r"--reason-(\d+):", theme)
