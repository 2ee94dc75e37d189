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

from dubito.bundles.manifest import format_of
from dubito.bundles.manifest_parser import parse_manifest
from dubito.errors import BundleError
from tests.networks import ROOT

Json = dict[str, Any]


@cache
def shipped() -> bytes:
    return (ROOT / "models" / "loan-grade" / "2" / "bundle.json").read_bytes()


def content() -> Json:
    return dict(json.loads(shipped()))


def text(members: Json) -> bytes:
    return json.dumps(members).encode()


@pytest.mark.parametrize("version", ["1", "2", "3", "4"])
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
COUNT: tuple[str, int] = ("features", 3)
"""Of integers."""
SEEN: tuple[str | int, ...] = (*FEATURE, "seen")
GOLDEN: tuple[str, int] = ("golden", 0)
OTHER_FORMAT = "is not of format 1: "
FAULTS: dict[str, tuple[Callable[[Json], None], str]] = {
    "another format": (change("format", to=4), "is of format 4: this version reads 1, 2 and 3"),
    "a later format": (change("format", to=2), "is not of format 2: "),
    "format as text": (change("format", to="1"), OTHER_FORMAT + "format must be 1"),
    "format as truth": (change("format", to=True), OTHER_FORMAT),
    "name missing": (drop("name"), OTHER_FORMAT + "name is missing"),
    "member missing inside": (drop(*SEEN, "missing"), "features.0.seen.missing is missing"),
    "unknown membe": (change("extra", to=1), OTHER_FORMAT + "extra is not known"),
    "unknown inside": (change(*FEATURE, "extra", to=1), "features.0.extra is not known"),
    "escaping membe": (change("a\x1b[2J", to=1), "a\\x1b[2J has a control characte"),
    "number as text": (change("passes", to="100"), "passes must be a valid integer"),
    "truth as number": (change("version", to=True), "version must be a valid integer"),
    "truth as share": (change(*SEEN, "maximum", to=True), "seen.maximum must be a valid number"),
    "broken number": (change("passes", to=1.5), OTHER_FORMAT + "passes must be a valid integer"),
    "object as list": (change("classes", to={}), OTHER_FORMAT + "classes must be a valid"),
    "null": (change("rules", to=None), OTHER_FORMAT + "rules must be a valid"),
    "version 0": (change("version", to=0), "version is not a positive integer"),
    "version below 0": (change("version", to=-1), "version is not a positive integer"),
    "large version": (change("version", to=2**60), "version is beyond the integers that JSON"),
    "no passes": (change("passes", to=0), "passes is not from 1 to 1000000"),
    "many passes": (change("passes", to=10**7), "passes is not from 1 to 1000000"),
    "no feature": (change("features", to=[]), "features has 0 features"),
    "one class": (change("classes", to=["A"]), "classes has 1 names"),
    "equal classes": (
        change("classes", to=["A"] * 7),
        "classes.1 is the same name as classes.0",
    ),
    "empty class": (change("classes", 1, to=""), "classes.1 is not a name"),
    "blank class": (change("classes", 1, to=" B"), "classes.1 is not a name"),
    "escaping class": (change("classes", 1, to="B\x1b[2J"), "classes.1 has a control characte"),
    "class of two lines": (change("classes", 1, to="B\n"), "classes.1 has a control characte"),
    "turning class": (change("classes", 1, to="B\u202e"), "classes.1 has a control characte"),
    "long class": (change("classes", 1, to="B" * 1_001), "classes.1 is not a name"),
    "long text": (change("trained", "command", to="x" * 70_000), "trained.command is longe"),
    "escaping text": (change("trained", "data", to="\x9b2J"), "trained.data has a control"),
    "equal names": (
        change(*FEATURE, "name", to="annual_income"),
        "features.1.name is the same name as features.0.name",
    ),
    "names of other codes": (
        change(*FEATURE, "aliases", to=["\u1112\u1161\u11ab", "\ud55c"]),
        "features.0.aliases.1 is the same name as features.0.aliases.0",
    ),
    "alias of another": (change(*FEATURE, "aliases", to=["연간소득"]), "is the same name as"),
    "alias of itself": (change(*FEATURE, "aliases", to=["loan_amount"]), "is the same name as"),
    "many aliases": (change(*FEATURE, "aliases", to=[str(n) for n in range(101)]), "more than 100"),
    "long title": (change(*FEATURE, "title", to="x" * 1_001), "title or unit of more than 1000"),
    "empty range": (change(*FEATURE, "maximum", to=0), "features.0.minimum is not below"),
    "endless range": (change(*FEATURE, "maximum", to=1e301), "or one is beyond ±1e+300"),
    "broken integer": (change(*COUNT, "maximum", to=87.5), "features.3 is an integer with a min"),
    "imputed without need": (change(*FEATURE, "imputed", to=1), "features.0 needs an imputed"),
    "nullable without value": (change(*FEATURE, "nullable", to=True), "features.0 needs an imp"),
    "imputed out of range": (
        change("features", 2, "imputed", to=-1),
        "features.2.imputed is not",
    ),
    "missing without null": (change(*SEEN, "missing", to=1), "features.0.seen.missing counts"),
    "seen out of range": (
        change(*FEATURE, "minimum", to=1001),
        "seen.minimum and maximum are not",
    ),
    "seen in no order": (change(*SEEN, "minimum", to=40001), "seen.minimum and maximum are not"),
    "histogram": (
        change(*SEEN, "histogram_counts", to=[1]),
        "features.0.seen.histogram_edges is not one edge more than histogram_counts",
    ),
    "histogram of nothing": (
        change(*SEEN, "histogram_counts", to=[]),
        "histogram_edges is not one",
    ),
    "edges in no order": (change(*SEEN, "histogram_edges", 3, to=3200), "edges does not increase"),
    "edges elsewhere": (change(*SEEN, "histogram_edges", 0, to=999), "does not begin and end with"),
    "edges below": (change(*SEEN, "maximum", to=40001), "does not begin and end with"),
    "count below 0": (
        change(*SEEN, "histogram_counts", 0, to=-1),
        "counts or missing is",
    ),
    "another count": (change(*SEEN, "histogram_counts", 0, to=395), "features.1.seen counts 8000"),
    "no median": (drop(*SEEN, "quantiles", "0.5"), "seen.quantiles has no 0.5"),
    "quantile of no level": (
        change(*SEEN, "quantiles", "1.5", to=40000),
        "level that is not from",
    ),
    "quantile of words": (
        change(*SEEN, "quantiles", "half", to=14400),
        "level that is not from 0",
    ),
    "quantile twice": (change(*SEEN, "quantiles", "0.50", to=14400), "quantiles is not in order"),
    "quantiles in no order": (
        change(*SEEN, "quantiles", "0.05", to=1),
        "quantiles is not in order",
    ),
    "quantile elsewhere": (
        change(*SEEN, "quantiles", "0.5", to=8094),
        "features.0.seen.quantiles.0.5 contradicts the histogram",
    ),
    "broken integers seen": (
        change(*COUNT, "seen", "histogram_edges", 1, to=6.5),
        "features.3.seen has values that are not whole",
    ),
    "kind": (change(*FEATURE, "kind", to="text"), OTHER_FORMAT + "features.0.kind"),
    "rule": (change("rules", 0, "when", to={"age": 1}), "rules.0.when.age is not a feature"),
    "rule that never holds": (
        change("rules", 0, "when", "paid_interest", to=-1),
        "rules.0.when.paid_interest is not a value that the feature can have",
    ),
    "rule of half a count": (
        change("rules", 0, "when", to={"delinq_2y": 0.5}),
        "rules.0.when.delinq_2y is not a value that the feature can have",
    ),
    "reason of decisions": (
        change("rules", 0, "reason", to="epistemic"),
        "rules.0.reason is not",
    ),
    "no reason": (change("rules", 0, "reason", to=""), "rules.0.reason is not a name"),
    "many rules": (
        change("rules", to=[{"reason": "x", "when": {}}] * 1_001),
        "more than 1000 rules",
    ),
    "accuracy": (
        change("metrics", "mc", "accuracy", to=1.1),
        "metrics.mc.accuracy is not from 0",
    ),
    "nll": (change("metrics", "mc", "nll", to=-1), "metrics.mc.nll is not from 0"),
    "brier": (change("metrics", "mc", "brier", to=2.1), "metrics.mc.brier is not from 0 to 2"),
    "size of sets": (
        change("metrics", "mc", "size_lac", to=7.5),
        "mc.size_lac is not from 0 to 7",
    ),
    "metric without a name": (change("metrics", "mc", "", to=0.5), "does not have a valid name"),
    "trained on nothing": (change("trained", "rows", to=0), "trained.rows is less than the rows"),
    "no golden row": (change("golden", to=[]), "golden has no row"),
    "golden width": (
        change(*GOLDEN, "features", to=[1]),
        "golden.0.features has 1 values, not 9",
    ),
    "golden classes": (change(*GOLDEN, "mean", to=[1]), "golden.0.mean has 1 classes, not 7"),
    "golden passes": (change(*GOLDEN, "passes", to=1), "golden.0.passes is less than 2"),
    "endless golden": (
        change(*GOLDEN, "passes", to=10**7),
        "more than the 1000000 that a start may",
    ),
    "golden seed": (change(*GOLDEN, "seed", to=-1), "golden.0.seed is not from 0"),
    "golden null": (
        change(*GOLDEN, "features", 0, to=None),
        "golden.0.features.0 is not a value",
    ),
    "golden value": (change(*GOLDEN, "features", 0, to=-1), "golden.0.features.0 is not a value"),
    "golden count": (
        change(*GOLDEN, "features", 3, to=0.5),
        "golden.0.features.3 is not a value",
    ),
    "golden mean": (change(*GOLDEN, "mean", 0, to=0.5), "golden.0.mean is not of probabilities"),
    "golden sum": (
        change(*GOLDEN, "deterministic", to=[1] * 7),
        "golden.0.deterministic is not of probabilities",
    ),
    "golden deviation": (change(*GOLDEN, "std", 3, to=0.4), "golden.0.std is not possible"),
    "golden below 0": (change(*GOLDEN, "std", 3, to=-0.01), "golden.0.std is not possible"),
    "calibration": (change("calibration", to={}), OTHER_FORMAT + "calibration.passes is missing"),
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_is_told_in_a_sentence(name: str) -> None:
    """Each inconsistency is refused, by a sentence that names the file and the fault."""
    damage, sentence = FAULTS[name]
    members = content()
    damage(members)
    with pytest.raises(BundleError) as caught:
        parse_manifest(text(members), "here/bundle.json")
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("here/bundle.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", ""),
        (b"{", ""),
        (b"\xff\xfe\x00", ""),
        (b"[" * 100_000, ": it is nested too deeply"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, ": it is nested deeper than 64 levels"),
        (b'{"a":1,"b":2,"a":1}', ": a is given twice"),
        (b'{"a":[{"b":1,"\\u0062":1}]}', ": a.0.b is given twice"),
        (b'{"a":NaN}', ": a is not a finite number"),
        (b'{"a":{"b":[0,-Infinity]}}', ": a.b.1 is not a finite number"),
        (b'{"a":1e999}', ": a is not a finite number"),
        (rb'{"a":"\ud800"}', ": a has half a surrogate pair"),
        (rb'{"\udfff":1}', ": \\udfff has half a surrogate pair"),
        (b'{"a":' + b"9" * 5_000 + b"}", ": a is not a finite number"),
    ],
)
def test_what_is_not_json_is_refused(data: bytes, fault: str) -> None:
    """Text that is not I-JSON is refused, with the member's name, before it is looked at."""
    with pytest.raises(BundleError, match=f"^bundle.json is not valid JSON{re.escape(fault)}$"):
        parse_manifest(data)


