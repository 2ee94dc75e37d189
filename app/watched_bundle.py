"""The parts of a bundle that recording and monitoring need."""

from dataclasses import dataclass
from functools import cached_property

from dubito.types import AnyCalibration, Identity, Signature
from dubito.uncertainty.bins import Bins, bins_of


@dataclass(frozen=True)
class WatchedBundle:
    """Identity, signature and calibration of a bundle whose answers are recorded and monitored."""

    identity: Identity
    signature: Signature
    calibration: AnyCalibration | None
    environment: str
    """Fingerprint of the numerical environment in which the bundle answers."""

    @cached_property
    def streams(self) -> dict[str, Bins]:
        """Feature or uncertainty measure to its reference bins, watched for drift."""
        return bins_of(self.signature, self.calibration)
