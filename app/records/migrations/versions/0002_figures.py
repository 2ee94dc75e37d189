"""Creates the tables of claims, referrals, rollups and marks."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; outcomes recorded so far are claimed."""
    op.create_table(
        "claims",
        sa.Column("prediction", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("prediction", "kind"),
    )
    op.execute(
        "INSERT INTO claims (prediction, kind) "
        "SELECT DISTINCT prediction, kind FROM events WHERE kind = 'outcome'"
    )
    op.create_table(
        "referrals",
        sa.Column("prediction", sa.String(36), primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("doubt", sa.Float(53), nullable=False),
        sa.Column("waits", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("referrals_by_time", "referrals", ["waits", "time", "prediction"])
    op.create_index("referrals_by_doubt", "referrals", ["waits", "doubt", "prediction"])
    op.create_table(
        "rollups",
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("span", sa.Integer, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("chain", sa.String(36), nullable=False),
        sa.Column("counts", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", "span", "start", "chain"),
    )
    op.create_table(
        "marks",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
