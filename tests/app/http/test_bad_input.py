"""Bad input: the exact 4xx, a problem that names the field, and no value said again, anywhere."""

import gzip
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from dubito.errors import FieldCode
from tests.app.http.conftest import SETTINGS, Answer
from tests.app.http.test_middleware import problem_of
from tests.app.http.test_predict import numbers
from tests.dubito.inputs.bodies import KOREAN
from tests.service import Service, serving

ROUTES = ["/predict", "/predict/mc"]
INTEGERS = ["total_credit_lines", "delinq_2y", "current_accounts_delinq"]
NULLABLE = "debt_to_income"
MIB = 1 << 20
PLANTED = "91827364.55"
Loan = dict[str, Any]

pytestmark = pytest.mark.usefixtures("still_right")


@pytest.fixture
def still_right(client: TestClient, loan: Loan) -> Iterator[None]:
    """Whatever a test sends, the next good request is answered right."""
    before = client.post("/predict/mc?seed=6&passes=20", json=loan)
    yield
    after = client.post("/predict/mc?seed=6&passes=20", json=loan)
    assert (200, 200) == (before.status_code, after.status_code)
    assert numbers(before.json()) == numbers(after.json())


def post(client: TestClient, route: str, body: bytes | str, **headers: str) -> Answer:
    return client.post(route, content=body, headers={"Content-Type": "application/json", **headers})


def replaced(loan: Loan, name: str, text: str) -> str:
    """A loan as JSON with one value written as `text`."""
    return json.dumps(loan | {name: "here"}, ensure_ascii=False).replace('"here"', text)


def wrapped(row: str, *, many: bool) -> str:
    return f'{{"instances": [{row}]}}' if many else row


def fields(answer: Answer) -> list[str]:
    """The names a 422 tells, which its detail begins with."""
    errors = problem_of(answer, 422)["errors"]
    assert 0 < len(errors) <= 20
    members = {"field", "pointer", "detail", "code", "minimum", "maximum"}
    assert [members] * len(errors) == [set(error) for error in errors]
    assert {error["code"] for error in errors} <= set(FieldCode)
    assert answer.json()["detail"].startswith(errors[0]["field"])
    return [error["field"] for error in errors]


# One field that is wrong.


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("name", KOREAN)
@pytest.mark.parametrize("route", ROUTES)
def test_a_missing_field_is_named(
    client: TestClient, loan: Loan, route: str, name: str, *, many: bool
) -> None:
    """Every field is required, the nullable one too."""
    row = {key: value for key, value in loan.items() if key != name}
    answer = post(client, route, wrapped(json.dumps(row), many=many))
    assert [name] == fields(answer)
    (error,) = answer.json()["errors"]
    assert "is missing" == error["detail"]
    assert (f"#/instances/0/{name}" if many else f"#/{name}") == error["pointer"]


BAD_VALUES = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "1e999": "1e999",
    "-1e999": "-1e999",
    "1e400": "1e400",
    "1e39": "1e39",
    "1e308": "1e308",
    "401 digits": "1" + "0" * 400,
    "negative": "-1",
    "nearly zero": "-1e-300",
    "true": "true",
    "false": "false",
    "numeric text": '"12.5"',
    "text": '"abc"',
    "empty text": '""',
    "grouped text": '"1_000"',
    "NaN as text": '"NaN"',
    "list": "[1]",
    "empty list": "[]",
    "object": '{"a": 1}',
    "20 levels": "[" * 20 + "]" * 20,
    "20 objects": '{"a":' * 20 + "1" + "}" * 20,
}


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("case", BAD_VALUES)
@pytest.mark.parametrize("route", ROUTES)
def test_a_bad_value_is_refused(
    client: TestClient, loan: Loan, route: str, case: str, *, many: bool
) -> None:
    """What is no finite number in range is 422 for any field, under the name that was sent."""
    for name in KOREAN:
        for sent in (name, KOREAN[name]):
            row = {sent if key == name else key: value for key, value in loan.items()}
            body = wrapped(replaced(row, sent, BAD_VALUES[case]), many=many)
            answer = post(client, route, body.encode())
            assert {name, sent} >= set(fields(answer)), (sent, answer.text)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", [name for name in KOREAN if name != NULLABLE])
