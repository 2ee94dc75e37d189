"""The tables, as the code knows them; `migrations` makes them."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

IDENTIFIER = 36
"""Characters of a UUID."""
MOST_REFERENCE = 200
"""Characters of a client's reference, and of the key of a reply."""

metadata = MetaData()

chains = Table(
    "chains",
    metadata,
    Column("chain", String(IDENTIFIER), primary_key=True),
    Column("started", BigInteger, nullable=False),
    Column("heads", Text, nullable=False),
    Column("genesis", LargeBinary, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("link", LargeBinary, nullable=False),
)
"""One for each process that ever wrote, with where it has come to."""

events = Table(
    "events",
    metadata,
    Column("chain", String(IDENTIFIER), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("prediction", String(IDENTIFIER), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("personal", LargeBinary),
    Column("salt", LargeBinary),
    Column("digest", LargeBinary),
    Column("link", LargeBinary, nullable=False),
    Column("reference", String(MOST_REFERENCE)),
    PrimaryKeyConstraint("chain", "sequence"),
    Index("events_by_prediction", "prediction"),
    Index("events_by_time", "time"),
    Index("events_by_reference", "reference"),
)
"""Only ever added to, but for `personal`, `salt` and `reference`, which may be erased."""

replies = Table(
    "replies",
    metadata,
    Column("key", String(MOST_REFERENCE), primary_key=True),
    Column("request", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("prediction", String(IDENTIFIER), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("replies_by_time", "time"),
    Index("replies_by_prediction", "prediction"),
)
"""First answers to requests that named a key, kept for a day."""

claims = Table(
    "claims",
    metadata,
    Column("prediction", String(IDENTIFIER), nullable=False),
    Column("kind", String(16), nullable=False),
    PrimaryKeyConstraint("prediction", "kind"),
)
"""What has been said of a prediction that can be said once only."""

referrals = Table(
    "referrals",
    metadata,
    Column("prediction", String(IDENTIFIER), primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("doubt", Float(53), nullable=False),
    Column("waits", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("grade", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("digest", String(80), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("reference", String(MOST_REFERENCE)),
    Column("assignee", String(MOST_REFERENCE)),
    Column("decided", BigInteger),
    Column("verdict", Text),
    Column("reviewer", String(MOST_REFERENCE)),
    Index("referrals_by_time", "waits", "time", "prediction"),
    Index("referrals_by_doubt", "waits", "doubt", "prediction"),
    Index("referrals_by_reference", "waits", "reference", "prediction"),
    Index("referrals_by_decided", "waits", "decided", "prediction"),
)
"""Predictions that were referred to a person, or reviewed, and whether they wait for one;
`reference`, `assignee` and `reviewer` may be erased."""

rollups = Table(
    "rollups",
    metadata,
    Column("digest", String(80), nullable=False),
    Column("span", Integer, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("chain", String(IDENTIFIER), nullable=False),
    Column("counts", LargeBinary, nullable=False),
    PrimaryKeyConstraint("digest", "span", "start", "chain"),
)
"""Counts of a stretch of time, of a bundle, of a process: its chain, or the name that it took when
the clock was set back."""

marks = Table(
    "marks",
    metadata,
    Column("name", String(MOST_REFERENCE), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""Notes of the service to itself."""


def row_of(table: Table, one: object) -> dict[str, Any]:
    """The row of something that has a table's columns as attributes."""
    return {name: getattr(one, name) for name in table.columns.keys()}  # noqa: SIM118 - no dict
