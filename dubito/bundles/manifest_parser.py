"""Parses `bundle.json` of every format to a manifest, and checks that it is consistent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, get_args

import rfc8785
from pydantic import Discriminator, TypeAdapter, ValidationError

from dubito.bundles.consistency import (
    RESERVED,
    metric_faults,
    rule_faults,
    signature_faults,
    text_faults,
)
from dubito.bundles.feature_consistency import can_stand_for
from dubito.bundles.manifest import (
    MANIFEST_FILE,
    MOST_MEMBERS,
    Format,
    GoldenRow,
    Manifest,
    Provenance,
)
from dubito.bundles.strict_json import named, strict_json
from dubito.errors import BundleError
from dubito.features import Feature, FeatureKind, NumberFeature
from dubito.targets import ClassTarget, NumberTarget, Target
from dubito.types import MAX_SEED, Calibration, DomainRule, NumberCalibration, Signature
from dubito.uncertainty.calibration_check import calibration_faults
from dubito.uncertainty.number_calibration_check import number_calibration_faults

MOST_PASSES = 1_000_000
"""Most passes a row by default, and most passes of all golden rows together."""
LOOSE = 1e-3
"""Tolerance of the sum of golden probabilities, which a softmax in float32 does not meet exactly;
processors differ too."""
MESSAGES = {
    "missing": "is missing",
    "unexpected_keyword_argument": "is not known",
    "extra_forbidden": "is not known",
}
"""Messages that replace Pydantic's, by type of error."""


KINDS = get_args(FeatureKind)


@dataclass(frozen=True, slots=True)
class _NumberRule:
    """A rule of format 1."""

    reason: str
    when: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class _Members:
    """Members that every format has."""

    name: str
    version: int
    passes: int
    golden: tuple[GoldenRow, ...]
    metrics: dict[str, dict[str, float]]
    trained: Provenance


@dataclass(frozen=True, kw_only=True)
class _OfNetwork(_Members):
    """Members of a bundle of one network."""

    network_sha256: str

    @property
    def network_digests(self) -> tuple[str, ...]:
        """The digest of the network."""
        return (self.network_sha256,)


@dataclass(frozen=True, kw_only=True)
class _OfEnsemble(_Members):
    """Members of a bundle of several networks."""

    networks: tuple[str, ...]

    @property
    def network_digests(self) -> tuple[str, ...]:
        """The digests of the networks."""
        return self.networks


@dataclass(frozen=True, kw_only=True)
class _First(_OfNetwork):
    """Format 1: numbers to classes."""

    format: Literal[1]
    features: tuple[NumberFeature, ...]
    classes: tuple[str, ...]
    calibration: Calibration | None
    rules: tuple[_NumberRule, ...]


@dataclass(frozen=True, slots=True)
class _Classes:
    """A target that is one of several classes, as a manifest has it."""

    kind: Literal["classes"]
    classes: tuple[str, ...]
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class _Number(NumberTarget):
    """A target that is a number, as a manifest has it."""

    kind: Literal["number"]


@dataclass(frozen=True, kw_only=True)
class _OfAnyKind:
    """Members of a bundle whose features are of any kind."""

    features: tuple[Annotated[Feature, Discriminator("kind")], ...]
    rules: tuple[DomainRule, ...]


@dataclass(frozen=True, kw_only=True)
class _OfClasses(_OfAnyKind):
    """Members of a bundle of classes."""

    target: _Classes
    calibration: Calibration | None


@dataclass(frozen=True, kw_only=True)
class _OfNumber(_OfAnyKind):
    """Members of a bundle of a number."""

    target: _Number
    calibration: NumberCalibration | None


@dataclass(frozen=True, kw_only=True)
class _SecondOfClasses(_OfClasses, _OfNetwork):
    """Format 2 with classes."""

    format: Literal[2]


@dataclass(frozen=True, kw_only=True)
class _SecondOfNumber(_OfNumber, _OfNetwork):
    """Format 2 with a number."""

    format: Literal[2]


@dataclass(frozen=True, kw_only=True)
class _ThirdOfClasses(_OfClasses, _OfEnsemble):
    """Format 3 with classes."""

    format: Literal[3]


@dataclass(frozen=True, kw_only=True)
class _ThirdOfNumber(_OfNumber, _OfEnsemble):
    """Format 3 with a number."""

    format: Literal[3]


