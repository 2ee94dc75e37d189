"""The bundle whose answers are watched."""

from dataclasses import dataclass
from functools import cached_property

from dubito.types import Calibration, Identity, Signature
from dubito.uncertainty.bins import Bins, bins_of


@dataclass(frozen=True)
class WatchedBundle:
    """What is to be known of a bundle by who watches its answers."""

    identity: Identity
    signature: Signature
    calibration: Calibration | None
    environment: str
    """Fingerprint of the numerical environment in which it answers."""

    @cached_property
    def streams(self) -> dict[str, Bins]:
        """Feature or measure to its reference bins: what is watched for drift."""
        return bins_of(self.signature, self.calibration)