@pytest.mark.parametrize("number", [2**53, -(2**53), 10**300])
def test_integers_that_are_not_exact_are_refused(number: int) -> None:
    """Canonical JSON has doubles alone."""
    with pytest.raises(BundleError, match=r"^bundle\.json: a\.0 is beyond the integers that JSON"):
        parse_manifest(text({"a": [number]}))


def test_a_byte_order_mark_is_no_content() -> None:
    """It is skipped, and the digest stays."""
    assert (
        parse_manifest(b"\xef\xbb\xbf" + shipped()).identity == parse_manifest(shipped()).identity
    )


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


def second() -> Json:
    """A manifest of format 2: a truth and a category among the features."""
    members = content()
    members |= {"format": 2, "target": {"kind": "classes", "classes": members.pop("classes")}}
    rows = sum(members["features"][0]["seen"]["histogram_counts"])
    category = {
        "name": "home",
        "title": "Home",
        "aliases": ["집"],
        "kind": "category",
        "categories": [{"name": "own", "aliases": ["자가"]}, {"name": "rent", "aliases": []}],
        "takes_unknown": True,
        "nullable": True,
        "imputed": 3,
        "seen": {"counts": [rows - 30, 10], "unknown": 10, "missing": 10},
    }
    truth = {
        "name": "joint",
        "title": "",
        "aliases": [],
        "kind": "boolean",
        "nullable": False,
        "imputed": None,
        "seen": {"counts": [rows, 0], "unknown": 0, "missing": 0},
    }
    members["features"][3:5] = [category, truth]
    for row in members["golden"]:
        row["features"][3:5] = [2, 1]
    members["rules"] = [{"reason": "renter", "when": {"home": "rent", "joint": True}}]
    return members