_Form = tuple[Format, Literal["classes", "number"]]
_FORMS: dict[_Form, type[_Members]] = {
    (1, "classes"): _First,
    (2, "classes"): _SecondOfClasses,
    (2, "number"): _SecondOfNumber,
    (3, "classes"): _ThirdOfClasses,
    (3, "number"): _ThirdOfNumber,
}


@cache
def _reader(form: _Form) -> TypeAdapter[Any]:
    """Return the reader of a form; making one takes milliseconds of every start."""
    return TypeAdapter(_FORMS[form])


def parse_manifest(text: bytes, file: str = MANIFEST_FILE) -> Manifest:
    """Read a manifest from the bytes of `bundle.json`.

    Raises:
        BundleError: the text is not JSON, of no known format or not consistent; the message names
            the member.
    """
    content = strict_json(text, file)
    _refuse(file, text_faults(content))
    canonical = rfc8785.dumps(content)
    version = _version(content, file)
    try:
        reader = _reader((version, _kind(version, content)))
        read = reader.validate_json(canonical, strict=True, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = MESSAGES.get(first["type"]) or first["msg"]
        way = named(_without_kinds(first["loc"]))
        fault = f"{way} {message.replace('Input should be', 'must be')}"
        raise BundleError(f"{file} is not of format {version}: {fault}") from error
    manifest = _manifest(read)
    if manifest.to_bytes() != canonical:
        told = f"{file} is not of format {version}"
        raise BundleError(f"{told}: it has fields or values that are unknown")
    _refuse(file, _faults(manifest))
    return manifest


def _version(content: Mapping[str, Any], file: str) -> Format:
    """Return the format of a manifest; 1 if it names none, which the reader then tells.

    Raises:
        BundleError: it is a number that is not known.
    """
    version = content.get("format")
    if (
        isinstance(version, int)
        and not isinstance(version, bool)
        and version not in get_args(Format)
    ):
        raise BundleError(f"{file} is of format {version}: this version reads 1, 2 and 3")
    return 2 if version == 2 else 3 if version == 3 else 1


def _kind(version: Format, content: Mapping[str, Any]) -> Literal["classes", "number"]:
    """Return the kind of a manifest's target; classes if it names none."""
    if version == 1:
        return "classes"
    match content.get("target"):
        case {"kind": "number"}:
            return "number"
    return "classes"


def _without_kinds(way: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Remove from a path what Pydantic adds: the kind of a feature, the type of a rule's value."""
    match way:
        case ("features", int(), str(kind), *_) if kind in KINDS:
            return (*way[:2], *way[3:])
        case ("rules", int(), "when", str(), str()):
            return way[:4]
    return way


def _manifest(
    read: _First | _SecondOfClasses | _SecondOfNumber | _ThirdOfClasses | _ThirdOfNumber,
) -> Manifest:
    common = {field.name: getattr(read, field.name) for field in fields(_Members)}
    rules: tuple[DomainRule, ...]
    target: Target
    if isinstance(read, _First):
        target = ClassTarget(read.classes)
        rules = tuple(DomainRule(rule.reason, rule.when) for rule in read.rules)
    else:
        target, rules = _target(read.target), read.rules
    return Manifest(
        format=read.format,
        features=read.features,
        target=target,
        calibration=read.calibration,
        rules=rules,
        network_digests=read.network_digests,
        **common,
    )


def _target(read: _Classes | _Number) -> Target:
    if isinstance(read, _Classes):
        return ClassTarget(read.classes, read.ordered)
    return NumberTarget(*(getattr(read, field.name) for field in fields(NumberTarget)))


def _refuse(file: str, faults: Iterator[str]) -> None:
    """Raise a BundleError for the first fault, if there is one."""
    fault = next(faults, None)
    if fault is not None:
        raise BundleError(f"{file}: {fault}")


def _faults(manifest: Manifest) -> Iterator[str]:
    """Yield inconsistencies, as parts of a sentence that begin with the member's name."""
    features = manifest.features
    if not 1 <= manifest.version <= MAX_SEED:
        yield "version is not a positive integer"
    if not 1 <= manifest.passes <= MOST_PASSES:
        yield f"passes is not from 1 to {MOST_PASSES}"
    if manifest.format < 3 and not all(feature.missing_refers for feature in features):
        yield f"format is {manifest.format}, in which every missing value refers"
    yield from _member_faults(manifest)
    yield from signature_faults(manifest.signature)
    yield from rule_faults(manifest.rules, features, RESERVED[manifest.format])
    yield from metric_faults(manifest.metrics, len(manifest.classes))
    yield from (f"calibration.{fault}" for fault in _calibration_faults(manifest))
    if manifest.trained.rows < features[0].seen.rows:
        yield "trained.rows is less than the rows that features.0.seen counts"
    if not manifest.golden:
        yield "golden has no row"
    for at, row in enumerate(manifest.golden):
        yield from _golden_faults(f"golden.{at}", row, manifest.signature)
        if row.passes < 2 * manifest.members:
            yield f"golden.{at}.passes is less than 2 a network, too few for a standard deviation"
    if (passes := sum(row.passes for row in manifest.golden)) > MOST_PASSES:
        yield f"golden has {passes} passes, more than the {MOST_PASSES} that a start may take"


def _member_faults(manifest: Manifest) -> Iterator[str]:
    """Yield faults of an ensemble, all of whose members have equally many passes."""
    members, calibration = manifest.members, manifest.calibration
    if not 1 <= members <= MOST_MEMBERS:
        yield f"networks has {members} digests, not 1 to {MOST_MEMBERS}"
    if len(set(manifest.network_digests)) < members:
        yield "networks has a digest twice, so that a member would be another's copy"
    given = {"passes": manifest.passes}
    given |= {} if calibration is None else {"calibration.passes": calibration.passes}
    given |= {f"golden.{at}.passes": row.passes for at, row in enumerate(manifest.golden)}
    for way, passes in given.items():
        if passes % members:
            yield f"{way} is not a multiple of the {members} networks"


def _calibration_faults(manifest: Manifest) -> Iterator[str]:
    calibration, target = manifest.calibration, manifest.target
    if isinstance(calibration, Calibration) and isinstance(target, ClassTarget):
        ordered = target.is_ordered
        yield from calibration_faults(calibration, len(target.classes), ordered=ordered)
    elif isinstance(calibration, NumberCalibration) and isinstance(target, NumberTarget):
        yield from number_calibration_faults(calibration, target)


def _golden_faults(way: str, row: GoldenRow, signature: Signature) -> Iterator[str]:
    target = signature.target
    outputs = len(target.outputs)
    if len(row.features) != signature.width:
        yield f"{way}.features has {len(row.features)} values, not {signature.width}"
    for answer in ("deterministic", "mean", "std"):
        if len(getattr(row, answer)) != outputs:
            yield f"{way}.{answer} has {len(getattr(row, answer))} {_noun(target)}, not {outputs}"
    if not 0 <= row.seed <= MAX_SEED:
        yield f"{way}.seed is not from 0 to {MAX_SEED}"
    # A tensor has all the numbers of a row.
    own = signature.features * (signature.width // len(signature.features))
    for at, (value, feature) in enumerate(zip(row.features, own, strict=True)):
        if not (feature.nullable if value is None else can_stand_for(feature, value)):
            yield f"{way}.features.{at} is not a value that the feature can have"
    if isinstance(target, NumberTarget):
        yield from _number_answer_faults(way, row, target)
    else:
        yield from _answer_faults(way, row)


def _noun(target: Target) -> str:
    return "outputs" if isinstance(target, NumberTarget) else "classes"


def _number_answer_faults(way: str, row: GoldenRow, target: NumberTarget) -> Iterator[str]:
    if min(row.std) < 0:
        yield f"{way}.std is below 0"
    for answer in ("deterministic", "mean"):
        values = dict(zip(target.outputs, getattr(row, answer), strict=True))
        if values.get("variance", 0) < 0:
            yield f"{way}.{answer} has a variance below 0"


def _answer_faults(way: str, row: GoldenRow) -> Iterator[str]:
    for answer in ("deterministic", "mean"):
        if min(getattr(row, answer)) < 0 or abs(sum(getattr(row, answer)) - 1) > LOOSE:
            yield f"{way}.{answer} is not of probabilities that sum to 1"
    # Values from 0 to 1 with mean m have a standard deviation of at most √(m(1 − m)).
    most = [max(0.0, mean * (1 - mean)) ** 0.5 + LOOSE for mean in row.mean]
    if not all(0 <= std <= limit for std, limit in zip(row.std, most, strict=True)):
        yield f"{way}.std is not possible for probabilities with its mean"