def test_null_is_for_nullable_fields(client: TestClient, loan: Loan, route: str, name: str) -> None:
    """`null` is 422 where the signature does not allow it."""
    assert [name] == fields(post(client, route, replaced(loan, name, "null")))


@pytest.mark.parametrize("text", ["14.5", "0.1", "1e-300", "14.000000000000002", "1000001", "1e7"])
@pytest.mark.parametrize("name", INTEGERS)
def test_integers_are_whole(client: TestClient, loan: Loan, name: str, text: str) -> None:
    """14.5 is no number of accounts, and a million is the most."""
    assert [name] == fields(post(client, "/predict", replaced(loan, name, text)))


@pytest.mark.parametrize("text", ["1000000000000.0002", "1000000000001", "1e13"])
def test_ranges_have_ends(client: TestClient, loan: Loan, text: str) -> None:
    """The bundle's range ends where it says."""
    assert ["loan_amount"] == fields(post(client, "/predict", replaced(loan, "loan_amount", text)))


@pytest.mark.parametrize(
    "name",
    ["extra", "Loan_amount", "loan_amount ", "", "feature_0", "대출금액 ", "__class__", "grade"],
)
@pytest.mark.parametrize("many", [False, True])
def test_an_unknown_field_is_named(
    client: TestClient, loan: Loan, name: str, *, many: bool
) -> None:
    """No other member is taken, not even nearly the right one."""
    body = wrapped(json.dumps(loan | {name: 1}), many=many)
    answer = post(client, "/predict/mc", body)
    errors = problem_of(answer, 422)["errors"]
    assert [(name, "is not known")] == [(error["field"], error["detail"]) for error in errors]


# A field that is given twice.


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(
    "again",
    ['"loan_amount": 12000', '"loan_amount": 1', '"l\\u006fan_amount": 1', '"loan_amount": null'],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_duplicate_is_refused(
    client: TestClient, loan: Loan, again: str, *, first: bool, many: bool
) -> None:
    """A field given twice is 422 even with equal values, or through escapes, wherever it stands."""
    inner = json.dumps(loan)[1:-1]
    row = f"{{{again}, {inner}}}" if first else f"{{{inner}, {again}}}"
    assert {"loan_amount"} == set(fields(post(client, "/predict", wrapped(row, many=many))))


@pytest.mark.parametrize("name", KOREAN)
@pytest.mark.parametrize("many", [False, True])
def test_a_name_and_its_alias_are_one_field(
    client: TestClient, loan: Loan, name: str, *, many: bool
) -> None:
    """A name together with its alias is refused, in either order; so is the alias twice."""
    alias = json.dumps({KOREAN[name]: loan[name]}, ensure_ascii=False)[1:-1]
    inner = json.dumps(loan)[1:-1]
    rest = json.dumps({key: loan[key] for key in loan if key != name})[1:-1]
    for row in (f"{{{alias}, {inner}}}", f"{{{inner}, {alias}}}", f"{{{rest},{alias},{alias}}}"):
        answer = post(client, "/predict", wrapped(row, many=many).encode())
        assert set(fields(answer)) <= {name, KOREAN[name]}


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": [%s], "instances": [%s]}',
        '{"instances": [], "instances": [%s]}',
        '{"instances": 5, "instances": [%s]}',
        '{"\\u0069nstances": [%s], "instances": [%s]}',
        '{"instances": [%s], "\\u0069nstances": [%s]}',
        '{"\\u0069nstances": [%s], "inst\\u0061nces": [%s]}',
    ],
)
@pytest.mark.parametrize("route", ROUTES)
def test_instances_are_given_once(client: TestClient, loan: Loan, route: str, body: str) -> None:
    """Two lists of rows are 422, however their keys are written."""
    row = json.dumps(loan)
    filled = body.replace("%s", row)
    assert {"instances"} == set(fields(post(client, route, filled)))


def test_a_shadowed_duplicate_is_found(client: TestClient, loan: Loan) -> None:
    """A member that only a shadowed value holds does not hide the shadowing."""
    row = json.dumps(loan)
    for body in (
        f'{{"loan_amount": {{"a": 1}}, {row[1:]}',
        f'{{"loan_amount": "a:b:c", {row[1:]}',
        f'{{"instances": [{{"loan_amount": 1, "loan_amount": 2}}], "instances": [{row}]}}',
    ):
        assert fields(post(client, "/predict", body))


