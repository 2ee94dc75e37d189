"""A shipped network under names that somebody could give, and that mean something elsewhere."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from dubito.bundle import load
from dubito.bundles.repository import write_bundle
from dubito.targets import ClassTarget
from dubito.types import Cards
from tests.service import ROOT

SHIPPED = ROOT / "models" / "loan-grade" / "4"
NAMES = (
    "seed",
    "passes",
    "instances",
    "feature_1",
    "mutual_information",
    "__proto__",
    "constructor",
    "feature-0-hint",
    'two words / ~ "quoted" & <b>bold</b>',
)
"""Options, members of bodies, fields of ours, figures, members of every JavaScript object, ids."""
ALIASES = (("features",), ("deadline_ms",), ("querySelector", "submit"))
CLASSES = ("class_1", "__proto__", "toString", "grade", "mean", "A.B", "<i>G</i>")
VALUES = (12000, 96000, 8.6, 14, 0, 773.87, 126.62, 0, 0)
"""A row that is usual."""


def publish(models: Path) -> None:
    """Write the bundle, called `odd`, with its calibration."""
    manifest = load(SHIPPED).manifest
    aliases = (*ALIASES, *((),) * (len(NAMES) - len(ALIASES)))
    features = tuple(
        replace(feature, name=name, title="", aliases=also)
        for feature, name, also in zip(manifest.features, NAMES, aliases, strict=True)
    )
    odd = replace(
        manifest, name="odd", version=1, features=features, target=ClassTarget(CLASSES), rules=()
    )
    write_bundle(models, odd, [(SHIPPED / "model.keras").read_bytes()], Cards("# Odd\n"))


def row() -> dict[str, Any]:
    """A row that is usual, by these names."""
    return dict(zip(NAMES, VALUES, strict=True))
