"""Show the content of a bundle without running its network."""

import argparse
import sys
from collections.abc import Iterator, Sequence

from dubito.bundles.manifest import Manifest
from dubito.bundles.program import read_programs
from dubito.bundles.validation.inspection import inspect
from dubito.cli.reference import add_location, location_of
from dubito.engine.backends.choice import Choice, choose
from dubito.errors import UsageError
from dubito.features import Feature, NumberFeature, TensorFeature
from dubito.printable import shortened
from dubito.targets import ClassTarget, Target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name the bundle and the format."""
    add_location(parser)
    parser.add_argument("--json", action="store_true", help="print bundle.json as it is")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Check the bundle's files and print their content."""
    if rest:
        raise UsageError(f"inspect does not know {rest[0]}")
    location = location_of(arguments)
    inspected = inspect(location.folder, pinned=location.digest)
    if arguments.json:
        sys.stdout.write(inspected.manifest.to_bytes().decode() + "\n")
    else:
        print("\n".join(_lines(inspected.manifest, choose(read_programs(inspected.checked)))))
    return 0


def _target(target: Target) -> str:
    if isinstance(target, ClassTarget):
        return f"classes  {' '.join(target.classes)}"
    unit = f" {target.unit}" if target.unit else ""
    seen = f"{target.seen.minimum:,.12g} to {target.seen.maximum:,.12g}{unit}"
    return f"number   {target.name}, {seen}, head {target.head}"


def _lines(manifest: Manifest, choice: Choice) -> Iterator[str]:
    identity, trained = manifest.identity, manifest.trained
    yield f"{identity.name}, version {identity.version}"
    yield f"digest   {identity.digest}"
    yield _target(manifest.target)
    if manifest.members > 1:
        yield f"networks {manifest.members}, whose passes alternate"
    yield f"passes   {manifest.passes} by default"
    yield f"backend  {choice.backend}" + ("" if choice.why is None else f": {choice.why}")
    yield f"trained  on {trained.data}, {trained.rows:,} rows: {trained.command}"
    rows = "on the rows it was converted with" if trained.is_conversion else "held out"
    for name, metrics in manifest.metrics.items():
        figures = ", ".join(f"{key} {value:.4f}" for key, value in metrics.items())
        # All paths are held-out metrics; the one named `held_out` is about sets and decisions.
        yield f"{rows}, {name.replace('held_out', 'sets and decisions')}: {figures}"
    if trained.is_conversion and manifest.metrics:
        yield "         it may have been fitted or calibrated on some of these rows"
    width = max(len(feature.name) for feature in manifest.features)
    yield "features"
    yield from (f"  {_feature(feature, width)}" for feature in manifest.features)


def _feature(feature: Feature, width: int) -> str:
    aliases = f", also {', '.join(feature.aliases)}" if feature.aliases else ""
    null = ", may be null" if feature.nullable else ""
    return f"{feature.name:<{width}}  {_values(feature)}{null}{aliases}"


def _values(feature: Feature) -> str:
    """Describe the values that training saw."""
    if isinstance(feature, TensorFeature):
        shape, norms = " × ".join(map(str, feature.shape)), feature.seen
        return f"{shape} numbers, norms seen {norms.minimum:,.6g} to {norms.maximum:,.6g}"
    if not isinstance(feature, NumberFeature):
        pairs = zip(feature.labels, feature.seen.counts, strict=True)
        seen = [label for label, count in pairs if count]
        return f"{feature.kind}, seen {shortened(seen)}"
    least, most = feature.seen.minimum, feature.seen.maximum
    range_ = f"always {least:,.12g}" if least == most else f"{least:,.12g} to {most:,.12g}"
    return f"{feature.unit}, seen {range_}"
