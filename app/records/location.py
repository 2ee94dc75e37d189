"""Where the records are, as the settings say it."""

from pathlib import Path
from typing import NamedTuple


class RecordsLocation(NamedTuple):
    """Database and key of the records.

    It is handed to a recorder in the place of all settings, whose library it would import for that
    alone: an eighth of its imports' time.
    """

    url: str | None
    """Database as a SQLAlchemy URL; None for a SQLite file in the state folder."""
    key_file: Path | None
    """File of the key; None for one in the state folder."""
    state: Path
