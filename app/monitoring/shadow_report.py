"""What is known of a shadow: how often it disagreed, and the newest cases."""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import get_args

from msgspec import Struct

from app.count_keys import CountKey, Counts, Family, key, numbered, summed
from app.record_events import HOUR, Event, moment
from app.record_ports import Reader
from app.recorded_disagreement import Disagreement, DisagreementKind, Side, read_disagreement
from dubito.types import Identity

EDGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""Edges of the bins of differences."""
MOST_NEWEST = 50
"""Newest cases that a report lists."""
MOST_READ = 500
"""Newest disagreements of all models that are read to find them."""
Z = 1.959963984540054
"""The 97.5% quantile of the normal distribution."""
DIGITS = 32
"""Hexadecimal digits of each of the two digests that counts are stored under."""


class Share(Struct, frozen=True):
    """Rows that disagree in something, and a 95% interval of their share."""

    rows: int
    share: float | None
    lower: float | None
    upper: float | None


class Differences(Struct, frozen=True):
    """Rows by the largest difference to the shadow's answer."""

    edges: tuple[float, ...]
    rows: tuple[int, ...]
    """Rows up to the first edge, up to each further one, and above the last."""


class DisagreeingCase(Struct, frozen=True):
    """A prediction on which the shadow disagrees."""

    prediction: str
    time: str
    kinds: list[DisagreementKind]
    difference: float
    answer: Side
    other: Side


class ShadowReport(Struct, frozen=True):
    """What is known of the shadow beside the bundle that is served."""

    served: Identity
    shadow: Identity
    share: float
    """Part of the requests whose answers are compared."""
    rows: int
    """Rows that were compared."""
    skipped: int
    """Rows that were not, for want of time or because the shadow cannot be asked for the same."""
    disagreements: dict[str, Share]
    """Share of the rows by what the answers disagree in."""
    differences: Differences
    newest: list[DisagreeingCase]


def counted_as(served: Identity, shadow: Identity) -> str:
    """Return the name under which the counts of two bundles are stored."""
    digests = (one.digest.rpartition(":")[2][:DIGITS] for one in (served, shadow))
    return "shadow:" + ":".join(digests)


def counts_of(differences: Sequence[float], kinds: Mapping[DisagreementKind, int]) -> Counts:
    """Count rows that were compared."""
    found: dict[CountKey, int] = {key(Family.ROWS): len(differences)}
    for difference in differences:
        name = key(Family.DIFFERENCE, bisect_left(EDGES, difference))
        found[name] = found.get(name, 0) + 1
    # Also those without a row: they were compared.
    named = {key(Family.DISAGREEMENT, kind): count for kind, count in kinds.items()}
    return {**found, **named}


async def shadow_report(
    reader: Reader, served: Identity, shadow: Identity, share: float
) -> ShadowReport:
    """Build the report of all that was compared of two bundles.

    Raises:
        RecordsUnavailable: the database does not respond.
    """
    rollups = await reader.rollups(counted_as(served, shadow), HOUR, 0)
    counts = summed([one.counts for one in rollups])
    rows = counts.get(key(Family.ROWS), 0)
    bins = numbered(counts, Family.DIFFERENCE)
    events = await reader.disagreements(MOST_READ)
    told = [(event, read_disagreement(event.body)) for event in events]
    newest = [
        _case(event, body) for event, body in told if (body.served, body.shadow) == (served, shadow)
    ]
    return ShadowReport(
        served,
        shadow,
        share,
        rows,
        counts.get(key(Family.SKIPPED), 0),
        {
            kind: share_of(counts.get(key(Family.DISAGREEMENT, kind)), rows)
            for kind in get_args(DisagreementKind)
        },
        Differences(EDGES, tuple(bins.get(at, 0) for at in range(len(EDGES) + 1))),
        newest[:MOST_NEWEST],
    )


def share_of(count: int | None, rows: int) -> Share:
    """Compute a share and its 95% score interval (Wilson 1927); a count of None is of nothing."""
    if not rows or count is None:
        return Share(0, None, None, None)
    share, weight = count / rows, Z * Z / rows
    middle = (share + weight / 2) / (1 + weight)
    half = Z * math.sqrt((share * (1 - share) + weight / 4) / rows) / (1 + weight)
    return Share(count, share, max(0.0, middle - half), min(1.0, middle + half))


def _case(event: Event, body: Disagreement) -> DisagreeingCase:
    return DisagreeingCase(
        event.prediction,
        moment(event.time),
        body.kinds,
        body.difference,
        body.answer,
        body.other,
    )