# What is no row.


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{}x",
        b"{} {}",
        b"not JSON",
        b'{"loan_amount": 12000, "annual_inc',
        b'{"loan_amount": }',
        b'{"loan_amount": 1,}',
        b"{'loan_amount': 1}",
        b'{"loan_amount": 01}',
        b'{"loan_amount": +1}',
        b'{"loan_amount": .5}',
        b'{"loan_amount": 1.}',
        b'{"loan_amount": 0x10}',
        b'{"loan_amount": 1_000}',
        b'{"loan_amount": nan}',
        b"{loan_amount: 1}",
        b'{"a": "\n"}',
        b'{"a": "\\x41"}',
        b"// comment\n{}",
        b"{}\xef\xbb\xbf",
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b"\xef\xbb\xbf",
        b"\xff\xfe{\x00}\x00",
        b'{"a\xff": 1}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"\xc0\xaf": 1}',
        b"\x80\x04.",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"loan_amount":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"instances":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"instances": [' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]}",
        b"\x00",
        b'{"a": 1}\x00',
    ],
    ids=lambda body: repr(body[:20]),
)
@pytest.mark.parametrize("route", ROUTES)
def test_what_is_not_json_is_400(client: TestClient, route: str, body: bytes) -> None:
    """Not JSON, not UTF-8, or nested beyond any reason."""
    problem_of(post(client, route, body), 400)


def test_a_body_cut_anywhere_is_400(client: TestClient, loan: Loan) -> None:
    """A truncated body is never read as a shorter one."""
    body = json.dumps({"instances": [loan]})
    assert {400} == {post(client, "/predict", body[:at]).status_code for at in range(len(body))}


def test_other_encodings_are_400(client: TestClient, loan: Loan) -> None:
    """JSON is UTF-8 (RFC 8259 §8.1), with a mark before it or without."""
    text = json.dumps(loan)
    for encoding in ("utf-16", "utf-16-le", "utf-32"):
        problem_of(post(client, "/predict", text.encode(encoding)), 400)


@pytest.mark.parametrize(
    "body",
    ["null", "true", "5", "-0.0", '"text"', '"instances"', "[]", "[[]]", "[{}]", "1e5", "NaN"],
)
@pytest.mark.parametrize("route", ROUTES)
def test_what_is_no_object_is_422(client: TestClient, route: str, body: str) -> None:
    """JSON of another type than an object."""
    assert fields(post(client, route, body))


@pytest.mark.parametrize(
    "instances",
    ["null", "5", '"text"', "{}", "[]", "[5]", "[null]", "[[]]", '["a"]', "[{}]", "NaN"],
)
@pytest.mark.parametrize("key", ['"instances"', '"\\u0069nstances"'])
@pytest.mark.parametrize("route", ROUTES)
def test_instances_are_a_list_of_objects(
    client: TestClient, route: str, key: str, instances: str
) -> None:
    """Anything else is 422, and so is an empty list."""
    answer = post(client, route, f"{{{key}: {instances}}}")
    named = fields(answer)
    assert set(KOREAN) == set(named) if instances == "[{}]" else {"instances"} == set(named)


def test_rows_and_members_do_not_mix(client: TestClient, loan: Loan) -> None:
    """`instances` stands alone."""
    mixed = loan | {"instances": [loan]}
    assert list(loan) == fields(post(client, "/predict", json.dumps(mixed)))


def test_a_text_that_says_instances_is_no_list_of_rows(client: TestClient, loan: Loan) -> None:
    """A row with a wrong value is refused for that value, whatever the value says."""
    body = json.dumps(loan | {"loan_amount": "instances"})
    assert ["loan_amount"] == fields(post(client, "/predict", body))


@pytest.mark.parametrize("text", ["\\ud800", "\\udfff", "a\\udc00b", "\\ud800\\u0041"])
@pytest.mark.parametrize("where", ['{"%s": 1}', '{"loan_amount": "%s"}', '{"instances": ["%s"]}'])
@pytest.mark.parametrize("route", ROUTES)
def test_lone_surrogates_are_refused(client: TestClient, route: str, where: str, text: str) -> None:
    """Half a character has no UTF-8: the body is no JSON text that could be exchanged."""
    problem_of(post(client, route, where.replace("%s", text)), 400)


