"""The manifest `bundle.json`: all data of a bundle except its weights.

The text is RFC 8785 canonical JSON, so that equal content has equal bytes and one digest.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import rfc8785

from dubito.features import Feature, NumberFeature
from dubito.targets import ClassTarget, NumberTarget, Target
from dubito.types import AnyCalibration, Calibration, DomainRule, Identity, Signature

MANIFEST_FILE = "bundle.json"
NETWORK_FILE = "model.keras"
"""Name of the network's file, of an ensemble that of the first member."""
CARD_FILE = "MODEL_CARD.md"
KOREAN_CARD_FILE = "MODEL_CARD.ko.md"
SUMS_FILE = "SHA256SUMS"

MOST_MEMBERS = 32
"""Most networks of an ensemble; the random stream has room for 2,048."""

Format = Literal[1, 2, 3]
"""1: numbers to classes; 2: features and targets of any kind; 3: ensembles of networks, and missing
values that do not refer a row."""


@dataclass(frozen=True, slots=True)
class GoldenRow:
    """One row and its predictions, stored when the bundle was written."""

    features: tuple[float | None, ...]
    """The numbers of the row, see `dubito.features`; None is missing."""
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
    """The content of `bundle.json`. It has no slots, because it keeps its digest."""

    format: Format
    name: str
    version: int
    features: tuple[Feature, ...]
    target: Target
    passes: int
    """Default number of passes a row."""
    calibration: AnyCalibration | None
    """Scores and policy for sets or intervals, and decisions; None if the bundle offers neither."""
    rules: tuple[DomainRule, ...]
    golden: tuple[GoldenRow, ...]
    metrics: dict[str, dict[str, float]]
    """Metrics by name, of the `deterministic` pass and of `mc`, on the held-out split; in a
    conversion, on rows that the network may have been fitted or calibrated on."""
    trained: Provenance
    network_digests: tuple[str, ...]
    """Hexadecimal SHA-256 of the file of each network: of `model.keras` and, in an ensemble, of the
    other members' files, see `network_files`."""

    @property
    def signature(self) -> Signature:
        """Ordered features, and the target."""
        return Signature(self.features, self.target)

    @property
    def classes(self) -> tuple[str, ...]:
        """`(C,)` ordered class names; none for a number."""
        return self.signature.classes

    @property
    def members(self) -> int:
        """Number of networks whose passes alternate; 1 if the bundle is not an ensemble."""
        return len(self.network_digests)

    @cached_property
    def identity(self) -> Identity:
        """Name, version and digest, which every answer carries."""
        digest = hashlib.sha256(self.to_bytes()).hexdigest()
        return Identity(self.name, self.version, f"sha256:{digest}")

    def to_bytes(self) -> bytes:
        """Serialize to canonical JSON (RFC 8785), the bytes that the digest covers."""
        plain = asdict(self)
        for feature in plain["features"]:
            if feature.get("missing_refers"):
                del feature["missing_refers"]
        target, digests = plain.pop("target"), plain.pop("network_digests")
        plain |= {"networks": digests} if self.format == 3 else {"network_sha256": digests[0]}
        if self.format == 1:
            plain["classes"] = target["classes"]
        else:
            plain["target"] = _plain_target(self.target, target)
        if isinstance(self.calibration, Calibration):
            _leave_out_unknown(plain["calibration"], self.calibration)
        elif self.calibration is not None:
            # Of a number, no output is a likelihood.
            del plain["calibration"]["policy"]["likelihood"]
        return rfc8785.dumps(plain)


def network_files(members: int) -> tuple[str, ...]:
    """Return the names of the networks' files: `model.keras`, `model.2.keras`, and so on."""
    stem, suffix = NETWORK_FILE.split(".")
    return NETWORK_FILE, *(f"{stem}.{at}.{suffix}" for at in range(2, members + 1))


def format_of(features: Sequence[Feature], target: Target, members: int = 1) -> Format:
    """Return the oldest format that can say what the features, the target and the networks are."""
    if members > 1 or not all(one.missing_refers for one in features):
        return 3
    is_old = isinstance(target, ClassTarget) and target.is_ordered
    return 1 if is_old and all(isinstance(one, NumberFeature) for one in features) else 2


def _plain_target(target: Target, plain: dict[str, Any]) -> dict[str, Any]:
    """Return the member of a target, with its kind; that classes are ordered is the default."""
    if isinstance(target, NumberTarget):
        return {"kind": "number", **plain}
    ordered = {} if target.is_ordered else {"ordered": False}
    return {"kind": "classes", "classes": plain["classes"], **ordered}


def _leave_out_unknown(plain: dict[str, Any], calibration: Calibration) -> None:
    """Remove members that older bundles do not have, so that their bytes and digest stay."""
    if not calibration.mutual_information:
        del plain["mutual_information"]
    policy = plain["policy"]
    if calibration.policy.case_limit is None:
        del policy["case_limit"], policy["likelihood"]
        for promise in policy["promises"]:
            del promise["band"], promise["wanting"]
