"""Where a serving process' lines go, and which of them."""

import logging

from app.settings import Settings


def configure_logs(settings: Settings, name: str = "") -> None:
    """Lines to stderr; `name` tells one process from another."""
    logging.basicConfig(level=logging.INFO, format=f"%(levelname)s %(name)s{name}: %(message)s")
    # It tells of every plugin, which would bury what matters.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if settings.log_requests:
        logging.getLogger("dubito.access").setLevel(logging.DEBUG)