# Limits.


@pytest.fixture(scope="module")
def wide() -> Iterator[TestClient]:
    """A service that reads bodies of 64 MiB."""
    settings = Settings(models=SETTINGS.models, max_body_bytes=64 * MIB, records="off")
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("key", ["instances", "\\u0069nstances"])
def test_too_many_rows_are_refused(
    wide: TestClient, client: TestClient, loan: Loan, route: str, key: str
) -> None:
    """100,000 rows over the limit: 422 within two seconds, and the limit is named."""
    body = f'{{"{key}": [{",".join([json.dumps(loan)] * 101_000)}]}}'.encode()
    start = time.process_time()
    answer = post(wide, route, body)
    assert ["instances"] == fields(answer)
    assert "DUBITO_MAX_ROWS" in answer.json()["detail"]
    assert time.process_time() - start < 2

    body = json.dumps({"instances": [loan] * 1001}).encode()
    assert "1000" in problem_of(post(client, route, body), 422)["detail"]


@pytest.mark.parametrize(("rows", "passes"), [(101, 10_000), (1000, 1001)])
def test_too_much_work_is_refused(client: TestClient, loan: Loan, rows: int, passes: int) -> None:
    """Rows × passes over the limit is 422, and the limit is named."""
    body = json.dumps({"instances": [loan] * rows})
    answer = post(client, f"/predict/mc?passes={passes}", body)
    assert ["passes"] == fields(answer)
    assert "DUBITO_MAX_WORK" in answer.json()["detail"]
    assert "?/passes" == answer.json()["errors"][0]["pointer"]


def test_too_many_draws_are_refused(client: TestClient, loan: Loan) -> None:
    """Draws are limited to 100,000 numbers: 14,286 passes × 7 classes is one too many."""
    body = json.dumps({"instances": [loan] * 2})
    answer = post(client, "/predict/mc?passes=7143&draws=true", body)
    assert ["draws"] == fields(answer)
    assert "100000" in answer.json()["detail"]
    assert 200 == post(client, "/predict/mc?passes=7142&draws=true&seed=0", body).status_code


BAD_OPTIONS = {
    "passes": [
        "0", "-1", "1000000000", "10001", "ten", " 5", "5 ", "1_0",
        "\uff11\uff10",
        "1.0", "1e2", "",
        "+5", "%2B5", "05", "0x10", "null", "true", "9" * 30, "9" * 5000, "%00", "5%0A", "%FF",
        "٣", "²", "NaN", "[5]", "5,6",
    ],
    "seed": [
        "-1", "9007199254740992", "18446744073709551616", "1.5", "", "abc", " 1", "1_0",
        "\uff11\uff10",
        "-0", "00", "1e3", "null", "None", "9" * 5000, "NaN", "Infinity",
    ],
    "draws": ["1", "0", "yes", "True", "TRUE", "on", "", "null", " true", "true "],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in BAD_OPTIONS.items() for text in texts]
)
def test_a_bad_option_is_refused(client: TestClient, loan: Loan, name: str, text: str) -> None:
    """Options are plain digits in range, or true and false; 422 names the parameter."""
    answer = post(client, f"/predict/mc?{name}={text}", json.dumps(loan))
    assert [name] == fields(answer)
    assert f"?/{name}" == answer.json()["errors"][0]["pointer"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("passes=5&passes=5", "passes"),
        ("passes=5&seed=1&passes=6", "passes"),
        ("seed=1&%73eed=2", "seed"),
        ("Passes=5", "Passes"),
        ("pases=5", "pases"),
        ("passes=5&x=1", "x"),
        ("x", "x"),
        ("=1", ""),
        ("passes[]=5", "passes[]"),
        ("passes=5;seed=1", "passes"),
    ],
)
def test_unknown_and_repeated_options_are_refused(
    client: TestClient, loan: Loan, query: str, name: str
) -> None:
    """A parameter that is not known, or known twice, is 422 and named."""
    assert name in fields(post(client, f"/predict/mc?{query}", json.dumps(loan)))


