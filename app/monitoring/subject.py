"""The subject: the bundle that is watched."""

from dataclasses import dataclass
from functools import cached_property

from app.uncertainty.bins import Bins, bins_of
from app.values import Calibration, Identity, Signature


@dataclass(frozen=True)
class Subject:
    """What is to be known of a bundle by who watches its answers."""

    identity: Identity
    signature: Signature
    calibration: Calibration | None

    @cached_property
    def streams(self) -> dict[str, Bins]:
        """What is watched for drift, with what training or calibration saw of it."""
        return bins_of(self.signature, self.calibration)
