"""What a table's answers are like in the large: for people, and as JSON."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import Struct, field, json, structs

from dubito.bundles.manifest import Manifest
from dubito.scoring.counts import TableCounts, TruthCounts
from dubito.targets import NumberTarget
from dubito.uncertainty.bins import bins_of
from dubito.uncertainty.drift import DriftStatistics, drift

SHIFTED = 0.1
"""Population stability index from which a shift is customarily told."""
MOST_TOLD = 8
"""Most features that a line for people names."""
NORMAL = 1.959963984540054
"""Quantile of the standard normal distribution for two-sided intervals of 95%."""


class WilsonShare(Struct, frozen=True):
    """A share of some rows, with Wilson's interval of 95% (Wilson 1927)."""

    value: float
    lower: float
    upper: float

    @classmethod
    def of(cls, count: int, rows: int) -> "WilsonShare | None":
        """Compute the share; None without rows."""
        if not rows:
            return None
        share, spread = count / rows, NORMAL**2 / rows
        middle = (share + spread / 2) / (1 + spread)
        half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
        return cls(share, max(0.0, middle - half), min(1.0, middle + half))


class TruthSummary(Struct, frozen=True, omit_defaults=True):
    """How the answers agree with the truth, of the rows of which the table tells it."""

    column: str
    rows: int
    accuracy: WilsonShare | None = None
    """Share of the right class; None for a number."""
    coverage: WilsonShare | None = None
    """Share whose set or interval contains the truth."""
    automated: int | None = None
    automated_wrong: WilsonShare | None = None
    """Share of the automated rows that are wrong."""
    mean_absolute_error: float | None = None
    root_mean_squared_error: float | None = None


class TableDrift(Struct, frozen=True):
    """How far the rows are from those of training, of one feature or of the doubt."""

    name: str
    rows: int
    missing: int
    psi: float | None
    statistic: float | None
    p_value: float | None


class TableSummary(Struct, frozen=True, omit_defaults=True):
    """What a table's answers are like in the large."""

    table: str
    table_digest: str
    """SHA-256 of the SHA-256 of its chunks."""
    model: str
    version: int
    digest: str
    environment: str
    options: dict[str, Any]
    rows: int
    empty: int
    scored: int
    rejected: int
    reasons: dict[str, int]
    """Rejected rows by reason."""
    mean_passes: float | None
    classes: dict[str, int] | None = None
    mean_set_size: float | None = None
    automated: int | None = None
    referred: int | None = None
    referred_for: dict[str, int] | None = None
    """Referred rows by reason; a row may have several."""
    warnings: dict[str, dict[str, int]] = field(default_factory=dict)
    """Rows by kind and feature."""
    drift: list[TableDrift] = field(default_factory=list)
    truth: TruthSummary | None = None


class Origin(NamedTuple):
    """What answers come from, apart from the bundle."""

    table: str
    """Name of the table."""
    digest: str
    """Digest of the table."""
    environment: str
    """Fingerprint of the numerical environment."""
    options: dict[str, Any]
    """Options of each answer."""
    truth: str | None
    """Name of the column of the truth; None without one."""


def summarise_counts(origin: Origin, manifest: Manifest, counts: TableCounts) -> TableSummary:
    """Build the summary of what was counted with a bundle."""
    identity, is_judged = manifest.identity, manifest.calibration is not None
    is_number = isinstance(manifest.target, NumberTarget)
    scored = counts.scored
    sizes = sum(size * rows for size, rows in counts.sizes.items())
    return TableSummary(
        table=origin.table,
        table_digest=origin.digest,
        model=identity.name,
        version=identity.version,
        digest=identity.digest,
        environment=origin.environment,
        options=origin.options,
        rows=counts.rows,
        empty=counts.empty,
        scored=scored,
        rejected=counts.rows - scored,
        reasons=counts.rejected,
        mean_passes=counts.passes / scored if scored else None,
        classes=None if is_number else counts.classes,
        mean_set_size=sizes / scored if counts.sizes else None,
        automated=counts.decisions.get("automate", 0) if is_judged else None,
        referred=counts.decisions.get("refer", 0) if is_judged else None,
        referred_for=counts.reasons if is_judged else None,
        warnings=counts.warnings,
        drift=list(_drifts(manifest, counts)),
        truth=_truth(origin.truth, counts.truth, is_number=is_number, is_judged=is_judged),
    )