@pytest.mark.parametrize("query", ["passes=5", "seed=1", "draws=true", "a=1&a=2"])
def test_the_deterministic_pass_has_no_options(client: TestClient, loan: Loan, query: str) -> None:
    """`/predict` takes no query parameter."""
    assert [query[: query.index("=")]] == fields(
        post(client, f"/predict?{query}", json.dumps(loan))
    )


# Media types, sizes and times.


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonx",
        "application/problem+json",
        "application/octet-stream",
        "",
        ";",
        "*/*",
        "text/plain; application/json",
    ],
)
@pytest.mark.parametrize("route", ROUTES)
def test_another_media_type_is_415(
    client: TestClient, loan: Loan, route: str, media_type: str
) -> None:
    """Only application/json is read."""
    answer = post(client, route, json.dumps(loan), **{"Content-Type": media_type})
    problem_of(answer, 415)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "identity, gzip", "x"])
@pytest.mark.parametrize("route", ROUTES)
def test_a_compressed_body_is_415(client: TestClient, loan: Loan, route: str, coding: str) -> None:
    """Compression is refused by name, not found out."""
    body = gzip.compress(json.dumps(loan).encode())
    problem_of(post(client, route, body, **{"Content-Encoding": coding}), 415)
    problem_of(post(client, route, body), 400)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("declared", [False, True])
def test_a_large_body_is_413(client: TestClient, loan: Loan, route: str, *, declared: bool) -> None:
    """Beyond a MiB a body is refused, whether or not it says how long it is; within, not."""
    body = json.dumps(loan).encode().ljust(MIB)

    def sent(content: bytes) -> Any:
        return (
            content if declared else (content[at : at + 65536] for at in range(0, MIB + 1, 65536))
        )

    headers = {"Content-Type": "application/json"}
    assert 200 == client.post(route, content=sent(body), headers=headers).status_code
    answer = client.post(route, content=sent(body + b" "), headers=headers)
    assert str(MIB) in problem_of(answer, 413)["detail"]


@pytest.mark.parametrize("length", ["\u00b2", "-1", "1e9", "99999999999999999999999", " 5"])
def test_an_odd_length_is_no_fault_of_the_service(
    client: TestClient, loan: Loan, length: str
) -> None:
    """A Content-Length that is no number, or a huge one, is never a 5xx."""
    headers = {b"Content-Type": b"application/json", b"Content-Length": length.encode("latin-1")}
    answer = client.post("/predict", content=json.dumps(loan), headers=headers)
    assert answer.status_code < 500


# Nothing is said again.


def planted(loan: Loan) -> list[tuple[str, str]]:
    """Addresses and bodies that hold the secret in every place a value can stand."""
    bodies = [
        replaced(loan, "loan_amount", text)
        for text in (
            PLANTED + "e30",
            f"-{PLANTED}",
            f'"{PLANTED}"',
            f"[{PLANTED}]",
            f'{{"a":{PLANTED}}}',
        )
    ]
    bodies += [
        replaced(loan, "delinq_2y", PLANTED),
        replaced(loan, "debt_to_income", f'"{PLANTED}"'),
        json.dumps(loan | {"extra": PLANTED}),
        json.dumps(loan)[:-1] + f', "loan_amount": {PLANTED}}}',
        json.dumps(loan)[:-1] + f', "대출금액": {PLANTED}}}',
        f'"{PLANTED}"',
        f"[{PLANTED}]",
        PLANTED,
        f'{{"loan_amount": {PLANTED}',
        f'{{"loan_amount": "{PLANTED}\\ud800"}}',
        f'{{"instances": "{PLANTED}"}}',
        f'{{"instances": ["{PLANTED}", {PLANTED}]}}',
    ]
    found = [(route, body) for route in ROUTES for body in bodies]
    found += [("/predict", f'{{"instances": [{body}]}}') for body in bodies[:10]]
    good = json.dumps(loan)
    found += [
        (f"/predict/mc?{name}={text}", good)
        for name in ("passes", "seed", "draws", "unknown")
        for text in (PLANTED, f"-{PLANTED}", f"{PLANTED}e5", f"{PLANTED}&{{name}}={PLANTED}")
    ]
    return [*found, (f"/predict?loan_amount={PLANTED}", good), (f"/predict/{PLANTED}", good)]


