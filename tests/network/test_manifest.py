"""`bundle.json`: canonical bytes, one digest, and every inconsistency by its sentence."""

import hashlib
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BundleError
from app.network.manifest import parse_manifest
from tests.networks import ROOT

Json = dict[str, Any]


@cache
def shipped() -> bytes:
    return (ROOT / "models" / "loan-grade" / "2" / "bundle.json").read_bytes()


def content() -> Json:
    return dict(json.loads(shipped()))


def text(members: Json) -> bytes:
    return json.dumps(members).encode()


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_the_shipped_manifests_are_canonical(version: str) -> None:
    """A manifest read and written has the bytes it had, and their SHA-256 is its digest."""
    data = (ROOT / "models" / "loan-grade" / version / "bundle.json").read_bytes()
    manifest = parse_manifest(data)
    assert manifest.to_bytes() == data
    assert manifest.identity.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert manifest.identity.version == int(version)


def test_canonical_is_rfc_8785() -> None:
    """Members sorted, no space, shortest numbers, no escapes beyond JSON's own."""
    data = parse_manifest(shipped()).to_bytes()
    plain = json.loads(data)
    members = [list(plain), list(plain["features"][0]), list(plain["trained"])]
    assert all(names == sorted(names) for names in members)
    assert "대출금액".encode() in data
    assert b'"maximum":1000000000000,' in data
    assert not re.search(rb'":\s|,\s"', data)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_how_it_is_written_does_not_change_the_digest(indent: int | None, ascii_only: bool) -> None:
    """Spaces, order and escapes of the text are no content."""
    reordered = dict(reversed(content().items()))
    other = json.dumps(reordered, indent=indent, ensure_ascii=ascii_only).encode()
    assert parse_manifest(other).identity == parse_manifest(shipped()).identity


def change(*path: str | int, to: Any) -> Callable[[Json], None]:
    def apply(members: Json) -> None:
        place: Any = members
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = to

    return apply


def drop(*path: str | int) -> Callable[[Json], None]:
    def apply(members: Json) -> None:
        place: Any = members
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]

    return apply


FEATURE: tuple[str, int] = ("features", 0)
GOLDEN: tuple[str, int] = ("golden", 0)
FAULTS: dict[str, tuple[Callable[[Json], None], str]] = {
    "another format": (change("format", to=2), "is not of format 1: format"),
    "format as text": (change("format", to="1"), "is not of format 1"),
    "format as truth": (change("format", to=True), "is not of format 1"),
    "name missing": (drop("name"), "is not of format 1: name"),
    "unknown member": (change("extra", to=1), "fields or values that are unknown"),
    "unknown member inside": (change(*FEATURE, "extra", to=1), "that are unknown"),
    "number as text": (change("passes", to="100"), "that are unknown"),
    "truth as number": (change("version", to=True), "that are unknown"),
    "broken number": (change("passes", to=1.5), "is not of format 1: passes"),
    "version 0": (change("version", to=0), "the version is not a positive integer"),
    "version below 0": (change("version", to=-1), "the version is not a positive integer"),
    "no passes": (change("passes", to=0), "the default number of passes is not positive"),
    "no feature": (change("features", to=[]), "there is no feature"),
    "one class": (change("classes", to=["A"]), "not at least two different names"),
    "equal classes": (change("classes", to=["A"] * 7), "not at least two different names"),
    "equal names": (change(*FEATURE, "name", to="annual_income"), "share a name or an alias"),
    "alias of another": (change(*FEATURE, "aliases", to=["연간소득"]), "share a name or an alias"),
    "alias of itself": (change(*FEATURE, "aliases", to=["loan_amount"]), "share a name"),
    "empty range": (change(*FEATURE, "maximum", to=0), "loan_amount is not below its maximum"),
    "imputed without need": (change(*FEATURE, "imputed", to=1), "loan_amount needs an imputed"),
    "nullable without value": (change(*FEATURE, "nullable", to=True), "loan_amount needs an"),
    "histogram": (
        change(*FEATURE, "seen", "histogram_counts", to=[1]),
        "the histogram of loan_amount does not have one edge more than counts",
    ),
    "kind": (change(*FEATURE, "kind", to="text"), r"is not of format 1: features\.0\.kind"),
    "rule": (change("rules", 0, "when", to={"age": 1}), "names age, which is no feature"),
    "no golden row": (change("golden", to=[]), "there is no golden row"),
    "golden width": (change(*GOLDEN, "features", to=[1]), "has 1 features instead of 9"),
    "golden classes": (change(*GOLDEN, "mean", to=[1]), "answers 1 classes instead of 7"),
    "golden passes": (change(*GOLDEN, "passes", to=1), "passes or a seed out of range"),
    "golden seed": (change(*GOLDEN, "seed", to=-1), "passes or a seed out of range"),
    "golden null": (change(*GOLDEN, "features", 0, to=None), "has no loan_amount, which is not n"),
    "calibration": (change("calibration", to={}), "is not of format 1: calibration"),
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_is_told_in_a_sentence(name: str) -> None:
    """Each inconsistency is refused, by a sentence that names the file and the fault."""
    damage, sentence = FAULTS[name]
    members = content()
    damage(members)
    with pytest.raises(BundleError, match=sentence) as caught:
        parse_manifest(text(members), "here/bundle.json")
    assert str(caught.value).startswith("here/bundle.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a":1,"a":1}',
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":9007199254740993}',
        rb'{"a":"\ud800"}',
        b'{"a":' + b"9" * 5_000 + b"}",
    ],
    ids=["empty", "cut", "bytes", "deep", "twice", "NaN", "infinite", "large", "surrogate", "long"],
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    """Text that is not I-JSON is refused before it is looked at."""
    with pytest.raises(BundleError, match=r"^bundle\.json is not valid JSON$"):
        parse_manifest(data)


@pytest.mark.parametrize("data", [b"null", b"[]", b"1", b'"text"', b"{}", b'{"format":1}'])
def test_json_that_is_no_manifest_is_refused(data: bytes) -> None:
    """JSON of another shape is not of format 1."""
    with pytest.raises(BundleError, match=r"^bundle\.json is not (a JSON object|of format 1: .*)$"):
        parse_manifest(data)


@given(at=st.integers(0, 10**9), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_changes_the_digest(at: int, byte: int) -> None:
    """No byte of a canonical manifest can change and leave the digest as it was."""
    data = bytearray(shipped())
    at %= len(data)
    if data[at] == byte:
        return
    data[at] = byte
    try:
        other = parse_manifest(bytes(data)).identity.digest
    except BundleError:
        return
    if json.loads(bytes(data)) != content():
        assert other != parse_manifest(shipped()).identity.digest
