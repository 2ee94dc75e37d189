"""The manifest `bundle.json`: all data of a bundle except its weights, read and checked.

The text is RFC 8785 canonical JSON, so that equal content has equal bytes and one digest.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import rfc8785
from pydantic import TypeAdapter, ValidationError

from dubito.bundles.consistency import (
    can_be,
    metric_faults,
    rule_faults,
    signature_faults,
    text_faults,
)
from dubito.bundles.strict_json import named, strict_json
from dubito.errors import BundleError
from dubito.types import MAX_SEED, Calibration, DomainRule, Feature, Identity, Signature
from dubito.uncertainty.calibration_check import calibration_faults

MANIFEST_FILE = "bundle.json"
NETWORK_FILE = "model.keras"
CARD_FILE = "MODEL_CARD.md"
KOREAN_CARD_FILE = "MODEL_CARD.ko.md"
SUMS_FILE = "SHA256SUMS"

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


@dataclass(frozen=True, slots=True)
class GoldenRow:
    """One row and its predictions, stored when the bundle was written."""

    features: tuple[float | None, ...]
    passes: int
    seed: int
    deterministic: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Provenance:
    """How the network was trained."""

    command: str
    data: str
    data_digest: str
    rows: int
    seed: int
    split_seed: int
    versions: dict[str, str]

    @property
    def is_conversion(self) -> bool:
        """Whether the network was trained elsewhere, so that its training rows are unknown."""
        return self.command.startswith("dubito convert")


@dataclass(frozen=True)
class Manifest:
    """The content of `bundle.json`, format 1. It has no slots, because it keeps its digest."""

    format: Literal[1]
    name: str
    version: int
    features: tuple[Feature, ...]
    classes: tuple[str, ...]
    passes: int
    """Default number of passes a row."""
    calibration: Calibration | None
    """Scores and policy for sets and decisions; None if the bundle offers neither."""
    rules: tuple[DomainRule, ...]
    golden: tuple[GoldenRow, ...]
    metrics: dict[str, dict[str, float]]
    """Metrics by name, of the `deterministic` pass and of `mc`, on the held-out split; in a
    conversion, on rows that the network may have been fitted or calibrated on."""
    trained: Provenance
    network_sha256: str
    """Hexadecimal SHA-256 of `model.keras`."""

    @property
    def signature(self) -> Signature:
        """Ordered features and classes."""
        return Signature(self.features, self.classes)

    @cached_property
    def identity(self) -> Identity:
        """Name, version and digest, which every answer carries."""
        digest = hashlib.sha256(self.to_bytes()).hexdigest()
        return Identity(self.name, self.version, f"sha256:{digest}")

    def to_bytes(self) -> bytes:
        """Serialize to canonical JSON (RFC 8785), the bytes that the digest covers."""
        plain = asdict(self)
        if self.calibration is not None:
            _leave_out_unknown(plain["calibration"], self.calibration)
        return rfc8785.dumps(plain)


def _leave_out_unknown(plain: dict[str, Any], calibration: Calibration) -> None:
    """Remove members that older bundles do not have, so that their bytes and digest stay."""
    if not calibration.mutual_information:
        del plain["mutual_information"]
    policy = plain["policy"]
    if calibration.policy.case_limit is None:
        del policy["case_limit"], policy["likelihood"]
        for promise in policy["promises"]:
            del promise["band"], promise["wanting"]


_manifests: TypeAdapter[Manifest] = TypeAdapter(Manifest)


def parse_manifest(text: bytes, file: str = MANIFEST_FILE) -> Manifest:
    """Read a manifest from the bytes of `bundle.json`.

    Raises:
        BundleError: the text is not JSON, not of format 1 or not consistent; the message names the
            member.
    """
    content = strict_json(text, file)
    _refuse(file, text_faults(content))
    canonical = rfc8785.dumps(content)
    try:
        manifest = _manifests.validate_json(canonical, strict=True, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = MESSAGES.get(first["type"]) or first["msg"]
        fault = f"{named(first['loc'])} {message.replace('Input should be', 'must be')}"
        raise BundleError(f"{file} is not of format 1: {fault}") from error
    if manifest.to_bytes() != canonical:
        raise BundleError(f"{file} is not of format 1: it has fields or values that are unknown")
    _refuse(file, _faults(manifest))
    return manifest


def _refuse(file: str, faults: Iterator[str]) -> None:
    """Raise a BundleError for the first fault, if there is one."""
    fault = next(faults, None)
    if fault is not None:
        raise BundleError(f"{file}: {fault}")


def _faults(manifest: Manifest) -> Iterator[str]:
    """Yield inconsistencies, as parts of a sentence that begin with the member's name."""
    features, classes = manifest.features, len(manifest.classes)
    if not 1 <= manifest.version <= MAX_SEED:
        yield "version is not a positive integer"
    if not 1 <= manifest.passes <= MOST_PASSES:
        yield f"passes is not from 1 to {MOST_PASSES}"
    yield from signature_faults(manifest.signature)
    yield from rule_faults(manifest.rules, features)
    yield from metric_faults(manifest.metrics, classes)
    if manifest.calibration is not None:
        yield from (
            f"calibration.{fault}" for fault in calibration_faults(manifest.calibration, classes)
        )
    seen = features[0].seen
    if manifest.trained.rows < sum(seen.histogram_counts) + seen.missing:
        yield "trained.rows is less than the rows that features.0.seen counts"
    if not manifest.golden:
        yield "golden has no row"
    for at, row in enumerate(manifest.golden):
        yield from _golden_faults(f"golden.{at}", row, features, classes)
    if (passes := sum(row.passes for row in manifest.golden)) > MOST_PASSES:
        yield f"golden has {passes} passes, more than the {MOST_PASSES} that a start may take"


def _golden_faults(
    way: str, row: GoldenRow, features: Sequence[Feature], classes: int
) -> Iterator[str]:
    if len(row.features) != len(features):
        yield f"{way}.features has {len(row.features)} values, not {len(features)}"
    for answer in ("deterministic", "mean", "std"):
        if len(getattr(row, answer)) != classes:
            yield f"{way}.{answer} has {len(getattr(row, answer))} classes, not {classes}"
    if row.passes < 2:
        yield f"{way}.passes is less than 2, too few for a standard deviation"
    if not 0 <= row.seed <= MAX_SEED:
        yield f"{way}.seed is not from 0 to {MAX_SEED}"
    for at, (value, feature) in enumerate(zip(row.features, features, strict=True)):
        if not (feature.nullable if value is None else can_be(feature, value)):
            yield f"{way}.features.{at} is not a value that the feature can have"
    yield from _answer_faults(way, row)


def _answer_faults(way: str, row: GoldenRow) -> Iterator[str]:
    for answer in ("deterministic", "mean"):
        if min(getattr(row, answer)) < 0 or abs(sum(getattr(row, answer)) - 1) > LOOSE:
            yield f"{way}.{answer} is not of probabilities that sum to 1"
    # Values from 0 to 1 with mean m have a standard deviation of at most √(m(1 − m)).
    most = [max(0.0, mean * (1 - mean)) ** 0.5 + LOOSE for mean in row.mean]
    if not all(0 <= std <= limit for std, limit in zip(row.std, most, strict=True)):
        yield f"{way}.std is not possible for probabilities with its mean"