def test_values_are_said_nowhere(
    client: TestClient, loan: Loan, caplog: pytest.LogCaptureFixture
) -> None:
    """A value that is refused stands in no answer and in no log, at any level."""
    answers = []
    with caplog.at_level(logging.DEBUG):
        for route, body in planted(loan):
            for identifier in ("fine", f"[{PLANTED}]"):
                answer = post(client, route, body.encode(), **{"X-Request-ID": identifier})
                assert 400 <= answer.status_code < 500, (route, body)
                answers.append(answer.text + str(answer.headers))
    ours = [line for line in caplog.records if not line.name.startswith(("httpx", "httpcore"))]

    assert [] == [answer for answer in answers if PLANTED[:8] in answer]
    assert len(ours) >= len(answers)
    assert [] == [line for line in ours if PLANTED[:8] in line.getMessage() + (line.exc_text or "")]


def test_long_names_are_cut(client: TestClient, loan: Loan) -> None:
    """Names that a client made up come back short, printable, and twenty at most."""
    names = ["\u202e" * 300, "\x00\x1b[31m", "😀" * 500, "~/~/" * 100, "<script>" * 20]
    many = {f"{name}{at}": 1 for name in names for at in range(20)}
    for body in (dict.fromkeys(names, 1), many, {"instances": [many] * 5}):
        answer = post(client, "/predict", json.dumps(body, ensure_ascii=False).encode())
        told = fields(answer)
        assert max(map(len, told)) <= 65
        assert all(name.isprintable() for name in told)


# A real process.


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    limits = ("--max-url-bytes", "131072", "--max-header-bytes", "262144")
    with serving("--body-seconds", "1", *limits) as service:
        yield service


def filled(begin: str, one: str, end: str, *, most: int = 10**9) -> bytes:
    """As many copies of `one` (in which `%x` counts) as fit into a MiB."""
    parts: list[str] = []
    size = len(begin) + len(end)
    while len(parts) < most:
        part = one.replace("%x", f"{len(parts):x}")
        size += len(part.encode()) + 1
        if size > MIB:
            break
        parts.append(part)
    return (begin + ",".join(parts) + end).encode()


