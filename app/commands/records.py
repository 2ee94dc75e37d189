"""Verify, erase or export what a service remembers."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.serve import add_settings, settings_of
from app.errors import RecordsError, SettingsError
from app.events import MICROSECONDS, Erasure
from app.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from app.records.ledger import Ledger

OWN = {
    "verify": ("checkpoint", "write_checkpoint"),
    "erase": ("reference", "before"),
    "export": ("out",),
}
"""Which flags belong to which action."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is to be done, and to which records."""
    parser.add_argument("action", choices=tuple(OWN))
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="verify: also find what was cut off since this file was written",
    )
    parser.add_argument(
        "--write-checkpoint",
        type=Path,
        metavar="FILE",
        help="verify: note where the chains end now; keep it out of reach of the database",
    )
    parser.add_argument("--reference", help="erase: what is personal of cases of this reference")
    parser.add_argument(
        "--before",
        type=_moment,
        metavar="DATE",
        help="erase: what is personal of everything before a day or moment, UTC",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="export: a file that ends in .csv or .parquet"
    )
    parser.set_defaults(bundle=None)
    add_settings(parser, ["state", "records_url", "records_key_file"])


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Do it."""
    if rest:
        raise SettingsError(f"records does not know {rest[0]}")
    given = [name for names in OWN.values() for name in names if getattr(arguments, name)]
    for name in given:
        if name not in OWN[arguments.action]:
            flag = name.replace("_", "-")
            raise SettingsError(f"records {arguments.action} does not know --{flag}")
    if arguments.action != "verify" and len(given) != 1:
        flags = " or ".join(f"--{name}" for name in OWN[arguments.action])
        raise SettingsError(f"records {arguments.action} needs {flags}")
    settings = settings_of(arguments)
    # What this imports no other command needs.
    from app.records import database

    url = database.url_of(settings.records_url, settings.state)
    with database.opened(url, alone=arguments.action == "erase") as engine:
        return ACTIONS[arguments.action](arguments, settings, engine)


def _verify(arguments: argparse.Namespace, settings: Settings, engine: "Engine") -> int:
    from app.records import checkpoint
    from app.records.database import snapshot
    from app.records.verification import verify

    before = {} if arguments.checkpoint is None else checkpoint.read(arguments.checkpoint)
    with snapshot(engine) as connection:
        verdict = verify(connection, _secret(settings), before)
    for fault in verdict.faults:
        print(fault, file=sys.stderr)
    if verdict.faults:
        raise RecordsError(f"{len(verdict.faults):,} faults in {verdict.events:,} events")
    if arguments.write_checkpoint is not None:
        arguments.write_checkpoint.write_text(checkpoint.to_text(verdict.heads), encoding="utf-8")
    print(f"{verdict.events:,} events in {len(verdict.heads):,} chains, all as they were written")
    return 0


def _erase(arguments: argparse.Namespace, settings: Settings, engine: "Engine") -> int:
    erasure = Erasure(reference=arguments.reference, before=arguments.before)
    with closing(_ledger(settings, engine)) as ledger:
        count = ledger.erase(erasure)
    print(f"erased what is personal of {count:,} predictions")
    return 0


def _export(arguments: argparse.Namespace, _: Settings, engine: "Engine") -> int:
    from app.records.database import snapshot
    from app.records.export import write

    with snapshot(engine) as connection:
        count = write(connection, arguments.out)
    print(f"{count:,} predictions in {arguments.out}")
    return 0


ACTIONS = {"verify": _verify, "erase": _erase, "export": _export}


def _secret(settings: Settings) -> bytes:
    from app.records import key

    return key.read(key.path_of(settings.records_key_file, settings.state))


def _ledger(settings: Settings, engine: "Engine") -> "Ledger":
    from app.api.identifier import new_id
    from app.records.ledger import Ledger

    return Ledger(engine, _secret(settings), new_id())


def _moment(text: str) -> int:
    """A day or a moment of ISO 8601 in microseconds since 1970; UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no date") from error
    known = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int(known.timestamp() * MICROSECONDS)
