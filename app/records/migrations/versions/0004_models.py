"""Adds the name of the bundle to the table of referrals."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROWS_AT_A_TIME = 500
SOME = sa.text(
    "SELECT prediction, body FROM referrals WHERE prediction > :last "
    "ORDER BY prediction LIMIT :most"
)
FILL = sa.text("UPDATE referrals SET model = :model WHERE prediction = :prediction")


def upgrade() -> None:
    """Add the column and fill it from what lists show."""
    column = sa.Column("model", sa.Text, nullable=False, server_default="")
    op.add_column("referrals", column)
    connection = op.get_bind()
    last = ""
    while rows := connection.execute(SOME, {"last": last, "most": ROWS_AT_A_TIME}).all():
        filled = [
            {"prediction": row.prediction, "model": json.loads(row.body)["model"]["name"]}
            for row in rows
        ]
        connection.execute(FILL, filled)
        last = rows[-1].prediction
