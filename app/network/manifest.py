"""`bundle.json`: everything about a bundle that is not weights.

The text is RFC 8785 canonical JSON, so that equal content has equal bytes and one digest.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import rfc8785
from pydantic import TypeAdapter, ValidationError

from app.errors import BundleError
from app.network.document import strict_json
from app.values import MAX_SEED, Calibration, Feature, Identity, Rule, Signature

MANIFEST_FILE = "bundle.json"
NETWORK_FILE = "model.keras"
CARD_FILE = "MODEL_CARD.md"
SUMS_FILE = "SHA256SUMS"

MOST_GOLDEN_PASSES = 1_000_000
"""Of all golden rows: they are run at the start, which must not take long."""


@dataclass(frozen=True, slots=True)
class GoldenRow:
    """One row whose answers were stored when the bundle was written."""

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


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of `bundle.json`, format 1."""

    format: Literal[1]
    name: str
    version: int
    features: tuple[Feature, ...]
    classes: tuple[str, ...]
    passes: int
    """Default number of passes."""
    calibration: Calibration | None
    """Sets and decisions; None where the bundle has neither."""
    rules: tuple[Rule, ...]
    golden: tuple[GoldenRow, ...]
    metrics: dict[str, dict[str, float]]
    """Metrics on the held-out split: `deterministic` and `mc`, each by name."""
    trained: Provenance
    network_sha256: str
    """Hexadecimal SHA-256 of `model.keras`."""

    @property
    def signature(self) -> Signature:
        """The ordered features and classes."""
        return Signature(self.features, self.classes)

    @property
    def identity(self) -> Identity:
        """Name, version and digest, as every answer carries them."""
        digest = hashlib.sha256(self.to_bytes()).hexdigest()
        return Identity(self.name, self.version, f"sha256:{digest}")

    def to_bytes(self) -> bytes:
        """The canonical bytes, which the digest covers."""
        plain = asdict(self)
        if self.calibration is not None and not self.calibration.mutual_information:
            # Older bundles do not know it; their bytes stay what they were.
            del plain["calibration"]["mutual_information"]
        return rfc8785.dumps(plain)


_manifests: TypeAdapter[Manifest] = TypeAdapter(Manifest)


def parse_manifest(text: bytes, file: str = MANIFEST_FILE) -> Manifest:
    """Read a manifest from the bytes of `bundle.json`.

    Raises:
        BundleError: not JSON, not format 1, or not consistent in itself.
    """
    try:
        canonical = rfc8785.dumps(strict_json(text, file))
    except rfc8785.CanonicalizationError as error:
        raise BundleError(f"{file} is not valid JSON") from error
    try:
        manifest = _manifests.validate_json(canonical)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{file} is not of format 1: {where}: {first['msg']}") from error
    if manifest.to_bytes() != canonical:
        raise BundleError(f"{file} is not of format 1: it has fields or values that are unknown")
    fault = next(_faults(manifest), None)
    if fault is not None:
        raise BundleError(f"{file}: {fault}")
    return manifest


def _faults(manifest: Manifest) -> Iterator[str]:
    """Yield what is inconsistent, as parts of a sentence."""
    yield from _signature_faults(manifest)
    if manifest.version < 1:
        yield "the version is not a positive integer"
    if manifest.passes < 1:
        yield "the default number of passes is not positive"
    calibration = manifest.calibration
    if calibration is not None and len(calibration.mutual_information) not in (
        0,
        len(calibration.labels),
    ):
        yield "the calibration does not have the mutual information of each of its rows"
    for rule in manifest.rules:
        if unknown := set(rule.when) - {feature.name for feature in manifest.features}:
            yield f"the rule {rule.reason} names {min(unknown)}, which is no feature"
    if not manifest.golden:
        yield "there is no golden row"
    if (passes := sum(row.passes for row in manifest.golden)) > MOST_GOLDEN_PASSES:
        yield f"golden rows of {passes} passes are more than the {MOST_GOLDEN_PASSES} allowed"
    for row in manifest.golden:
        yield from _golden_faults(row, manifest.features, len(manifest.classes))


def _signature_faults(manifest: Manifest) -> Iterator[str]:
    if not manifest.features:
        yield "there is no feature"
    labels = [label for feature in manifest.features for label in (feature.name, *feature.aliases)]
    if len(set(labels)) != len(labels):
        yield "two features share a name or an alias"
    if len(manifest.classes) < 2 or len(set(manifest.classes)) != len(manifest.classes):
        yield "the classes are not at least two different names"
    for feature in manifest.features:
        yield from _feature_faults(feature)


def _feature_faults(feature: Feature) -> Iterator[str]:
    if not feature.minimum < feature.maximum:
        yield f"the minimum of {feature.name} is not below its maximum"
    if feature.nullable != (feature.imputed is not None):
        yield f"{feature.name} needs an imputed value exactly if it is nullable"
    if len(feature.seen.histogram_edges) != len(feature.seen.histogram_counts) + 1:
        yield f"the histogram of {feature.name} does not have one edge more than counts"


def _golden_faults(row: GoldenRow, features: Sequence[Feature], classes: int) -> Iterator[str]:
    if len(row.features) != len(features):
        yield f"a golden row has {len(row.features)} features instead of {len(features)}"
    for answer in (row.deterministic, row.mean, row.std):
        if len(answer) != classes:
            yield f"a golden row answers {len(answer)} classes instead of {classes}"
    if row.passes < 2 or not 0 <= row.seed <= MAX_SEED:
        yield "a golden row has passes or a seed out of range"
    for value, feature in zip(row.features, features, strict=False):
        if value is None and not feature.nullable:
            yield f"a golden row has no {feature.name}, which is not nullable"
