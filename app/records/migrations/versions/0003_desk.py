"""Adds grade, reasons, bundle, reference, assignee and review to the table of referrals."""

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
    """Add the columns and fill them from the recorded events."""
    for column in _added():
        op.add_column("referrals", column)
    op.create_index("referrals_by_reference", "referrals", ["waits", "reference", "prediction"])
    op.create_index("referrals_by_decided", "referrals", ["waits", "decided", "prediction"])
    connection = op.get_bind()
    last = ""
    while rows := connection.execute(SOME, {"last": last, "most": ROWS_AT_A_TIME}).all():
        connection.execute(FILL, [_filled(connection, row) for row in rows])
        last = rows[-1].prediction
    for row in connection.execute(REVIEWED).all():
        connection.execute(ADD, _shown(row))
        connection.execute(FILL, _filled(connection, row))


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


REVIEWED = sa.text(
    "SELECT prediction, time, body FROM events WHERE kind = 'prediction' AND prediction IN "
    "(SELECT prediction FROM events WHERE kind = 'review') AND prediction NOT IN "
    "(SELECT prediction FROM referrals)"
)
"""Predictions that a person reviewed although they were not referred."""
ADD = sa.text(
    "INSERT INTO referrals (prediction, time, doubt, waits, body) "
    "VALUES (:prediction, :time, :doubt, :waits, :body)"
)


def _shown(row: sa.Row[Any]) -> dict[str, object]:
    """Return the row of such a prediction, with its body in the present format."""
    body = json.loads(row.body)
    answer, uncertainty = body["answer"], body["answer"].get("uncertainty") or {}
    shown = {
        "grade": answer["grade"],
        "reasons": (answer.get("decision") or {}).get("reasons", []),
        "predictive_entropy": uncertainty.get("predictive_entropy"),
        "mutual_information": uncertainty.get("mutual_information"),
        "model": body["model"],
    }
    return {
        "prediction": row.prediction,
        "time": row.time,
        "doubt": uncertainty.get("predictive_entropy", 0.0),
        "waits": False,
        "body": json.dumps(shown, separators=(",", ":")).encode(),
    }


def _filled(connection: sa.Connection, row: sa.Row[Any]) -> dict[str, object]:
    shown = json.loads(row.body)
    shown = {**shown, **shown.get("answer", {})}
    shown.setdefault("reasons", (shown.get("decision") or {}).get("reasons", []))
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