GOOD = (
    '"loan_amount":1,"annual_income":1,"debt_to_income":1,"total_credit_lines":1,"delinq_2y":0,'
    '"paid_principal":0,"paid_interest":0,"paid_late_fees":0,"current_accounts_delinq":0'
)
ROW_OF_UNKNOWN = "{" + ",".join(f'"{at:x}":0' for at in range(136)) + "}"
SHAPES = {
    "unknown keys": filled("{", '"a%x":0', "}"),
    "unknown keys and instances": filled('{"instances":0,', '"a%x":0', "}"),
    "1000 rows of unknown keys": filled('{"instances":[', ROW_OF_UNKNOWN, "]}", most=1000),
    "the same, escaped": filled('{"\\u0069nstances":[', ROW_OF_UNKNOWN, "]}", most=1000),
    "empty rows": filled('{"instances":[', "{}", "]}"),
    "numbers for rows": filled('{"instances":[', "0", "]}"),
    "a list of objects": filled("[", "{}", "]"),
    "rows that are all wrong": filled('{"instances":[', "{" + GOOD.replace(":", ":-") + "}", "]}"),
    "a long key": b'{"' + b"a" * (MIB - 10) + b'":0}',
    "a long key of escapes": b'{"' + b"\\u0061" * (MIB // 6 - 10) + b'":0}',
    "a long number": b'{"loan_amount":' + b"9" * (MIB - 20) + b"}",
    "a long fraction": b'{"loan_amount":0.' + b"1" * (MIB - 20) + b"}",
    "deep lists": b"[" * (MIB // 2) + b"]" * (MIB // 2),
    "deep objects": b'{"":' * (MIB // 5),
    "duplicates": filled("{" + GOOD + ",", '"loan_amount":1', "}"),
    "escaped duplicates": filled("{" + GOOD + ",", '"\\u006coan_amount":1', "}"),
    "shadowed objects": filled('{"loan_amount":[', "{}", "]," + GOOD + "}"),
    "shadowed members": filled('{"loan_amount":[', '{"a":0}', "]," + GOOD + "}"),
    "shadowed rows": filled('{"instances":[', '{"a":0}', '],"instances":[{' + GOOD + "}]}"),
    "shadowed lists": filled('{"loan_amount":[', "[0]", "]," + GOOD + "}"),
}
QUERIES = {
    "unknown parameters": "&".join(f"{at:x}" for at in range(13_000)),
    "repeated parameters": "&".join(["a"] * 32_000),
    "repeated known parameters": "&".join(["passes=1"] * 7_000),
    "a long value": "passes=" + "9" * 64_000,
}
LONGEST_SECONDS = 0.5


def computed(service: Service) -> float:
    """Seconds of processor time that a service has used, whatever else the machine does."""
    stat = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def timed(service: Service, address: str, body: bytes) -> tuple[httpx.Response, float]:
    """An answer, and for how long it kept the event loop from everybody else; best of three."""
    seconds = []
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for _ in range(3):
            start = computed(service)
            answer = client.post(
                address, content=body, headers={"Content-Type": "application/json"}
            )
            seconds.append(computed(service) - start)
    return answer, min(seconds)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_body_stalls_the_service(service: Service, shape: str) -> None:
    """The worst MiB there is costs less than half a second of everybody else's time."""
    assert len(SHAPES[shape]) <= MIB
    answer, stall = timed(service, "/predict", SHAPES[shape])
    assert answer.status_code in {400, 422}
    assert len(answer.content) < 16 * 1024
    assert stall < LONGEST_SECONDS


@pytest.mark.parametrize("query", QUERIES)
def test_no_query_stalls_the_service(service: Service, query: str) -> None:
    """Nor does the longest query string that the server reads."""
    body = b"{" + GOOD.encode() + b"}"
    answer, stall = timed(service, f"/predict/mc?{QUERIES[query]}", body)
    assert 422 == answer.status_code
    assert len(answer.content) < 16 * 1024
    assert stall < LONGEST_SECONDS


def raw(service: Service, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send bytes as they are, a pause after each part, and read all that comes back."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        connection.settimeout(10)
        received = b""
        while b"\r\n\r\n" not in received or b"}" not in received:
            more = connection.recv(65536)
            if not more:
                break
            received += more
    return received


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("framing", [b"Content-Length: 500", b"Transfer-Encoding: chunked"])
def test_a_slow_body_is_408(service: Service, framing: bytes) -> None:
    """A body that does not arrive in time is 408, whatever length it declares or does not."""
    chunk = b'5\r\n{"loa\r\n' if b"chunked" in framing else b'{"loa'
    start = time.perf_counter()
    answer = raw(service, HEAD + framing + b"\r\n\r\n" + chunk)
    assert b"HTTP/1.1 408 " == answer[:13]
    assert b"application/problem+json" in answer
    assert b"x-request-id" in answer
    assert 0.9 < time.perf_counter() - start < 3


def test_a_dripping_body_is_408(service: Service) -> None:
    """The time is for the whole body, not from byte to byte."""
    drops = [b"1"] * 20
    answer = raw(service, HEAD + b"Content-Length: 500\r\n\r\n", *drops, pause=0.1)
    assert b"HTTP/1.1 408 " == answer[:13]


def test_a_large_body_is_refused_unread(service: Service) -> None:
    """A declared length over the cap is refused before any of the body has come."""
    answer = raw(service, HEAD + b"Content-Length: 10000000000\r\n\r\n")
    assert b"HTTP/1.1 413 " == answer[:13]


def test_a_large_body_without_length_is_refused(service: Service) -> None:
    """Chunks are counted as they come."""
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    answer = raw(service, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 17)
    assert b"HTTP/1.1 413 " == answer[:13]


def test_a_client_that_leaves_is_forgotten(service: Service) -> None:
    """A connection that closes within its body leaves no traceback in the log."""
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(HEAD + b'Content-Length: 500\r\n\r\n{"loan_amount":')
            time.sleep(0.05)
    time.sleep(0.3)
    assert "Traceback" not in service.written()
    assert 200 == httpx.get(f"{service.url}/health/live").status_code


@pytest.mark.parametrize(
    "head",
    [
        b"GARBAGE\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_not_http_is_400(service: Service, head: bytes) -> None:
    """Bytes that are no HTTP get a 400 that says nothing of them."""
    assert b"HTTP/1.1 400 " == raw(service, head)[:13]