HOME: tuple[str, int] = ("features", 3)
JOINT: tuple[str, int] = ("features", 4)
COUNTS: tuple[str | int, ...] = (*HOME, "seen", "counts")
SECOND_FAULTS: dict[str, tuple[Callable[[Json], None], str]] = {
    "classes of format 1": (change("classes", to=["A", "B"]), "2: classes is not known"),
    "no target": (drop("target"), "2: target is missing"),
    "another target": (change("target", "kind", to="sum"), "2: target.kind must be 'classes'"),
    "another kind": (change(*HOME, "kind", to="colour"), "2: features.3"),
    "a unit": (change(*HOME, "unit", to="m"), "unit is not known"),
    "a number as category": (
        change(*HOME, "categories", 0, "name", to=1),
        "2: features.3.categories.0.name must be a valid string",
    ),
    "a rule of nothing": (change("rules", 0, "when", "home", to=None), "2: rules.0.when.home must"),
    "no category": (change(*HOME, "categories", to=[]), "3.categories has 0 names"),
    "empty category": (change(*HOME, "categories", 0, "name", to=""), "0.name is not a name"),
    "category twice": (
        change(*HOME, "categories", 1, "aliases", to=["자가"]),
        "features.3.categories.1.aliases.0 is the same name as features.3.categories.0.aliases.0",
    ),
    "escaping category": (
        change(*HOME, "categories", 0, "name", to="own\x1b[2J"),
        "features.3.categories.0.name has a control characte",
    ),
    "many aliases": (
        change(*HOME, "categories", 0, "aliases", to=[str(n) for n in range(101)]),
        "features.3.categories.0.aliases has more than 100",
    ),
    "imputed beyond": (change(*HOME, "imputed", to=4), "features.3.imputed is not"),
    "imputed between": (change(*HOME, "imputed", to=0.5), "features.3.imputed is not"),
    "imputed truth": (change(*JOINT, "imputed", to=1), "features.4 needs an imputed value"),
    "few counts": (change(*COUNTS, to=[7980]), "features.3.seen.counts has 1 counts, not 2"),
    "count below 0": (change(*COUNTS, to=[7981, -1]), "features.3.seen has a count below 0"),
    "another count": (change(*COUNTS, 1, to=11), "features.3.seen counts 8001 rows"),
    "unknown without slot": (
        lambda members: members["features"][3].update(takes_unknown=False, imputed=2),
        "features.3.seen.unknown counts rows",
    ),
    "missing truth": (
        change(*JOINT, "seen", to={"counts": [7999, 0], "unknown": 0, "missing": 1}),
        "features.4.seen.missing counts rows without a value",
    ),
    "rule of no category": (
        change("rules", 0, "when", "home", to="tent"),
        "rules.0.when.home is not a value that the feature can have",
    ),
    "rule of a number": (
        change("rules", 0, "when", "joint", to=1),
        "rules.0.when.joint is not a value that the feature can have",
    ),
    "reason of format 2": (
        change("rules", 0, "reason", to="unknown_category"),
        "rules.0.reason is not a name of its own",
    ),
    "golden beyond": (change(*GOLDEN, "features", 3, to=3), "golden.0.features.3 is not a value"),
    "golden between": (change(*GOLDEN, "features", 4, to=0.5), "golden.0.features.4 is not a"),
}


