"""SQLAlchemy definitions of all tables at the newest schema; `migrations` creates them."""

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
    text,
)

IDENTIFIER = 36
"""Length of a UUID in characters."""
MOST_REFERENCE = 200
"""Longest reference of a caller, and longest idempotency key, in characters."""

IS_DISAGREEMENT = text("kind = 'disagreement'")
"""Condition of the index of disagreements; its text is that of queries, so that they use it."""

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
"""Chains, one for each process that ever wrote, with the position and link of their last events."""

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
    Index(
        "events_of_disagreements",
        "time",
        sqlite_where=IS_DISAGREEMENT,
        postgresql_where=IS_DISAGREEMENT,
    ),
)
"""Events; rows are never changed, except that `personal`, `salt` and `reference` may be erased."""

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
"""First responses to requests with an idempotency key, kept for a day."""

claims = Table(
    "claims",
    metadata,
    Column("prediction", String(IDENTIFIER), nullable=False),
    Column("kind", String(16), nullable=False),
    PrimaryKeyConstraint("prediction", "kind"),
)
"""Events of which a prediction can have only one, to reject the second."""

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
    Column("model", Text, nullable=False),
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
"""Predictions that were referred to a person or reviewed, and whether they still wait; `reference`,
`assignee` and `reviewer` may be erased."""

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
"""Counts by time span, bundle and owner; an owner is a process's chain, or a new name that the
process took when the clock was set back."""

marks = Table(
    "marks",
    metadata,
    Column("name", String(MOST_REFERENCE), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""Notes of the service to itself, such as the state of the alarms."""


def row_of(table: Table, one: object) -> dict[str, Any]:
    """Return the row of an object whose attributes are named like the table's columns."""
    return {name: getattr(one, name) for name in table.columns.keys()}  # noqa: SIM118 - no dict
