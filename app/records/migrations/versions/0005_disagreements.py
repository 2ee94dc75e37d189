"""Adds an index of the disagreements of shadows, which has no other events."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    mine = sa.text("kind = 'disagreement'")
    op.create_index(
        "events_of_disagreements", "events", ["time"], sqlite_where=mine, postgresql_where=mine
    )