def test_format_2_has_features_of_every_kind() -> None:
    """Read and written, canonical, with aliases and rules in words."""
    manifest = parse_manifest(text(second()))
    assert manifest.to_bytes() == parse_manifest(manifest.to_bytes()).to_bytes()
    assert manifest.signature.features[3].number_of("자가") == 0
    assert manifest.rules[0].when == {"home": "rent", "joint": True}


@pytest.mark.parametrize("name", list(SECOND_FAULTS))
def test_a_fault_of_format_2_is_told(name: str) -> None:
    """Kinds of features, their lists and counts, rules in words."""
    damage, sentence = SECOND_FAULTS[name]
    members = second()
    damage(members)
    with pytest.raises(BundleError) as caught:
        parse_manifest(text(members))
    assert sentence in str(caught.value)


def third() -> Json:
    """A manifest of format 3: one network, and a feature that many rows lack."""
    members = second()
    members |= {"format": 3, "networks": [members.pop("network_sha256")]}
    members["features"][3]["missing_refers"] = False
    return members


def test_format_3_tells_what_is_usually_missing() -> None:
    """Read and written, canonical; nothing is written where a missing value refers."""
    manifest = parse_manifest(text(third()))
    assert manifest.to_bytes() == parse_manifest(manifest.to_bytes()).to_bytes()
    assert [one.missing_refers for one in manifest.features][3:5] == [False, True]
    assert format_of(manifest.features, manifest.target) == 3
    told = ["missing_refers" in one for one in json.loads(manifest.to_bytes())["features"]]
    assert told == [at == 3 for at in range(len(told))]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (change(*JOINT, "missing_refers", to=False), "features.4.missing_refers is false, but"),
        (change(*HOME, "missing_refers", to=True), "fields or values that are unknown"),
        (change(*HOME, "missing_refers", to=0), "features.3.missing_refers must be a valid bool"),
        (change("networks", to=[]), "networks has 0 digests, not 1 to"),
        (change("networks", to=["a"] * 33), "networks has 33 digests, not 1 to"),
    ],
)
def test_a_fault_of_format_3_is_told(damage: Callable[[Json], None], sentence: str) -> None:
    """What may not be missing has no such member, and the default is not written."""
    members = third()
    damage(members)
    with pytest.raises(BundleError) as caught:
        parse_manifest(text(members))
    assert sentence in str(caught.value)


@pytest.mark.parametrize("make", [content, second])
def test_older_formats_refer_what_is_missing(make: Callable[[], Json]) -> None:
    """A feature that says otherwise is none of theirs."""
    members = make()
    at = next(i for i, one in enumerate(members["features"]) if one["nullable"])
    members["features"][at]["missing_refers"] = False
    with pytest.raises(BundleError, match="in which every missing value refers"):
        parse_manifest(text(members))


def test_format_1_may_use_reasons_that_came_later() -> None:
    """A bundle that was published before a reason was built in still loads."""
    members = content()
    members["rules"][0]["reason"] = "unknown_category"
    assert parse_manifest(text(members)).rules[0].reason == "unknown_category"
