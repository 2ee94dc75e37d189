"""Creates the tables of chains, events and replies."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and their indexes."""
    op.create_table(
        "chains",
        sa.Column("chain", sa.String(36), primary_key=True),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("heads", sa.Text, nullable=False),
        sa.Column("genesis", sa.LargeBinary, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("link", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("chain", sa.String(36), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("prediction", sa.String(36), nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("personal", sa.LargeBinary),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("digest", sa.LargeBinary),
        sa.Column("link", sa.LargeBinary, nullable=False),
        sa.Column("reference", sa.String(200)),
        sa.PrimaryKeyConstraint("chain", "sequence"),
    )
    op.create_index("events_by_prediction", "events", ["prediction"])
    op.create_index("events_by_time", "events", ["time"])
    op.create_index("events_by_reference", "events", ["reference"])
    op.create_table(
        "replies",
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("prediction", sa.String(36), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_index("replies_by_time", "replies", ["time"])
    op.create_index("replies_by_prediction", "replies", ["prediction"])
