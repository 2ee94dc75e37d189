"""The table of settings, as `app.settings` has it."""

from app.settings import reference_table


def render() -> str:
    """Write the table."""
    return reference_table()
