"""Referrals by reference, grade, reason and bundle; who looks at them, and what was decided."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROWS_AT_A_TIME = 500


def upgrade() -> None:
    """Add columns, and fill them from what the events say."""
    for column in _added():
        op.add_column("referrals", column)
    op.create_index("referrals_by_reference", "referrals", ["waits", "reference", "prediction"])
    op.create_index("referrals_by_decided", "referrals", ["waits", "decided", "prediction"])
    connection = op.get_bind()
    last = ""
    while rows := connection.execute(SOME, {"last": last, "most": ROWS_AT_A_TIME}).all():
        connection.execute(FILL, [_filled(connection, row) for row in rows])
        last = rows[-1].prediction


SOME = sa.text(
    "SELECT prediction, body FROM referrals WHERE prediction > :last "
    "ORDER BY prediction LIMIT :most"
)
SAID = sa.text(
    "SELECT kind, time, body, personal, reference FROM events WHERE prediction = :prediction "
    "ORDER BY time, sequence"
)
FILL = sa.text(
    "UPDATE referrals SET grade = :grade, reasons = :reasons, digest = :digest, "
    "version = :version, reference = :reference, decided = :decided, verdict = :verdict, "
    "reviewer = :reviewer WHERE prediction = :prediction"
)


def _filled(connection: sa.Connection, row: sa.Row[Any]) -> dict[str, object]:
    shown = json.loads(row.body)
    events = connection.execute(SAID, {"prediction": row.prediction}).all()
    said = {event.kind: event for event in events}
    review, first = said.get("review"), said.get("prediction")
    personal = json.loads(review.personal) if review is not None and review.personal else {}
    return {
        "prediction": row.prediction,
        "grade": shown["grade"],
        "reasons": "".join(f"\n{reason}\n" for reason in shown["reasons"]),
        "digest": shown["model"]["digest"],
        "version": shown["model"]["version"],
        "reference": None if first is None else first.reference,
        "decided": None if review is None else review.time,
        "verdict": None if review is None else json.loads(review.body)["grade"],
        "reviewer": personal.get("reviewer"),
    }


def _added() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("grade", sa.Text, nullable=False, server_default=""),
        sa.Column("reasons", sa.Text, nullable=False, server_default=""),
        sa.Column("digest", sa.String(80), nullable=False, server_default=""),
        sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("reference", sa.String(200)),
        sa.Column("assignee", sa.String(200)),
        sa.Column("decided", sa.BigInteger),
        sa.Column("verdict", sa.Text),
        sa.Column("reviewer", sa.String(200)),
    )