def _drifts(manifest: Manifest, counts: TableCounts) -> Iterator[TableDrift]:
    bins = bins_of(manifest.signature, manifest.calibration)
    for name, found in counts.streams.items():
        told: DriftStatistics = drift(bins[name], found)
        yield TableDrift(name, told.rows, told.missing, told.psi, told.statistic, told.p_value)


def _truth(
    column: str | None, counts: TruthCounts | None, *, is_number: bool, is_judged: bool
) -> TruthSummary | None:
    if column is None or counts is None or not counts.rows:
        return None
    rows = counts.rows
    found = TruthSummary(column, rows)
    if is_judged:
        found = structs.replace(
            found,
            coverage=WilsonShare.of(counts.covered, rows),
            automated=counts.automated,
            automated_wrong=WilsonShare.of(counts.automated_wrong, counts.automated),
        )
    if not is_number:
        return structs.replace(found, accuracy=WilsonShare.of(counts.right, rows))
    return structs.replace(
        found,
        mean_absolute_error=counts.absolute_error / rows,
        root_mean_squared_error=math.sqrt(counts.squared_error / rows),
    )


def summary_text(summary: TableSummary) -> bytes:
    """Encode a summary as JSON."""
    return json.format(json.encode(summary)) + b"\n"


def summary_lines(summary: TableSummary) -> Iterator[str]:
    """Yield the lines that people read."""
    rejected = f", {summary.rejected:,} rejected" if summary.rejected else ""
    yield (
        f"{summary.table}: {summary.scored:,} of {summary.rows:,} rows scored{rejected}, by "
        f"{summary.model}/{summary.version}"
    )
    for reason, rows in _most(summary.reasons):
        yield f"rejected: {rows:,} × {reason}"
    if summary.classes is not None:
        shares = (
            f"{name} {rows / max(1, summary.scored):.1%}" for name, rows in summary.classes.items()
        )
        yield f"classes: {', '.join(shares)}"
    if summary.mean_set_size is not None:
        yield f"mean size of sets: {summary.mean_set_size:.3f}"
    if summary.automated is not None and summary.scored:
        reasons = ", ".join(f"{why} {rows:,}" for why, rows in _most(summary.referred_for or {}))
        yield (
            f"automated: {summary.automated / summary.scored:.1%}; "
            f"referred: {summary.referred:,}{f' ({reasons})' if reasons else ''}"
        )
    for kind, features in summary.warnings.items():
        named = ", ".join(f"{name} {rows:,}" for name, rows in _most(features))
        yield f"warning {kind}: {named}"
    shifted = [one for one in summary.drift if one.psi is not None and one.psi >= SHIFTED]
    for one in sorted(shifted, key=lambda each: -(each.psi or 0.0))[:MOST_TOLD]:
        yield f"drift of {one.name}: population stability index {one.psi:.3f}"
    if summary.truth is not None:
        yield from _truth_lines(summary.truth)


def _truth_lines(truth: TruthSummary) -> Iterator[str]:
    of = f"of {truth.rows:,} rows with {truth.column}"
    if truth.accuracy is not None:
        yield f"accuracy {_told(truth.accuracy)}, {of}"
    if truth.root_mean_squared_error is not None:
        yield (
            f"root mean squared error {truth.root_mean_squared_error:,.6g}, mean absolute error "
            f"{truth.mean_absolute_error:,.6g}, {of}"
        )
    if truth.coverage is not None:
        yield f"coverage {_told(truth.coverage)}"
    if truth.automated_wrong is not None:
        yield f"wrong among {truth.automated:,} automated: {_told(truth.automated_wrong)}"


def _told(share: WilsonShare) -> str:
    return f"{share.value:.2%} ({share.lower:.2%} to {share.upper:.2%})"


def _most(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Return the largest counts, the largest first."""
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:MOST_TOLD]
