"""Migrations of the records; Alembic runs them."""
