"""Runs migrations on the connection that `app.records.schema` passes in."""

from alembic import context

from app.records.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
